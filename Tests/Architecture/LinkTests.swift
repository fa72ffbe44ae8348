import Foundation
import Testing

/// What the guides lead to is there.
@Suite struct LinkTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Without the list of claims, which is not written by hand.
  private static let pages: [String] =
    ["README.md", "CONTRIBUTING.md", "Tests/Fixtures/README.md"]
    + ((try? FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("docs").path)) ?? [])
    .filter { $0.hasSuffix(".md") && $0 != "claims.md" }.map { "docs/\($0)" }.sorted()

  @Test(arguments: pages) func linksLeadSomewhere(_ page: String) throws {
    let file = Self.root.appendingPathComponent(page)
    let text = try String(contentsOf: file, encoding: .utf8)
    for link in text.matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/) {
      let target = file.deletingLastPathComponent().appendingPathComponent(String(link.output.1))
      #expect(
        FileManager.default.fileExists(atPath: target.standardizedFileURL.path), "\(page): \(link.output.1)")
    }
  }

  /// Paths in code spans that begin with a folder of the package; the system that add-a-system.md makes up is
  /// not there.
  @Test(arguments: pages) func pathsAreThere(_ page: String) throws {
    let text = try String(contentsOf: Self.root.appendingPathComponent(page), encoding: .utf8)
    let path = /`((?:Sources|Tests|Benchmarks|Scripts|Examples|docs)\/[A-Za-z0-9_\/.-]+)[` ]/
    for span in text.matches(of: path) where !span.output.1.contains(/(?i)echo_?state/) {
      let target = Self.root.appendingPathComponent(String(span.output.1))
      #expect(FileManager.default.fileExists(atPath: target.path), "\(page): \(span.output.1)")
    }
  }
}
