import CallosumContracts

/// What tracts can pass through, a line each.
public let tractParts: [Part] = [
  Part(CorpusCallosum.self),
  Part(Gate.self),
  Part(Router.self),
]
