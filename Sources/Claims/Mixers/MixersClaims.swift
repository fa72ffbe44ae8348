import CallosumContracts

/// The claims of this family, a line each.
let mixerClaims: [Claim] = [
  .deltaNet,
  .metaFormer,
]
