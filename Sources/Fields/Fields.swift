import CallosumContracts

extension Catalogue {
  /// The neural fields and operators: a line for each part, with its claim.
  public static let fields: [Part] = [
    Part(FNO.self),
    Part(MgNO.self, claim: .mgno),
  ]
}
