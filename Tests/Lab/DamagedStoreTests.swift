import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumMixers
import CallosumTestSupport
import Foundation
import Testing

/// Whatever stands in the tables of a store, it can be listed, shown, exported and reported: what makes no sense
/// is left out, and nothing ends the program.
@Suite struct DamagedStoreTests {
  private static let columns = [
    "runs": [
      "parent", "kind", "subject", "arm", "seed", "budget", "configuration", "codeVersion", "machine",
      "threads",
      "command", "started", "finished", "status", "message", "process",
    ],
    "points": ["metric", "step", "seconds", "value"], "results": ["metric", "value"],
    "sizes": ["parameters", "multiplyAccumulates"], "attachments": ["subject", "name", "mediaType", "text"],
    "verdicts": ["claim", "budget", "date", "verdict", "codeVersion", "run", "details"],
  ]

  /// Of every type of SQLite, and where numbers end.
  private static let values = [
    "NULL", "'text'", "x'00ff1b'", "'[1, 2]'", "-1", "1e300", "9.3e18", "9223372036854775807",
    "-9223372036854775808", "9e999",
  ]

  private static func comparison(in store: RunStore) throws -> Int64 {
    let catalogue = Catalogue(Catalogue.mixers, skeletons: [.backbone])
    var settings = ComparisonPlan.Settings()
    settings.skeletons["backbone"] = ["width": 8, "depth": 1, "patch": 2]
    (settings.training.steps, settings.training.batchSize, settings.training.evaluations) = (4, 10, 2)
    return try ComparisonPlan(
      task: Quarters(),
      arms: [
        ArmChoice(try catalogue.part("average-pooling")), ArmChoice(try catalogue.part("spatial-mlp")),
      ], settings: settings, seeds: 2, catalogue: catalogue
    ).run(in: store, command: "callosum compare").id
  }

  private static func fill(_ store: RunStore) throws {
    _ = try comparison(in: store)
    var record = RunRecord(kind: .training, subject: "file", configuration: ["task": "images"])
    record.arm = "A brain"
    let training = try store.begin(record)
    try training.attach(wiring: "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")
    for step in 1...3 { try training.note("loss", 1 / Double(step), step: step, seconds: 1) }
    try training.record(RunSizes(parameters: 12, multiplyAccumulates: 34))
    try training.finish(["accuracy": 0.5, "training seconds": 3])
    let claim = madeUpClaim(lead: 0.5)
    let kept = try StoredClaim(claim, budget: .quick, command: "callosum", resume: false, in: store)
    let report = try Reproduction(claim, budget: .quick).run(
      processes: 1, worker: { _, _ in [] }, onEvent: { try kept.record($0) }, isCancelled: { false })
    try kept.end(report)
  }

  /// Everything that is made of a store.
  private func read(_ path: String) throws {
    let store = try RunStore(path: path)
    #expect(try StoreReport(store).text.hasSuffix("</html>\n"))
    for run in try store.runs() {
      let document = try RunDocument(run, in: store)
      _ = try document.json().text()
      _ = document.csv
      if run.parent == nil { _ = try RunTable([run.id], in: store).text }
    }
  }

  @Test(arguments: columns.keys.sorted()) func anyValueAnywhere(_ table: String) throws {
    try inTemporaryFolder { folder in
      let whole = folder + "/whole.sqlite"
      try Self.fill(RunStore(path: whole))
      for column in Self.columns[table] ?? [] {
        for value in Self.values {
          let path = folder + "/damaged.sqlite"
          for end in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: path + end)
            try? FileManager.default.copyItem(atPath: whole + end, toPath: path + end)
          }
          // What the tables refuse cannot stand in them.
          do { try RunStore(path: path).execute("UPDATE OR IGNORE \(table) SET \(column) = \(value)") } catch
          {
            continue
          }
          try read(path)
        }
      }
    }
  }

  /// Texts that are JSON, with any value in any place.
  @Test func anyValueInDocuments() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      let store = try RunStore(path: path)
      try Self.fill(store)
      let comparison = try #require(
        try store.attachments(of: 1).first { $0.name == "comparison" })
      let document = try JSONValue(parsing: comparison.text)
      for changed in Self.variants(of: document) {
        let text = try changed.text().replacing("'", with: "''")
        try store.execute("UPDATE attachments SET text = '\(text)' WHERE name = 'comparison'")
        #expect(try StoreReport(store).text.hasSuffix("</html>\n"))
        // One that is damaged as a whole says so.
        do {
          let comparison = try Comparison(run: 1, in: store)
          _ = (Report(comparison).text, comparison.table.text, try comparison.json())
        } catch is InvalidInput {}
      }
      let details = try #require(try store.verdicts().first?.details)
      for changed in Self.variants(of: details) {
        let text = try changed.text().replacing("'", with: "''")
        try store.execute("UPDATE verdicts SET details = '\(text)'")
        #expect(try StoreReport(store).text.hasSuffix("</html>\n"))
      }
    }
  }

  /// The document with one number or list changed.
  private static func variants(of value: JSONValue) -> [JSONValue] {
    switch value {
    case .object(let table):
      return table.keys.sorted().flatMap { key in
        variants(of: table[key] ?? .null).map { .object(table.merging([key: $0]) { $1 }) }
      }
    case .array(let values):
      guard let first = values.first else { return [] }
      return [.array([])] + variants(of: first).map { .array([$0] + values.dropFirst()) }
    case .integer: return [.integer(.max), .integer(.min)]
    case .number: return [.number(1e308), .string("nan"), .string("-inf")]
    default: return []
    }
  }
}
