import CallosumContracts
import Foundation
internal import GRDB
import Synchronization

/// Everything that runs found, in one SQLite file. Several processes may write at once; a process that is
/// killed loses at most the points of its last second.
public final class RunStore: Sendable {
  public let path: String
  let queue: DatabaseQueue
  /// Records that were said to be unreadable.
  let unreadable = Mutex<Set<String>>([])

  /// Where runs are kept unless somebody says otherwise: `CALLOSUM_STORE`, or `callosum/runs.sqlite` in the
  /// user's data folder.
  public static func defaultPath(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    if let path = environment["CALLOSUM_STORE"], !path.isEmpty { return path }
    // The XDG specification wants relative paths ignored.
    let given = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    let home = environment["HOME"] ?? NSHomeDirectory()
    return (given ?? home + "/.local/share") + "/callosum/runs.sqlite"
  }

  /// Opens the store at `path`, or makes it.
  /// - Throws: ``StoreError``.
  public init(path: String? = nil) throws {
    let path = path ?? RunStore.defaultPath()
    self.path = path
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    if path == RunStore.defaultPath() {
      try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    var configuration = GRDB.Configuration()
    configuration.journalMode = .wal
    configuration.busyMode = .timeout(30)
    queue = try RunStore.opened(path, configuration)
  }

  private static func opened(_ path: String, _ configuration: GRDB.Configuration) throws -> DatabaseQueue {
    let patience = ContinuousClock.now + .seconds(30)
    while true {
      do {
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try Schema.update(queue, path: path)
        return queue
      } catch let error as DatabaseError {
        // Two processes that make the same store are not always made to wait.
        guard error.resultCode == .SQLITE_BUSY, ContinuousClock.now < patience else {
          throw StoreError(path: path, error)
        }
        usleep(20_000)
      }
    }
  }

  /// The store at `path` if there is one.
  /// - Throws: ``StoreError``.
  public static func existing(path: String? = nil) throws -> RunStore? {
    let path = path ?? defaultPath()
    return FileManager.default.fileExists(atPath: path) ? try RunStore(path: path) : nil
  }

  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try orStoreError { try queue.read(body) }
  }

  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try orStoreError { try queue.write(body) }
  }

  private func orStoreError<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as DatabaseError { throw StoreError(path: path, error) }
  }

  // MARK: Writing

  /// Notes that a run has started.
  public func begin(_ run: RunRecord) throws -> RunWriter {
    var run = run
    let process = try ResultCoding.text(ProcessMark.current)
    run.id = try write { db in
      try db.execute(
        sql: """
          INSERT INTO runs (parent, kind, subject, arm, seed, budget, configuration, codeVersion, machine,
            threads, command, started, finished, status, message, process)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          run.parent, run.kind.rawValue, run.subject, run.arm, run.seed.map(Int64.init(bitPattern:)),
          run.budget, try ResultCoding.text(run.configuration), run.codeVersion,
          try ResultCoding.text(run.machine),
          run.machine.threads, run.command, run.started.timeIntervalSince1970,
          run.finished?.timeIntervalSince1970, run.status.rawValue, run.message, process,
        ])
      return db.lastInsertedRowID
    }
    return RunWriter(run, in: self)
  }

  /// Takes up a run that was interrupted or failed: it is this process's from now on.
  /// - Throws: `InvalidInput` if it is complete, or still running in another process.
  public func resume(_ id: Int64) throws -> RunWriter {
    let process = try ResultCoding.text(ProcessMark.current)
    // In one transaction, so that of two processes only one can have it.
    let found = try write { db -> RunRecord? in
      guard let row = try Row.fetchOne(db, sql: "SELECT * FROM runs WHERE id = ?", arguments: [id]) else {
        return nil
      }
      let run = try RunStore.record(row)
      try require(run.status != .running, "run \(id) is still running")
      try require(run.status != .complete, "run \(id) is complete; there is nothing to resume")
      try db.execute(
        sql: "UPDATE runs SET status = 'running', finished = NULL, message = NULL, process = ? WHERE id = ?",
        arguments: [process, id])
      return run
    }
    var run = try found ?? self.run(id)
    run.status = .running
    run.finished = nil
    run.message = nil
    return RunWriter(run, in: self)
  }

  /// Deletes runs with all that belongs to them, their parts too.
  /// - Throws: `InvalidInput`, and deletes none, if one of them does not exist or is still running.
  public func delete(_ ids: [Int64]) throws {
    for id in ids {
      let parts = try runs(RunFilter(.partOf(id)))
      for run in [try run(id)] + parts {
        try require(run.status != .running, "run \(run.id) is still running; stop it first")
      }
      for part in parts { removeCheckpoint(of: part.id) }
      removeCheckpoint(of: id)
    }
    try write { db in
      for id in ids { try db.execute(sql: "DELETE FROM runs WHERE id = ?", arguments: [id]) }
    }
  }

  /// Keeps a text for a subject, such as the picture of a claim, in place of the one of that name.
  public func attach(_ attachment: Attachment, to subject: String) throws {
    try write { try RunStore.attach($0, attachment, run: nil, subject: subject) }
  }

  static func attach(_ db: Database, _ attachment: Attachment, run: Int64?, subject: String) throws {
    try db.execute(
      sql: "INSERT OR REPLACE INTO attachments (run, subject, name, mediaType, text) VALUES (?, ?, ?, ?, ?)",
      arguments: [run, subject, attachment.name, attachment.mediaType, attachment.text])
  }

  public func record(_ verdict: VerdictRecord) throws {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO verdicts (claim, budget, date, verdict, codeVersion, run, details)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          verdict.claim, verdict.budget, verdict.date.timeIntervalSince1970, verdict.verdict.rawValue,
          verdict.codeVersion, verdict.run, try ResultCoding.text(verdict.details),
        ])
    }
  }
}

// MARK: Checkpoints

extension RunStore {
  /// They lie in a folder beside the store.
  private var checkpoints: String { path + ".checkpoints" }

  /// Where a run keeps its checkpoint; its folder exists.
  package func checkpointPath(of run: Int64) -> String {
    try? FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
    return "\(checkpoints)/\(run).safetensors"
  }

  /// Takes away the checkpoint of a run, and half-written ones that a killed process left.
  package func removeCheckpoint(of run: Int64) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints)) ?? []
    for name in names where name.hasPrefix("\(run).safetensors") {
      unlink("\(checkpoints)/\(name)")
    }
  }
}

extension RunStore {
  /// Runs a statement as it is; for tests that damage a store.
  package func execute(_ sql: String) throws { try write { try $0.execute(sql: sql) } }
}
