import CallosumContracts

extension Catalogue {
  /// The tracts and networks of specialised pieces: a line for each part, with its claim.
  public static let modularity: [Part] = [
    Part(BilateralMotor.self, claim: .bilateralMotor),
    Part(CorpusCallosum.self),
    Part(Gate.self),
    Part(NCAP.self, claim: .ncap),
    Part(Router.self),
  ]
}
