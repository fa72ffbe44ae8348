import CallosumContracts

/// The claims of all families, a line each.
public let allClaims: [Claim] = [
  .criticalPeriodsLinear,
  .modernHopfield,
]

extension [Claim] {
  /// - Throws: `Mistake` with the nearest id if there is no such claim.
  public func claim(_ id: String) throws -> Claim {
    guard let claim = first(where: { $0.id == id }) else {
      throw unknownName("claim", id, in: map(\.id))
    }
    return claim
  }
}
