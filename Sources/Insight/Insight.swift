import CallosumContracts

/// The probes of trained networks, a line each.
public let probes: [Part] = [
  Part(RetrievalHead.self),
  Part(TopologicalRSA.self),
]
