import CallosumContracts

extension Catalogue {
  /// The neurons: a line for each part, with its claim.
  public static let neurons: [Part] = [
    Part(ElmNeuron.self, claim: .elmNeuron),
    Part(HLOP.self, claim: .hlop),
  ]
}
