// Softmax
