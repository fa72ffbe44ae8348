import CallosumContracts

extension Catalogue {
  /// The probes of trained networks: a line for each part, with its claim.
  public static let insight: [Part] = [
    Part(RetrievalHead.self, claim: .retrievalHead),
    Part(TopologicalRSA.self, claim: .topologicalRSA),
  ]
}
