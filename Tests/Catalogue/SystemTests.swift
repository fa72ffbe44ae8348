import Callosum
import CallosumTestSupport
import Foundation
import Testing

/// A published system: a folder Sources/<Family>/<System> with a claim.
struct System: Sendable, CustomStringConvertible {
  let name: String
  let family: String

  var description: String { "\(family)/\(name)" }

  private static let root = Golden.folder.appendingPathComponent("../..").standardizedFileURL

  static let all: [System] = Family.allCases.map(\.rawValue.capitalized).flatMap { family in
    Self.files(in: "Sources/\(family)").filter { $0.contains("/") && $0.hasSuffix("Claim.swift") }.map {
      System(name: String($0.split(separator: "/")[0]), family: family)
    }
  }

  /// The files of a folder, by their paths in it.
  private static func files(in folder: String) -> [String] {
    ((try? FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)) ?? [])
      .sorted()
  }

  private static func text(_ file: String) -> String? {
    try? String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
  }

  /// What is still to do before it is whole, a line each.
  var missing: [String] {
    let (sources, tests) = ("Sources/\(family)/\(name)", "Tests/Systems/\(family)/\(name)")
    guard let part = Catalogue.all.parts.first(where: { id($0) == name.lowercased() }) else {
      return ["\(name) is not listed in Sources/\(family)/\(family).swift"]
    }
    let pair = [
      "Benchmarks/Sources/bench/Systems/\(name).swift",
      "Benchmarks/systems/\(part.card.id.replacing("-", with: "_")).py",
    ]
    let needed = ["\(sources)/\(name).swift", "\(sources)/\(name)Claim.swift", "\(tests)/\(name)Tests.swift"]
    var lines = (needed + pair).filter { Self.text($0) == nil }.map { "\($0) is missing" }
    let there = Self.files(in: tests)
    if there.contains("golden.py"), !there.contains("golden.safetensors") {
      lines.append("\(tests)/golden.safetensors is missing: python3 \(tests)/golden.py")
    }
    for file in Self.files(in: sources).map({ "\(sources)/\($0)" }) + there.map({ "\(tests)/\($0)" }) + pair
    where !file.hasSuffix(".safetensors") {
      for (number, line) in (Self.text(file) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        .enumerated()
      {
        guard let mark = line.range(of: "TODO: ") else { continue }
        let rest = line[mark.upperBound...].prefix { $0 != "\"" }
        lines.append("\(file):\(number + 1): \(rest)")
      }
    }
    if part.claim == nil {
      lines.append("the claim of \(part.card.id) is not in Sources/\(family)/\(family).swift")
    }
    return lines
  }

  private func id(_ part: Part) -> String { part.card.id.replacing("-", with: "") }
}

@Suite struct SystemTests {
  /// Part, claim, tests with the script's numbers, and a pair of workloads are there, and nothing in them is
  /// marked as still to do: for a system that Scripts/new-system has begun, the list of what is left.
  @Test(arguments: System.all) func isWhole(_ system: System) {
    let missing = system.missing
    if !missing.isEmpty {
      Issue.record("\(system) is not finished:\n\(missing.joined(separator: "\n"))")
    }
  }

  @Test func thereAreSystems() { #expect(System.all.count >= 15) }
}
