import CallosumContracts

/// What tracts can pass through, a line each.
public let tractParts: [Part] = [
  Part(CorpusCallosum.self),
  Part(Gate.self),
  Part(Router.self),
]

/// Whole networks of specialised pieces, a line each.
public let modularNetworks: [Part] = [
  Part(BilateralController.self),
  Part(NCAPSwimmer.self),
]
