import CallosumContracts

/// The claims of this family, a line each.
let modularityClaims: [Claim] = [
  .bilateralMotor, .ncap,
]
