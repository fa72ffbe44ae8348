import CallosumContracts

/// The claims of this family, a line each.
let fieldClaims: [Claim] = [
  .mgno
]
