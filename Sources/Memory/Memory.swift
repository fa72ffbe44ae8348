import CallosumContracts

extension Catalogue {
  /// The memories: a line for each part, with its claim.
  public static let memory: [Part] = [
    Part(AssociativeMemory.self),
    Part(CalibratedHallucination.self, claim: .calibratedHallucination),
    Part(HopfieldLookup.self),
    Part(HopfieldPooling.self),
    Part(ModernHopfield.self, claim: .modernHopfield),
    Part(Titans.self, claim: .titans),
    Part(TitansBlock.self),
  ]
}
