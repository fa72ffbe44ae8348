// Normalisation
