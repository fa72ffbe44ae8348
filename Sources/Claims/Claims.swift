import CallosumContracts

/// The claims of all families.
public let allClaims: [Claim] =
  mixerClaims + neuronClaims + learningClaims + memoryClaims + fieldClaims + modularityClaims
  + recordingClaims + insightClaims

extension [Claim] {
  /// - Throws: `Mistake` with the nearest id if there is no such claim.
  public func claim(_ id: String) throws -> Claim {
    guard let claim = first(where: { $0.id == id }) else {
      throw unknownName("claim", id, in: map(\.id))
    }
    return claim
  }
}
