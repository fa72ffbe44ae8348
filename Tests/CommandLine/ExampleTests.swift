import CallosumTestSupport
import Foundation
import Testing

/// What stands in Examples/ runs: a few steps of each, on a small data set.
@Suite struct ExampleTests {
  private static let folder = Golden.folder.appendingPathComponent("../../Examples").standardizedFileURL

  /// The names in Examples/ that `isWanted` takes.
  private static func names(_ isWanted: (URL) -> Bool) -> [String] {
    let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (files ?? []).filter(isWanted).map(\.lastPathComponent).sorted()
  }

  @Test(arguments: names { FileManager.default.fileExists(atPath: $0.path + "/main.swift") })
  func theProgramsRun(_ name: String) throws {
    try withDataSet { folder in
      let outcome = try Program.run(["3"], of: name, in: folder)
      #expect(outcome.code == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("accuracy "))
      #expect(!outcome.output.contains("nan"))
    }
  }

  @Test(arguments: names { $0.pathExtension == "yaml" }) func theBrainsTrain(_ name: String) throws {
    try withDataSet { folder in
      let brain = Self.folder.appendingPathComponent(name).path
      let outcome = try Program.run(
        ["train", brain, "--steps", "3", "--batch", "8", "--json", "--quiet", "--output", "weights"],
        in: folder)
      #expect(outcome.code == 0, "\(outcome.errors)")
      let json = try #require(outcome.json as? [String: Any])
      #expect(json["isComplete"] as? Bool == true)
      #expect(FileManager.default.fileExists(atPath: folder + "/weights"))
    }
  }

  @Test func thereAreExamples() {
    #expect(Self.names { $0.pathExtension == "yaml" }.count >= 4)
    #expect(Self.names { FileManager.default.fileExists(atPath: $0.path + "/main.swift") }.count >= 2)
  }
}
