import Callosum
import Foundation
import Testing

/// `docs/claims.md` is made from a store and the table in the README is written by hand; neither may leave a
/// claim out, and they may not differ.
@Suite struct ClaimListTests {
  private static func page(_ name: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
  }

  /// The verdicts by claim, from rows such as "| `delta-net` | … | **holds** … |": of the quick budget, then
  /// of the full one where there is one.
  private static func verdicts(in page: String) throws -> [String: [String]] {
    let id = try Regex(#"^\| `([a-z0-9-]+)` \|"#)
    let verdict = try Regex(#"\*\*(holds|inconclusive|contradicted)\*\*"#)
    return page.split(separator: "\n").reduce(into: [:]) { verdicts, row in
      guard let name = row.firstMatch(of: id)?.output[1].substring else { return }
      let found = row.matches(of: verdict).map { String($0.output[1].substring ?? "") }
      verdicts[String(name), default: []] += found
    }
  }

  @Test func theListsNameEveryClaimAndAgree() throws {
    let list = try Self.verdicts(in: Self.page("docs/claims.md"))
    #expect(Set(list.keys) == Set(Catalogue.all.claims.map(\.id)))
    #expect(list.values.allSatisfy { (1...2).contains($0.count) })
    #expect(try Self.verdicts(in: Self.page("README.md")) == list)
  }
}
