import CallosumContracts

/// The claims of this family, a line each.
let recordingClaims: [Claim] = [
  .mdsClustering
]
