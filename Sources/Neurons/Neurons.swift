import CallosumContracts

extension Catalogue {
  /// The neurons: a line for each part, with its claim.
  public static let neurons: [Part] = [
    Part(LIF.self),
    Part(ALIF.self),
    Part(Izhikevich.self),
    Part(AdEx.self),
    Part(HodgkinHuxley.self),
    Part(ResonateAndFire.self),
    Part(ElmNeuron.self, claim: .elmNeuron),
    Part(HLOP.self, claim: .hlop),
  ]
}
