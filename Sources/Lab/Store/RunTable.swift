import CallosumContracts
import CallosumTensors
import Foundation

/// Runs side by side: a row for each run, and for a run of parts one for each of its arms, with means over
/// the seeds.
package struct RunTable {
  package struct Row {
    package let run: Int64
    package let subject: String
    package let arm: String?
    /// Complete runs that the figures rest on.
    package let count: Int
    package let parameters: Int?
    /// By metric.
    package let results: [String: Estimate]
  }

  package let rows: [Row]
  /// Settings in which the runs differ: a value for each run, in the order asked for.
  package let differences: [(setting: String, values: [String])]

  package init(_ ids: [Int64], in store: RunStore) throws {
    let runs = try ids.map { try store.run($0) }
    rows = try runs.flatMap { run in
      let parts = try store.runs(RunFilter(.partOf(run.id)))
      if parts.isEmpty { return [try RunTable.row(run, run.arm, [run], in: store)] }
      var arms: [String?] = []
      for part in parts where !arms.contains(part.arm) { arms.append(part.arm) }
      return try arms.map { arm in
        try RunTable.row(run, arm, parts.filter { $0.arm == arm }, in: store)
      }
    }
    let settings = runs.map { run in
      RunTable.flat(run.configuration).merging(
        ["budget": run.budget, "version": run.codeVersion]) { $1 }
    }
    differences = Set(settings.flatMap(\.keys)).sorted().compactMap { key in
      let values = settings.map { $0[key] ?? "–" }
      return Set(values).count > 1 ? (key, values) : nil
    }
  }

  private static func row(
    _ run: RunRecord, _ arm: String?, _ runs: [RunRecord], in store: RunStore
  ) throws -> Row {
    let complete = runs.filter { $0.status == .complete }
    var values: [String: [Double]] = [:]
    for run in complete {
      for (metric, value) in try store.results(of: run.id) { values[metric, default: []].append(value) }
    }
    return Row(
      run: run.id, subject: run.subject, arm: arm, count: complete.count,
      parameters: try runs.first.flatMap { try store.sizes(of: $0.id) }?.parameters,
      results: values.compactMapValues { Estimate(of: $0) })
  }

  /// `a.b` for the value of `b` in `a`.
  private static func flat(_ value: JSONValue, _ path: String = "") -> [String: String] {
    guard case .object(let table) = value else { return [path: text(value)] }
    var all: [String: String] = [:]
    for (key, inner) in table {
      all.merge(flat(inner, path.isEmpty ? key : "\(path).\(key)")) { $1 }
    }
    return all
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): value
    case .array, .object: (try? ResultCoding.text(value)) ?? ""
    }
  }

  /// In the order of the alphabet.
  private var metrics: [String] { Set(rows.flatMap(\.results.keys)).sorted() }

  package var text: String { text(columns: nil) }

  /// Folded to fit into `columns`, if told.
  package func text(columns limit: Int?) -> String {
    var columns: [(title: String, alignment: Table.Alignment)] = [
      ("run", .right), ("subject", .left), ("arm", .left), ("complete", .right), ("parameters", .right),
    ]
    columns += metrics.map { ($0, .right) }
    var table = Table(columns)
    for row in rows {
      table.add(
        ["\(row.run)", row.subject, row.arm ?? "–", "\(row.count)"]
          + [row.parameters.map(Format.count) ?? "–"]
          + metrics.map { row.results[$0].map(Format.estimate) ?? "–" })
    }
    let notes = differences.map { "\($0.setting): \($0.values.joined(separator: " | "))".printable() }
    let more = notes.isEmpty ? [] : ["\nThey differ in"] + notes.map { "  " + $0 }
    return ([table.text(columns: limit)] + more).joined(separator: "\n")
  }

  package var json: JSONValue {
    .object([
      "rows": .array(
        rows.map { row in
          .object([
            "run": .integer(Int(row.run)), "subject": .string(row.subject),
            "arm": row.arm.map { .string($0) } ?? .null, "complete": .integer(row.count),
            "parameters": row.parameters.map { .integer($0) } ?? .null,
            "results": .object(
              row.results.mapValues { estimate in
                .object([
                  "mean": RunDocument.number(estimate.mean), "count": .integer(estimate.count),
                  "halfWidth": estimate.halfWidth.map(RunDocument.number) ?? .null,
                ])
              }),
          ])
        }),
      "differences": .object(
        Dictionary(
          uniqueKeysWithValues: differences.map { ($0.setting, .array($0.values.map { .string($0) })) })),
    ])
  }
}
