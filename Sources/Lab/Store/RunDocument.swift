import CallosumContracts
import CallosumExperiments
import CallosumTensors
import Foundation

/// A run with all that the store knows about it, to be printed or taken elsewhere.
package struct RunDocument {
  package let run: RunRecord
  package let sizes: RunSizes?
  package let results: [String: Double]
  package let points: [RunPoint]
  package let parts: [RunRecord]
  package let attachments: [Attachment]

  package init(_ run: RunRecord, in store: RunStore) throws {
    self.run = run
    sizes = try store.sizes(of: run.id)
    results = try store.results(of: run.id)
    points = try store.points(of: run.id)
    parts = try store.runs(RunFilter(.partOf(run.id)))
    attachments = try store.attachments(of: run.id)
  }

  /// Everything, parts by their ids. Dates are ISO 8601; a number that is none is the string "nan", "inf"
  /// or "-inf".
  package func json() throws -> JSONValue {
    guard case .object(var document) = try RunDocument.json(of: run) else { return .null }
    document["sizes"] = try sizes.map { try JSONValue(encoding: $0) } ?? .null
    document["results"] = .object(results.mapValues(RunDocument.number))
    document["points"] = .array(
      points.map { point in
        .object([
          "step": .integer(point.step), "metric": .string(point.metric),
          "seconds": point.seconds.map(RunDocument.number) ?? .null,
          "value": RunDocument.number(point.value),
        ])
      })
    document["parts"] = .array(parts.map { .integer(Int($0.id)) })
    document["attachments"] = try JSONValue(encoding: attachments)
    return .object(document)
  }

  /// What the run is, without what it found.
  package static func json(of run: RunRecord) throws -> JSONValue {
    guard case .object(var document) = try JSONValue(encoding: run) else { return .null }
    document["started"] = .string(run.started.formatted(.iso8601))
    document["finished"] = run.finished.map { .string($0.formatted(.iso8601)) } ?? .null
    return .object(document)
  }

  package static func number(_ value: Double) -> JSONValue {
    value.isFinite
      ? .number(value) : .string(value.isNaN ? "nan" : value > 0 ? "inf" : "-inf")
  }

  /// The columns of ``csv``.
  package static let csvHeading = "run,parent,kind,subject,arm,seed,status,metric,step,seconds,value\n"

  /// A line for each point, then one for each result, without step and seconds. A number that is none is
  /// left empty.
  package var csv: String {
    let before = [
      "\(run.id)", run.parent.map { "\($0)" } ?? "", run.kind.rawValue, run.subject, run.arm ?? "",
      run.seed.map { "\($0)" } ?? "", run.status.rawValue,
    ].map(RunDocument.cell).joined(separator: ",")
    func number(_ value: Double?) -> String { value.map { $0.isFinite ? "\($0)" : "" } ?? "" }
    let lines =
      points.map {
        "\(RunDocument.cell($0.metric)),\($0.step),\(number($0.seconds)),\(number($0.value))"
      }
      + results.sorted { $0.key < $1.key }.map { "\(RunDocument.cell($0.key)),,,\(number($0.value))" }
    return lines.map { "\(before),\($0)\n" }.joined()
  }

  /// Quoted where RFC 4180 wants it; on one line, and nothing in it that a terminal would obey.
  private static func cell(_ text: String) -> String {
    let text = text.printable()
    return text.contains { ",\"".contains($0) }
      ? "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\"" : text
  }
}
