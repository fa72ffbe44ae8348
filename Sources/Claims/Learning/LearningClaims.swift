import CallosumContracts

/// The claims of this family, a line each.
let learningClaims: [Claim] = [
  .criticalPeriodsLinear,
  .noProp,
]
