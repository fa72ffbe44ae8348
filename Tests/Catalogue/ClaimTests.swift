import Callosum
import Testing

/// An arm of a claim.
struct ClaimArm: Sendable, CustomStringConvertible {
  let claim: Claim
  let arm: String
  var description: String { "\(claim.id), \(arm)" }

  static let all = Catalogue.all.claims.flatMap { claim in
    claim.arms.map { ClaimArm(claim: claim, arm: $0.id) }
  }
}

/// What every claim of the catalogue must pass.
@Suite struct ClaimTests {
  /// A misspelt metric or arm would make a condition that nothing can meet.
  @Test(arguments: Catalogue.all.claims.map(\.id)) func namesFit(_ id: String) throws {
    let claim = try Catalogue.all.claim(id)
    try claim.validate()
    for text in [claim.sentence, claim.experiment] { #expect(text.hasSuffix(".")) }
    #expect(!claim.paperFigure.isEmpty && !claim.paperFigure.hasSuffix("."))
  }

  /// Theorems and identities are true.
  @Test(arguments: Catalogue.all.claims.map(\.id)) func checksAreTrue(_ id: String) throws {
    for check in try Catalogue.all.claim(id).checks {
      let outcome = try check.run(ClaimRun(checkWith: .init()))
      #expect(outcome.isTrue, "\(check.statement) \(outcome.found)")
    }
  }

  /// Two steps of every arm: it runs, and measures what the claim and its criterion speak of.
  @Test(arguments: ClaimArm.all) func everyArmRuns(_ one: ClaimArm) throws {
    let result = try one.claim.run(ClaimRun(trialOf: one.arm, seed: 1))
    try one.claim.validate(result.metrics, of: one.arm)
    #expect(!result.metrics.isEmpty && result.parameters >= 0)
  }
}
