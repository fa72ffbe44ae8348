import CallosumContracts

/// The parts of this family, a line each.
public let memories: [Part] = [
  Part(HopfieldLookup.self),
  Part(HopfieldPooling.self),
  Part(ModernHopfield.self),
]
