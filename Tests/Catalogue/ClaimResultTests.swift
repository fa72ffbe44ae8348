import Callosum
import Foundation
import Testing

/// Results lie in `Results/`; README.md and docs/claims.md have lists that are made from them. Whoever adds a
/// claim or records a result makes the lists anew with `callosum docs`.
@Suite struct ClaimResultTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private func lists() throws -> GeneratedLists {
    try GeneratedLists(Catalogue.all.claims, ResultsFolder(Self.root + "/Results"))
  }

  /// A claim without a result, a result without a claim, or one that other conditions have judged.
  @Test func resultsAndClaimsFit() throws {
    #expect(try lists().problems == [])
  }

  @Test func listsAreMadeFromTheResults() throws {
    #expect(try lists().stalePages(in: Self.root).map(\.path) == [])
    for (page, list) in [
      ("README.md", "claims"), ("docs/claims.md", "claims"), ("docs/claims.md", "results"),
    ] {
      let text = try String(contentsOfFile: "\(Self.root)/\(page)", encoding: .utf8)
      #expect(text.contains("\n<!-- callosum: \(list) -->\n"), "\(page)")
    }
  }

  /// Everything that a verdict rests on: every arm from every seed.
  @Test(arguments: Catalogue.all.claims.map(\.id)) func resultsAreWhole(_ id: String) throws {
    let claim = try Catalogue.all.claim(id)
    let result = try #require(try ResultsFolder(Self.root + "/Results").result(of: id))
    #expect(!result.runs.isEmpty && result.runs.keys.allSatisfy { ClaimBudget(rawValue: $0) != nil })
    for run in result.runs.values {
      #expect(run.seeds == run.seeds.indices.map { UInt64($0 + 1) } && run.seeds.count >= Looks.fewest)
      #expect(Verdict(rawValue: run.verdict) != nil)
      for arm in run.arms {
        #expect(arm.runs.map(\.seed) == Array(run.seeds.prefix(arm.runs.count)))
        #expect(arm.runs.count >= Looks.fewest)
        for one in arm.runs { try claim.validate(one.metrics, of: arm.id) }
      }
    }
  }
}
