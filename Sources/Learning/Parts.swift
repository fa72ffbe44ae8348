import CallosumContracts

/// The parts of this family, a line each.
public let learningRules: [Part] = [
  Part(MultiPathLinear.self)
]
