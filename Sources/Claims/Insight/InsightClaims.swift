import CallosumContracts

/// The claims of this family, a line each.
let insightClaims: [Claim] = [
  .retrievalHead,
  .topologicalRSA,
]
