import CallosumContracts

/// The memories, a line each.
public let memories: [Part] = [
  Part(AssociativeMemory.self),
  Part(HopfieldLookup.self),
  Part(HopfieldPooling.self),
  Part(ModernHopfield.self),
  Part(NeuralMemory.self),
  Part(TitansBlock.self),
]
