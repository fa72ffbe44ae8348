import CallosumTestSupport
import Foundation
import Testing

/// A comparison of a moment.
let tiny = [
  "compare", "--parts", "average-pooling,spatial-mlp", "--steps", "3", "--seeds", "2", "--batch", "8",
  "--width", "8", "--depth", "1", "--patch", "14",
]

@Suite(.serialized) struct CommandTests {
  @Test func comparesAndReports() throws {
    try withDataSet { folder in
      let outcome = try Program.run(tiny, in: folder)
      #expect(outcome.code == 0)
      #expect(outcome.errors == "")
      for text in ["Average pooling", "Spatial MLP", "95 % interval", "\nReport: comparison.html\n"] {
        #expect(outcome.output.contains(text), "\(text)")
      }
      let report = try String(contentsOfFile: folder + "/comparison.html", encoding: .utf8)
      #expect(report.hasPrefix("<!DOCTYPE html>") && report.contains("</html>"))
      #expect(report.contains("average-pooling,spatial-mlp"))
      #expect(try left(in: folder) == ["comparison.html"])
    }
  }

  @Test func comparesInJSON() throws {
    try withDataSet { folder in
      let outcome = try Program.run(tiny + ["--json", "--report", folder + "/r.html"], in: folder)
      #expect(outcome.code == 0)
      let json = outcome.json as? [String: Any]
      let arms = json?["arms"] as? [[String: Any]] ?? []
      #expect(arms.map { $0["partID"] as? String } == ["average-pooling", "spatial-mlp"])
      #expect(arms.allSatisfy { ($0["runs"] as? [Any])?.count == 2 })
      #expect(json?["wasInterrupted"] as? Bool == false)
      let skeletons = (json?["configuration"] as? [String: Any])?["skeletons"] as? [String: Any]
      let network = skeletons?["backbone"] as? [String: Any]
      #expect(network?["width"] as? Int == 8 && network?["mlpRatio"] as? Int == 4)
      #expect(try left(in: folder) == ["r.html"])
    }
  }

  /// The same command gives the same losses and accuracies.
  @Test func repeatsItself() throws {
    try withDataSet { folder in
      let curves = try (0..<2).map { _ in
        let json = try Program.run(tiny + ["--json"], in: folder).json as? [String: Any]
        let runs = (json?["arms"] as? [[String: Any]] ?? []).flatMap { $0["runs"] as? [[String: Any]] ?? [] }
        return runs.flatMap { $0["curve"] as? [[String: Any]] ?? [] }
          .map { [$0["trainingLoss"] as? Double, $0["validationScore"] as? Double] }
      }
      #expect(curves[0].count == 4 * 3)
      #expect(curves[0] == curves[1])
    }
  }

  @Test(arguments: [
    "list --json", "list --family mixers --json", "describe softmax-attention --json",
    "list --bibliography --json",
    "describe spatial-mlp --grid 3x5 --width 7 --config {\"hidden\":3} --json", "data list --json",
    "doctor --json", "runs list --json",
  ]) func printsOneJSONDocument(_ arguments: String) throws {
    try withDataSet { folder in
      let outcome = try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
      #expect(outcome.code == 0 && outcome.errors == "")
      #expect(outcome.json is [Any] || outcome.json is [String: Any], "\(outcome.output)")
    }
  }

  /// Every part of the catalogue is described, each setting with what it means, and a paper.
  @Test func describesEveryPart() throws {
    try withDataSet { folder in
      let list = try Program.run(["list", "--json"], in: folder).json as? [[String: Any]] ?? []
      #expect(list.count > 30)
      for id in list.compactMap({ $0["id"] as? String }) {
        let outcome = try Program.run(["describe", id, "--json"], in: folder)
        #expect(outcome.code == 0 && outcome.errors == "", "\(id): \(outcome.errors)")
        let json = outcome.json as? [String: Any]
        for setting in json?["settings"] as? [[String: Any]] ?? [] {
          #expect(setting["path"] is String && setting["meaning"] is String, "\(id): \(setting)")
        }
        let card = json?["card"] as? [String: Any]
        #expect((card?["authors"] as? [String])?.isEmpty == false && card?["year"] is Int, "\(id)")
      }
    }
  }

  @Test func describesSettings() throws {
    try withDataSet { folder in
      let outcome = try Program.run(["describe", "delta-net"], in: folder)
      for line in ["Songlin Yang, Bailin Wang", "https://arxiv.org/abs/2406.06484"] {
        #expect(outcome.output.contains(line))
      }
      let heads = outcome.output.split(separator: "\n").first { $0.hasPrefix("streams.heads ") }
      #expect(heads?.contains("4") == true && heads?.contains("Heads, each with a state of its own.") == true)
    }
  }

  @Test func printsABibliography() throws {
    try withDataSet { folder in
      let outcome = try Program.run(["list", "--bibliography"], in: folder)
      #expect(outcome.code == 0)
      #expect(
        outcome.output.contains(
          """
          @misc{vaswani2017attention,
            title = {{Attention Is All You Need}},
            author = {Ashish Vaswani and Noam Shazeer and Niki Parmar and Jakob Uszkoreit and Llion Jones and \
          Aidan N. Gomez and Łukasz Kaiser and Illia Polosukhin},
            year = {2017},
            url = {https://arxiv.org/abs/1706.03762}
          }
          """))
      #expect(outcome.output.matches(of: /Fast Weight Programmers/).count == 1)
      #expect(outcome.output.matches(of: /MetaFormer Is Actually/).count == 1)
    }
  }

  @Test(arguments: [
    "", "--help", "compare --help", "--version", "list", "describe average-pooling", "doctor", "runs",
    "runs --help", "runs list",
  ])
  func printsText(_ arguments: String) throws {
    try withDataSet { folder in
      let outcome = try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
      #expect(outcome.code == 0 && outcome.errors == "" && outcome.output.count > 4)
    }
  }

  private func left(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { !$0.hasSuffix("ubyte") && !$0.hasPrefix(".") }.sorted()
  }

  // MARK: Ctrl-C

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func aSignalEndsInGoodOrder(_ signal: Int32, _ code: Int32) throws {
    try withDataSet { folder in
      let outcome = try Program.run(
        tiny + ["--seeds", "3000", "--json"], in: folder,
        whileRunning: {
          Thread.sleep(forTimeInterval: 0.5)
          kill($0, signal)
        })
      #expect(outcome.code == code && !outcome.wasKilled)
      #expect(
        outcome.errors == "Interrupted: the figures are of the runs that were complete;"
          + " 'callosum compare --resume 1' goes on.\n")
      let json = outcome.json as? [String: Any]
      #expect(json?["wasInterrupted"] as? Bool == true)
      let runs = (json?["arms"] as? [[String: Any]] ?? []).flatMap { $0["runs"] as? [[String: Any]] ?? [] }
      #expect(runs.count { $0["testScore"] is Double } > 1 && runs.count < 6000)
      #expect(try left(in: folder) == ["comparison.html"])
      let report = try String(contentsOfFile: folder + "/comparison.html", encoding: .utf8)
      #expect(report.contains("</html>"))
    }
  }

  /// Nothing complete is a result too.
  @Test func aSignalInTheFirstRun() throws {
    try withDataSet { folder in
      let outcome = try Program.run(
        tiny + ["--steps", "10000000"], in: folder,
        whileRunning: {
          Thread.sleep(forTimeInterval: 0.1)
          kill($0, SIGINT)
        })
      #expect(outcome.code == 130 && !outcome.wasKilled)
      #expect(outcome.output.contains("Average pooling"))
      #expect(outcome.output.contains("Report: comparison.html"))
      #expect(try left(in: folder) == ["comparison.html"])
    }
  }
}
