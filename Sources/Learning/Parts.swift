import CallosumContracts

/// The learning rules, a line each.
public let learningRules: [Part] = [
  Part(Backpropagation.self),
  Part(DeltaRule.self),
  Part(FeedbackAlignment.self),
  Part(SoftHebb.self),
  Part(SubspaceRule.self),
]
