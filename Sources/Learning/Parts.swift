import CallosumContracts

/// The parts of this family, a line each.
public let learningParts: [Part] = [
  Part(MultiPathLinear.self)
]
