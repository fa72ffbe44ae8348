import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumTestSupport
import Foundation
import Testing

@Suite struct StoreTests {
  private static let machine = SampleComparison.make().machine

  private func record(_ subject: String = "task", seed: UInt64? = nil) -> RunRecord {
    RunRecord(
      kind: .comparison, subject: subject, seed: seed, budget: "10 steps",
      configuration: .object(["width": .integer(8), "rate": .number(0.1)]), machine: Self.machine,
      command: "callosum compare")
  }

  @Test func keepsWhatItIsGiven() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      let whole = try RunStore(path: path).begin(record())
      let part = try whole.begin(arm: "attention", seed: .max)
      try part.note("loss", 2.5, step: 1, seconds: 0.5)
      try part.note([
        RunPoint(step: 2, metric: "loss", value: .nan),
        RunPoint(step: 1, seconds: 0.75, metric: "loss", value: 2.25),
        RunPoint(step: 3, metric: "accuracy", value: -.infinity),
      ])
      try part.record(RunSizes(parameters: 1000, multiplyAccumulates: 5000))
      try part.attach(Attachment(name: "wiring", mediaType: "image/svg+xml", text: "<svg/>"))
      try part.attach(Attachment(name: "wiring", mediaType: "image/svg+xml", text: "<svg>2</svg>"))
      try part.finish(["accuracy": 0.75, "other": .nan])
      try whole.end(.interrupted, message: "by hand")

      // Another door to the same file.
      let store = try #require(try RunStore.existing(path: path))
      let runs = try store.runs()
      #expect(runs.map(\.id) == [whole.id, part.id])
      #expect(runs.map(\.status) == [.interrupted, .complete])
      #expect(runs[0].message == "by hand" && runs[0].parent == nil && runs[0].arm == nil)
      #expect(runs[1].parent == whole.id && runs[1].arm == "attention" && runs[1].seed == .max)
      #expect(runs[1].configuration == record().configuration && runs[1].machine == Self.machine)
      #expect(runs[1].codeVersion == "0.1.0" && runs[1].command == "callosum compare")
      #expect(runs.allSatisfy { ($0.finished ?? .distantPast) >= $0.started })
      let points = try store.points(of: part.id)
      #expect(points.map(\.metric) == ["accuracy", "loss", "loss"] && points.map(\.step) == [3, 1, 2])
      #expect(points[0].value == -.infinity && points[1].value == 2.25 && points[2].value.isNaN)
      #expect(points.map(\.seconds) == [nil, 0.75, nil])
      #expect(try store.points(of: part.id, metric: "accuracy").count == 1)
      let results = try store.results(of: part.id)
      #expect(results.count == 2 && results["accuracy"] == 0.75 && results["other"]?.isNaN == true)
      #expect(try store.sizes(of: part.id) == RunSizes(parameters: 1000, multiplyAccumulates: 5000))
      #expect(try store.sizes(of: whole.id) == nil)
      #expect(try store.attachments(of: part.id).map(\.text) == ["<svg>2</svg>"])
    }
  }

  @Test func findsByWhatIsAsked() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let a = try store.begin(record("a")), b = try store.begin(record("b"))
      let part = try a.begin(arm: "x", seed: 1)
      try b.finish()
      #expect(try store.runs(RunFilter(.top)).map(\.id) == [a.id, b.id])
      #expect(try store.runs(RunFilter(.partOf(a.id))).map(\.id) == [part.id])
      #expect(try store.runs(RunFilter(subject: "a")).map(\.id) == [a.id, part.id])
      #expect(try store.runs(RunFilter(status: .complete)).map(\.id) == [b.id])
      #expect(try store.runs(RunFilter(kind: .claim)).isEmpty)
      #expect(try store.runs(RunFilter(budget: "10 steps", codeVersion: "0.1.0")).count == 3)
    }
  }

  @Test func verdictsAndPicturesOfSubjects() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let run = try store.begin(record())
      let details = JSONValue.object(["g": .number(0.25)])
      try store.record(
        VerdictRecord(claim: "delta", budget: "quick", verdict: .holds, run: run.id, details: details))
      try store.record(VerdictRecord(claim: "other", budget: "full", verdict: .contradicted))
      let verdicts = try store.verdicts(claim: "delta")
      #expect(verdicts.count == 1 && verdicts[0].verdict == .holds && verdicts[0].details == details)
      #expect(verdicts[0].run == run.id)
      #expect(try store.verdicts().map(\.claim) == ["delta", "other"])
      for text in ["1", "2"] {
        try store.attach(Attachment(name: "picture", mediaType: "text/plain", text: text), to: "delta")
      }
      #expect(try store.attachments(ofSubject: "delta").map(\.text) == ["2"])
      #expect(throws: InvalidInput.self) { try store.delete([run.id]) }
      // A verdict outlives its runs.
      try run.finish()
      try store.delete([run.id])
      #expect(try store.verdicts(claim: "delta").map(\.run) == [nil])
    }
  }

  @Test func deletesWithAllThatBelongs() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let whole = try store.begin(record())
      let part = try whole.begin(arm: "x", seed: 1)
      try part.note("loss", 1, step: 1)
      try part.finish(["loss": 1])
      try whole.finish()
      #expect(throws: InvalidInput.self) { try store.delete([whole.id, 99]) }
      #expect(try store.runs().count == 2)
      try store.delete([whole.id])
      #expect(try store.runs().isEmpty && store.points(of: part.id).isEmpty)
      #expect(try store.results(of: part.id).isEmpty)
    }
  }

  @Test func aWriterThatGoesAwayLeavesItsRunInterrupted() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      var writer: RunWriter? = try store.begin(record())
      try writer?.note("loss", 1, step: 1)
      let id = try #require(writer?.id)
      #expect(try store.run(id).status == .running)
      writer = nil
      #expect(try store.run(id).status == .interrupted)
      #expect(try store.points(of: id).count == 1)
      let again = try store.resume(id)
      #expect(try store.run(id).status == .running)
      #expect(throws: InvalidInput.self) { try RunStore(path: store.path).resume(id) }
      try again.finish()
      #expect(throws: InvalidInput.self) { try store.resume(id) }
    }
  }

  /// Points reach the file without anybody asking, and within a second or two.
  @Test func pointsAreWrittenOnTheWay() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("callosum-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = try RunStore(path: folder + "/runs.sqlite")
    let writer = try store.begin(record())
    try writer.note("loss", 1, step: 1)
    #expect(try store.points(of: writer.id).isEmpty)
    try await Task.sleep(for: .seconds(2))
    #expect(try store.points(of: writer.id).count == 1)
  }

  // MARK: What cannot be used

  @Test func refusesWhatIsNoStoreOfOurs() throws {
    try inTemporaryFolder { folder in
      func complaint(_ path: String) -> String? {
        do { _ = try RunStore(path: path) } catch { return "\(error)".replacing(folder, with: "F") }
        return nil
      }
      let path = folder + "/runs.sqlite"
      _ = try RunStore(path: path)
      // The fields of SQLite's header, 100 bytes at the beginning of the file: user version, application.
      try overwrite(path, at: 60, [0, 0, 0, 99])
      #expect(
        complaint(path) == "the store F/runs.sqlite was made by a newer version of Callosum (it has format"
          + " 99, this one knows 1); update Callosum, or choose another place with --store")
      let foreign = folder + "/foreign.sqlite"
      _ = try RunStore(path: foreign)
      try overwrite(foreign, at: 68, [0, 0, 0, 7])
      #expect(complaint(foreign)?.contains("is a database of another program") == true)
      let text = folder + "/notes.txt"
      try String(repeating: "no database at all\n", count: 100).write(
        toFile: text, atomically: true, encoding: .utf8)
      #expect(complaint(text)?.contains("is not a store") == true)
      #expect(complaint(folder + "/no/where.sqlite")?.contains("its folder does not exist") == true)
      #expect(try RunStore.existing(path: folder + "/none.sqlite") == nil)
    }
  }

  /// A store behind a symbolic link is the one that it leads to: its checkpoints lie beside the file.
  @Test func keepsCheckpointsBesideTheFileItself() throws {
    try inTemporaryFolder { folder in
      for name in ["real", "links"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: false)
      }
      symlink("../real/runs.sqlite", folder + "/links/here")
      let store = try RunStore(path: folder + "/links/here")
      let run = try store.begin(record())
      try Data([1]).write(to: URL(fileURLWithPath: store.checkpointPath(of: run.id)))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder + "/real/runs.sqlite.checkpoints")
          == ["\(run.id).safetensors"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/links") == ["here"])
      try run.finish()
      try RunStore(path: folder + "/real/runs.sqlite").delete([run.id])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder + "/real/runs.sqlite.checkpoints").isEmpty)
    }
  }

  /// Somebody who reads waits for nobody who writes, nor does somebody who begins.
  @Test func readingWaitsForNobody() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      let writer = try RunStore(path: path)
      try writer.begin(record()).finish()
      try writer.execute("UPDATE runs SET subject = 'another'") {
        let clock = ContinuousClock()
        let time = try clock.measure {
          let subjects = try RunStore.existing(path: path)?.runs().map(\.subject)
          let count = try RunStore(path: path).runs().count
          #expect(subjects == ["task"] && count == 1)
        }
        // The patience with others who write is 30 seconds.
        #expect(time < .seconds(15))
      }
    }
  }

  @Test func livesInTheUsersDataFolder() {
    #expect(RunStore.defaultPath(["HOME": "/h"]) == "/h/.local/share/callosum/runs.sqlite")
    #expect(RunStore.defaultPath(["HOME": "/h", "XDG_DATA_HOME": "/x"]) == "/x/callosum/runs.sqlite")
    #expect(
      RunStore.defaultPath(["HOME": "/h", "XDG_DATA_HOME": "x"]) == "/h/.local/share/callosum/runs.sqlite")
    #expect(RunStore.defaultPath(["CALLOSUM_STORE": "s", "HOME": "/h"]) == "s")
  }
}

private func overwrite(_ path: String, at offset: Int, _ bytes: [UInt8]) throws {
  let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
  try file.seek(toOffset: UInt64(offset))
  try file.write(contentsOf: Data(bytes))
  try file.close()
}
