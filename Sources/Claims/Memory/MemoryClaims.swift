import CallosumContracts

/// The claims of this family, a line each.
let memoryClaims: [Claim] = [
  .calibratedHallucination,
  .modernHopfield,
  .titans,
]
