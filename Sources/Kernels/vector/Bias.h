// Bias
