import Foundation
import Testing

/// Scripts/new-system in a house of its own, that has nothing but the lists of the families.
@Suite struct NewSystemTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let families = [
    "Mixers", "Neurons", "Learning", "Memory", "Fields", "Modularity", "Recordings", "Insight",
  ]

  /// What a program did, with standard output and errors together.
  private static func run(_ program: String, _ arguments: [String], in folder: URL) throws -> (
    code: Int32, text: String
  ) {
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    (process.arguments, process.currentDirectoryURL) = (arguments, folder)
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  private func withHouse(_ body: (URL) throws -> Void) throws {
    let files = FileManager.default
    let house = files.temporaryDirectory.appendingPathComponent("house-\(UUID().uuidString)")
    defer { try? files.removeItem(at: house) }
    for path in ["Scripts/new-system", ".swift-format"] + Self.families.map({ "Sources/\($0)/\($0).swift" }) {
      let copy = house.appendingPathComponent(path)
      try files.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
      try files.copyItem(at: Self.root.appendingPathComponent(path), to: copy)
    }
    try body(house)
  }

  private func newSystem(_ arguments: String, in house: URL) throws -> (code: Int32, text: String) {
    try Self.run(
      house.appendingPathComponent("Scripts/new-system").path,
      arguments.split(separator: " ").map(String.init),
      in: house)
  }

  /// Part and claim of every family build against the rooms of this build, without warnings.
  @Test(arguments: families) func whatItWritesBuilds(_ family: String) throws {
    let products = try #require(Self.products(), "the tests do not lie beside what was built")
    try withHouse { house in
      let written = try newSystem("\(family.lowercased()) trial-system", in: house)
      #expect(written.code == 0, "\(written.text)")
      let format = try Self.run(
        "/usr/bin/env",
        ["swift", "format", "lint", "--strict", "--recursive", "Sources", "Tests", "Benchmarks"],
        in: house)
      #expect(format.code == 0, "\(format.text)")
      let folder = "Sources/\(family)/TrialSystem/TrialSystem"
      let sources = Self.root.appendingPathComponent("Sources")
      let maps =
        [products.appendingPathComponent("CallosumKernels.build/module.modulemap").path]
        + (try FileManager.default.contentsOfDirectory(atPath: sources.path))
        .map { sources.appendingPathComponent("\($0)/module.modulemap").path }
        .filter { FileManager.default.fileExists(atPath: $0) }
      let build = try Self.run(
        "/usr/bin/env",
        [
          "swiftc", "-typecheck", "-swift-version", "6", "-warnings-as-errors",
          "-module-name", "Trial", "-I", products.appendingPathComponent("Modules").path,
        ] + maps.flatMap { ["-Xcc", "-fmodule-map-file=\($0)"] } + [
          "\(folder).swift", "\(folder)Claim.swift",
        ],
        in: house)
      #expect(build.code == 0, "\(build.text)")
    }
  }

  /// The line stands in its alphabetical place, first, between others and last.
  @Test(arguments: [("aa-system", "AaSystem"), ("metaformal", "Metaformal"), ("zz-system", "ZzSystem")])
  func theListStaysInOrder(_ id: String, _ type: String) throws {
    try withHouse { house in
      #expect(try newSystem("mixers \(id)", in: house).code == 0)
      let list = try String(
        contentsOf: house.appendingPathComponent("Sources/Mixers/Mixers.swift"), encoding: .utf8)
      let types = list.matches(of: /Part\((\w+)\.self/).map { String($0.output.1) }
      #expect(types.contains(type))
      #expect(types == types.sorted())
    }
  }

  @Test(arguments: [
    ("mixers", "needs a family and an id"), ("mixer echo-state", "no family 'mixer'; there are mixers,"),
    ("mixers Echo", "an id is small letters"), ("mixers a--b", "an id is small letters"),
    ("mixers echo-state --type Echo", "the type must be 'echo-state' without its dashes"),
    ("mixers twice", "there is a part 'twice' already"),
    ("mixers echo-state --kind x", "unknown option --kind"),
  ]) func refusesInOneLine(_ arguments: String, _ line: String) throws {
    try withHouse { house in
      _ = try newSystem("mixers twice", in: house)
      let refused = try newSystem(arguments, in: house)
      #expect(refused.code == 2)
      #expect(refused.text.contains(line), "\(refused.text)")
      #expect(refused.text.split(separator: "\n").count == 1, "\(refused.text)")
    }
  }

  /// The folder of what this build made, in which the bundle of the tests lies.
  private static func products() -> URL? {
    for argument in CommandLine.arguments + [Bundle.main.executablePath ?? ""] {
      var url = URL(fileURLWithPath: argument)
      while url.path != "/" {
        let isBundle = url.pathExtension == "xctest"
        url.deleteLastPathComponent()
        if isBundle, FileManager.default.fileExists(atPath: url.appendingPathComponent("Modules").path) {
          return url
        }
      }
    }
    return nil
  }
}
