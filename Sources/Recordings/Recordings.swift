import CallosumContracts

extension Catalogue {
  /// The models of recordings: a line for each part, with its claim.
  public static let recordings: [Part] = [
    Part(DigitalTwin.self),
    Part(MDSClustering.self, claim: .mdsClustering),
  ]
}
