import CallosumTestSupport
import Foundation
import Testing

@Suite(.serialized) struct RunsTests {
  private func run(_ arguments: String, in folder: String) throws -> Outcome {
    try Program.run(arguments.split(separator: " ").map(String.init), in: folder)
  }

  /// Compares once; every command shows what was kept.
  @Test func showsWhatWasRun() throws {
    try withDataSet { folder in
      let compared = try Program.run(tiny, in: folder)
      #expect(compared.output.hasSuffix("Kept as run 1; see 'callosum runs show 1'\n"))
      let table = compared.output.components(separatedBy: "\n\n")[0]

      let list = try run("runs list --json", in: folder).json as? [[String: Any]]
      #expect(list?.count == 1 && list?[0]["status"] as? String == "complete")
      let all = try run("runs list --all --json --limit 3", in: folder).json as? [[String: Any]]
      #expect(all?.map { $0["id"] as? Int } == [3, 4, 5])
      #expect(try run("runs list", in: folder).output.contains("4 parts complete"))
      #expect(try run("runs list --status failed", in: folder).output.hasPrefix("No such runs in "))

      // The table and the report again, without training.
      let report = try String(contentsOfFile: folder + "/comparison.html", encoding: .utf8)
      let shown = try run("runs show 1 --report again.html", in: folder)
      #expect(shown.code == 0 && shown.output.contains(table))
      #expect(try String(contentsOfFile: folder + "/again.html", encoding: .utf8) == report)
      let part = try run("runs show 2 --json", in: folder).json as? [String: Any]
      #expect(part?["arm"] as? String == "average-pooling" && part?["parent"] as? Int == 1)
      #expect((part?["points"] as? [Any])?.count == 6)
      #expect((part?["results"] as? [String: Any])?["accuracy"] is Double)

      let side = try run("runs compare 1 2", in: folder)
      #expect(side.code == 0 && side.output.split(separator: "\n").count == 2 + 3)
      let rows = try run("runs compare 1 --json", in: folder).json as? [String: Any]
      #expect((rows?["rows"] as? [Any])?.count == 2)

      let csv = try run("runs export 1", in: folder).output.split(separator: "\n")
      #expect(csv.count == 1 + 4 * (6 + 3))
      #expect(try run("runs export --to all.csv", in: folder).output.isEmpty)
      let written = try String(contentsOfFile: folder + "/all.csv", encoding: .utf8)
      #expect(written.split(separator: "\n").count == csv.count)
      #expect((try run("runs export 1 --json", in: folder).json as? [Any])?.count == 5)

      let missing = try run("runs delete 1 77", in: folder)
      #expect(missing.code == 1 && missing.errors.hasPrefix("callosum: there is no run 77 in "))
      #expect(try run("runs delete 1", in: folder).output == "Deleted 1.\n")
      #expect((try run("runs list --all --json", in: folder).json as? [Any])?.isEmpty == true)
    }
  }

  /// Killed without warning and resumed, a comparison comes to the figures of one that was not.
  @Test(arguments: [SIGKILL, SIGINT]) func resumes(_ signal: Int32) throws {
    let long = tiny + ["--steps", "1500", "--json"]
    func figures(_ outcome: Outcome) -> [Double?] {
      let arms = (outcome.json as? [String: Any])?["arms"] as? [[String: Any]] ?? []
      return arms.flatMap { $0["runs"] as? [[String: Any]] ?? [] }.flatMap { run in
        [run["testScore"] as? Double]
          + (run["curve"] as? [[String: Any]] ?? []).map { $0["trainingLoss"] as? Double }
      }
    }
    try withDataSet { folder in
      let stopped = try Program.run(
        long, in: folder,
        whileRunning: {
          Thread.sleep(forTimeInterval: 0.4)
          kill($0, signal)
        })
      #expect(stopped.code == (signal == SIGKILL ? SIGKILL : 130))
      let listed = try run("runs list --json", in: folder).json as? [[String: Any]]
      #expect(listed?.map { $0["status"] as? String } == ["interrupted"])
      let resumed = try run("compare --resume 1 --json", in: folder)
      #expect(resumed.code == 0, "\(resumed.errors)")
      let whole = try Program.run(long, in: folder)
      #expect(figures(resumed).count == 4 * 11 && figures(resumed) == figures(whole))
      let again = try run("compare --resume 1", in: folder)
      #expect(again.code == 1)
      #expect(again.errors == "callosum: run 1 is complete; there is nothing to resume\n")
    }
  }

  @Test func storesThatCannotBeUsed() throws {
    try withDataSet { folder in
      let nowhere = try run("compare --store /no/where --steps 100000", in: folder)
      #expect(nowhere.code == 1)
      #expect(
        nowhere.errors
          == "callosum: the store /no/where cannot be opened: no permission, or its folder does not exist;"
          + " choose another with --store\n")
      try String(repeating: "text\n", count: 500).write(
        toFile: folder + "/text", atomically: true, encoding: .utf8)
      let text = try run("runs list --store text", in: folder)
      #expect(text.code == 1 && text.complainsInOneLine && text.errors.contains("is not a store"))
    }
  }
}
