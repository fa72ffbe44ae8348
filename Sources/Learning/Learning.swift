import CallosumContracts

extension Catalogue {
  /// The learning rules, and systems in which learning is studied: a line for each part, with its claim.
  public static let learning: [Part] = [
    Part(Backpropagation.self),
    Part(CriticalPeriodsLinear.self, claim: .criticalPeriodsLinear),
    Part(DeltaRule.self),
    Part(FeedbackAlignment.self),
    Part(NoProp.self, claim: .noProp),
    Part(Oja.self),
    Part(SoftHebb.self),
  ]
}
