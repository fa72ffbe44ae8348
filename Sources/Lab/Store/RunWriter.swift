import CallosumContracts
import CallosumExperiments
import Dispatch
import Foundation
internal import GRDB
import Synchronization

/// A run under way. Points are gathered and written once a second, by whoever has time; everything else at
/// once. A writer that goes away without having been ended leaves its run interrupted.
public final class RunWriter: Sendable {
  /// As it was when it started.
  public let run: RunRecord
  let store: RunStore
  private let pending = Mutex(Pending())
  private static let queue = DispatchQueue(label: "points")

  private struct Pending {
    var points: [RunPoint] = []
    var isScheduled = false
    var hasEnded = false
    /// What kept earlier points from being written.
    var problem: (any Error)?
  }

  init(_ run: RunRecord, in store: RunStore) {
    self.run = run
    self.store = store
  }

  deinit { try? end(.interrupted) }

  public var id: Int64 { run.id }

  /// A part of this run, such as one arm and seed.
  public func begin(
    arm: String, seed: UInt64?, configuration: JSONValue? = nil
  ) throws -> RunWriter {
    var part = RunRecord(
      kind: run.kind, subject: run.subject, arm: arm, seed: seed, budget: run.budget,
      configuration: configuration ?? run.configuration, machine: run.machine, command: run.command)
    part.parent = run.id
    return try store.begin(part)
  }

  /// Notes a number on the way; a second time for the same step, it takes the place of the first.
  /// - Throws: what kept earlier points from being written.
  public func note(_ metric: String, _ value: Double, step: Int, seconds: Double? = nil) throws {
    try note([RunPoint(step: step, seconds: seconds, metric: metric, value: value)])
  }

  public func note(_ points: [RunPoint]) throws {
    let mustSchedule = try pending.withLock { pending in
      if let problem = pending.problem { throw problem }
      pending.points += points
      defer { pending.isScheduled = true }
      return !pending.isScheduled
    }
    guard mustSchedule else { return }
    RunWriter.queue.asyncAfter(deadline: .now() + 1) { [weak self] in
      guard let self else { return }
      do { try flush() } catch { pending.withLock { $0.problem = error } }
    }
  }

  /// Writes what has been noted.
  public func flush() throws {
    let points = pending.withLock { pending in
      defer {
        pending.points = []
        pending.isScheduled = false
      }
      return pending.points
    }
    guard !points.isEmpty else { return }
    try store.write { try insert(points, $0) }
  }

  private func insert(_ points: [RunPoint], _ db: Database) throws {
    let statement = try db.cachedStatement(
      sql: "INSERT OR REPLACE INTO points (run, metric, step, seconds, value) VALUES (?, ?, ?, ?, ?)")
    for point in points {
      try statement.execute(arguments: [run.id, point.metric, point.step, point.seconds, point.value])
    }
  }

  public func record(_ sizes: RunSizes) throws {
    try store.write { db in
      try db.execute(
        sql: "INSERT OR REPLACE INTO sizes (run, parameters, multiplyAccumulates) VALUES (?, ?, ?)",
        arguments: [run.id, sizes.parameters, sizes.multiplyAccumulates])
    }
  }

  /// Keeps a text with the run, in place of the one of that name.
  public func attach(_ attachment: Attachment) throws {
    try store.write { try RunStore.attach($0, attachment, run: run.id, subject: run.subject) }
  }

  /// The run has done what it should and found `results`.
  public func finish(_ results: [String: Double] = [:]) throws {
    try end(.complete, results: results)
  }

  /// Ends the run with what it reached; a second end changes nothing.
  public func end(
    _ status: RunRecord.Status, message: String? = nil, results: [String: Double] = [:]
  ) throws {
    let points: [RunPoint]? = pending.withLock { pending in
      if pending.hasEnded { return nil }
      pending.hasEnded = true
      defer { pending.points = [] }
      return pending.points
    }
    guard let points else { return }
    try store.write { db in
      try insert(points, db)
      for (metric, value) in results {
        try db.execute(
          sql: "INSERT OR REPLACE INTO results (run, metric, value) VALUES (?, ?, ?)",
          arguments: [run.id, metric, value])
      }
      try db.execute(
        sql: "UPDATE runs SET status = ?, message = ?, finished = ? WHERE id = ?",
        arguments: [status.rawValue, message, Date().timeIntervalSince1970, run.id])
    }
  }
}
