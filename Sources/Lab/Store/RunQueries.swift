import CallosumContracts
import CallosumExperiments
import Foundation
internal import GRDB

extension RunStore {
  /// Runs by id, oldest first. A run whose process is gone is shown as interrupted.
  public func runs(_ filter: RunFilter = RunFilter()) throws -> [RunRecord] {
    var conditions: [String] = []
    var arguments = StatementArguments()
    func want(_ column: String, _ value: String?) {
      guard let value else { return }
      conditions.append("\(column) = ?")
      arguments += [value]
    }
    want("kind", filter.kind?.rawValue)
    want("subject", filter.subject)
    want("budget", filter.budget)
    want("codeVersion", filter.codeVersion)
    switch filter.place {
    case .anywhere: break
    case .top: conditions.append("parent IS NULL")
    case .partOf(let parent):
      conditions.append("parent = ?")
      arguments += [parent]
    }
    let rule = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    let found = try read { db in
      try Row.fetchAll(db, sql: "SELECT * FROM runs \(rule) ORDER BY id", arguments: arguments)
        .compactMap { row in try ifReadable("run \(row["id"] as Int64)") { try Self.record(row) } }
    }
    return found.filter { filter.status == nil || $0.status == filter.status }
  }

  /// - Throws: `InvalidInput` if there is none.
  public func run(_ id: Int64) throws -> RunRecord {
    let found: RunRecord?
    do {
      found = try read { db in
        try Row.fetchOne(db, sql: "SELECT * FROM runs WHERE id = ?", arguments: [id]).map(Self.record)
      }
    } catch is DecodingError {
      throw InvalidInput("run \(id) of \(path) cannot be read; its record is damaged")
    }
    guard let found else { throw InvalidInput("there is no run \(id) in \(path); see 'callosum runs list'") }
    return found
  }

  /// In order of metric and step.
  public func points(of run: Int64, metric: String? = nil) throws -> [RunPoint] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT metric, step, seconds, value FROM points
          WHERE run = ? AND (? IS NULL OR metric = ?) ORDER BY metric, step
          """, arguments: [run, metric, metric]
      ).map {
        RunPoint(step: $0["step"], seconds: $0["seconds"], metric: $0["metric"], value: $0["value"] ?? .nan)
      }
    }
  }

  /// What a run ended with, by metric.
  public func results(of run: Int64) throws -> [String: Double] {
    try read { db in
      let rows = try Row.fetchAll(
        db, sql: "SELECT metric, value FROM results WHERE run = ?", arguments: [run])
      return Dictionary(
        rows.map { ($0["metric"] as String, $0["value"] as Double? ?? .nan) }, uniquingKeysWith: { $1 })
    }
  }

  public func sizes(of run: Int64) throws -> RunSizes? {
    try read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM sizes WHERE run = ?", arguments: [run]).map {
        RunSizes(parameters: $0["parameters"], multiplyAccumulates: $0["multiplyAccumulates"])
      }
    }
  }

  /// Those of a run, by name.
  public func attachments(of run: Int64) throws -> [Attachment] {
    try attachments(where: "run = ?", [run])
  }

  /// Those that belong to a subject and no run, by name.
  public func attachments(ofSubject subject: String) throws -> [Attachment] {
    try attachments(where: "run IS NULL AND subject = ?", [subject])
  }

  private func attachments(where rule: String, _ arguments: StatementArguments) throws -> [Attachment] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT name, mediaType, text FROM attachments WHERE \(rule) ORDER BY name",
        arguments: arguments
      ).map { Attachment(name: $0["name"], mediaType: $0["mediaType"], text: $0["text"]) }
    }
  }

  /// What became of claims, oldest first.
  public func verdicts(claim: String? = nil) throws -> [VerdictRecord] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM verdicts WHERE ? IS NULL OR claim = ? ORDER BY date",
        arguments: [claim, claim]
      ).compactMap { row in
        try ifReadable("a verdict on \(row["claim"] as String)") {
          VerdictRecord(
            claim: row["claim"], budget: row["budget"],
            verdict: Verdict(stored: row["verdict"]) ?? .undecided, run: row["run"],
            details: try ResultCoding.value(row["details"]), codeVersion: row["codeVersion"],
            date: Date(timeIntervalSince1970: row["date"]))
        }
      }
    }
  }

  /// Whether SQLite finds the file whole and every part of a run with its run.
  package func isSound() throws -> Bool {
    try read { db in
      try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"]
        && Row.fetchAll(db, sql: "PRAGMA foreign_key_check").isEmpty
    }
  }

  static func record(_ row: Row) throws -> RunRecord {
    var run = RunRecord(
      kind: RunRecord.Kind(rawValue: row["kind"]) ?? .training, subject: row["subject"], arm: row["arm"],
      seed: (row["seed"] as Int64?).map(UInt64.init(bitPattern:)), budget: row["budget"],
      configuration: try ResultCoding.value(row["configuration"]),
      machine: try ResultCoding.value(row["machine"]),
      command: row["command"])
    run.id = row["id"]
    run.parent = row["parent"]
    run.codeVersion = row["codeVersion"]
    run.started = Date(timeIntervalSince1970: row["started"])
    run.finished = (row["finished"] as Double?).map { Date(timeIntervalSince1970: $0) }
    run.status = RunRecord.Status(rawValue: row["status"]) ?? .failed
    run.message = row["message"]
    if run.status == .running, try !ResultCoding.value(row["process"], as: ProcessMark.self).mayLive {
      run.status = .interrupted
      run.message = "its process ended without a word"
    }
    return run
  }
}
