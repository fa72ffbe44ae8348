import CallosumContracts

/// The memories, a line each.
public let memories: [Part] = [
  Part(AssociativeMemory.self)
]
