import CallosumContracts

/// The learning rules and systems in which learning is studied, a line each.
public let learningRules: [Part] = [
  Part(Backpropagation.self),
  Part(DeltaRule.self),
  Part(FeedbackAlignment.self),
  Part(MultiPathLinear.self),
  Part(NoProp.self),
  Part(SoftHebb.self),
  Part(SubspaceRule.self),
]
