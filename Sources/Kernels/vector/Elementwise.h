// Elementwise
