import Foundation
import Testing

/// The house as the manifest describes it, held against what stands in it.
@Suite struct HouseTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// A target of the manifest, as SwiftPM reads it.
  private struct Target: Decodable {
    struct Dependency: Decodable {
      let byName: [String?]?
      let product: [Value?]?

      /// SwiftPM writes names beside nulls and conditions.
      enum Value: Decodable {
        case name(String)
        case other
        init(from decoder: any Decoder) throws {
          let name = try? decoder.singleValueContainer().decode(String.self)
          self = name.map(Value.name) ?? .other
        }
      }

      var name: String? {
        if let name = byName?.first ?? nil { return name }
        if case .name(let name)? = product?.first ?? nil { return name }
        return nil
      }
    }
    let name: String
    let path: String?
    let type: String
    let dependencies: [Dependency]
  }

  private struct Manifest: Decodable { let targets: [Target] }

  private static func manifest() throws -> [Target] {
    // In a place of its own: whoever runs this test may hold the package's build folder.
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("house-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: scratch) }
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "dump-package",
    ]
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try JSONDecoder().decode(Manifest.self, from: data).targets
  }

  /// Modules of this package that the files of a folder import, and where.
  private static func imports(in folder: String) throws -> [(file: String, module: String)] {
    let base = root.appendingPathComponent(folder)
    let files =
      FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)?
      .compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" } ?? []
    return try files.flatMap { file in
      try String(contentsOf: file, encoding: .utf8)
        .matches(of: /(?m)^(?:@_exported |internal |package |public )*import (?:[a-z]+ )?(Callosum\w*)/)
        .map { (file.lastPathComponent, String($0.output.1)) }
    }
  }

  /// Rooms from the ground up; those of one line see none of their own line.
  private static let floors: [Set<String>] = [
    ["Kernels", "Zlib", "Crypto"], ["Tensors"], ["Analysis", "Networks"], ["Contracts"], ["Tasks"],
    ["Experiments"],
    ["Brains"],
    ["Mixers", "Neurons", "Learning", "Memory", "Fields", "Modularity", "Recordings", "Insight"],
    ["Lab"], ["CommandLineTool"],
  ]

  private static func floor(of module: String) -> Int? {
    floors.firstIndex { $0.contains(String(module.dropFirst("Callosum".count))) }
  }

  @Test func everyImportIsDeclared() throws {
    for target in try Self.manifest() where target.type != "system" {
      let declared = Set(target.dependencies.compactMap(\.name))
      for (file, module) in try Self.imports(in: try #require(target.path)) {
        #expect(declared.contains(module), "\(target.path ?? "") \(file) imports \(module), undeclared")
      }
    }
  }

  /// Rooms may see all that is below them; a test that sees what it does not use is built anew for nothing.
  @Test func testsSeeWhatTheyUse() throws {
    for target in try Self.manifest() {
      let path = try #require(target.path)
      guard path.hasPrefix("Tests"), !path.hasPrefix("Tests/Systems") else { continue }
      let used = Set(try Self.imports(in: path).map(\.module))
      let idle = target.dependencies.compactMap(\.name).filter {
        $0.hasPrefix("Callosum") && !used.contains($0)
      }
      #expect(idle.isEmpty, "\(target.name) does not import \(idle)")
    }
  }

  @Test func arrowsPointDown() throws {
    for target in try Self.manifest() {
      guard let own = Self.floor(of: target.name), target.path?.hasPrefix("Sources") ?? false else {
        continue
      }
      for name in target.dependencies.compactMap(\.name) where name.hasPrefix("Callosum") {
        let below = try #require(Self.floor(of: name), "\(name) stands on no floor")
        #expect(below < own, "\(target.name) sees \(name), which is not below it")
      }
    }
  }

  @Test func everyRoomStandsOnAFloor() throws {
    let rooms = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appendingPathComponent("Sources").path)
    let known = Self.floors.reduce(into: Set<String>()) { $0.formUnion($1) }
    #expect(Set(rooms) == known.union(["Callosum", "Program"]))
  }
}
