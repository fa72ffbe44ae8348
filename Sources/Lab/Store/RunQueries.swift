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
        .compactMap { row in try ifReadable("run \(row.name("id"))") { try Self.record(row) } }
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
    } catch let error where Self.isDamage(error) {
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
      ).compactMap { row in
        try ifReadable("a point of run \(run)") {
          RunPoint(
            step: try row.value("step"), seconds: try row.optional("seconds"),
            metric: try row.value("metric"),
            value: try row.optional("value") ?? .nan)
        }
      }
    }
  }

  /// What a run ended with, by metric.
  public func results(of run: Int64) throws -> [String: Double] {
    try read { db in
      let rows = try Row.fetchAll(
        db, sql: "SELECT metric, value FROM results WHERE run = ?", arguments: [run])
      let results = try rows.compactMap { row in
        try ifReadable("a result of run \(run)") {
          (try row.value("metric", as: String.self), try row.optional("value", as: Double.self) ?? .nan)
        }
      }
      return Dictionary(results) { $1 }
    }
  }

  public func sizes(of run: Int64) throws -> RunSizes? {
    try read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM sizes WHERE run = ?", arguments: [run]).flatMap { row in
        try ifReadable("the size of run \(run)") {
          RunSizes(
            parameters: try row.value("parameters"),
            multiplyAccumulates: try row.optional("multiplyAccumulates"))
        }
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
      ).compactMap { row in
        try ifReadable("the attachment \(row.name("name"))") {
          Attachment(
            name: try row.value("name"), mediaType: try row.value("mediaType"), text: try row.value("text"))
        }
      }
    }
  }

  /// What became of claims, oldest first.
  public func verdicts(claim: String? = nil) throws -> [VerdictRecord] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM verdicts WHERE ? IS NULL OR claim = ? ORDER BY date",
        arguments: [claim, claim]
      ).compactMap { row in
        try ifReadable("a verdict on \(row.name("claim"))") {
          guard let date = try row.date("date") else { throw DamagedValue(column: "date") }
          return VerdictRecord(
            claim: try row.value("claim"), budget: try row.value("budget"),
            verdict: Verdict(stored: try row.value("verdict")) ?? .undecided,
            run: try row.optional("run"), details: try ResultCoding.value(row.value("details") as String),
            codeVersion: try row.value("codeVersion"), date: date)
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
    guard let started = try row.date("started") else { throw DamagedValue(column: "started") }
    var run = RunRecord(
      kind: RunRecord.Kind(rawValue: try row.value("kind")) ?? .training, subject: try row.value("subject"),
      arm: try row.optional("arm"),
      seed: try row.optional("seed", as: Int64.self).map(UInt64.init(bitPattern:)),
      budget: try row.value("budget"),
      configuration: try ResultCoding.value(row.value("configuration") as String),
      machine: try ResultCoding.value(row.value("machine") as String), command: try row.value("command"))
    run.id = try row.value("id")
    run.parent = try row.optional("parent")
    run.codeVersion = try row.value("codeVersion")
    run.started = started
    run.finished = try row.date("finished")
    run.status = RunRecord.Status(rawValue: try row.value("status")) ?? .failed
    run.message = try row.optional("message")
    let process: String = try row.value("process")
    if run.status == .running, try !ResultCoding.value(process, as: ProcessMark.self).mayLive {
      run.status = .interrupted
      run.message = "its process ended without a word"
    }
    return run
  }
}
