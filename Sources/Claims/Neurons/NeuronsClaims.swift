import CallosumContracts

/// The claims of this family, a line each.
let neuronClaims: [Claim] = [
  .elmNeuron,
  .hebbianProjection,
]
