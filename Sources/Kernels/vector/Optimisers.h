// Optimisers
