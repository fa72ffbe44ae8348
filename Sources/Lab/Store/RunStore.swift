import CallosumContracts
import Foundation
internal import GRDB
import Synchronization

/// Everything that runs found, in one SQLite file. Several processes may write at once; a process that is
/// killed loses at most the points of its last second.
public final class RunStore: Sendable {
  public let path: String
  /// Behind symbolic links, where what belongs to it lies beside it.
  private let file: String
  let queue: DatabaseQueue
  /// What is read in place of a file that one may not write.
  private let copy: PrivateCopy?
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
  public convenience init(path: String? = nil) throws {
    let path = path ?? RunStore.defaultPath()
    if path == RunStore.defaultPath() {
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    try self.init(path, isOurs: true)
  }

  /// The store at `path` if there is one. One that may be read only is read, and refuses what would change it.
  /// - Throws: ``StoreError``.
  public static func existing(path: String? = nil) throws -> RunStore? {
    let path = path ?? defaultPath()
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = FilePlace(path).path, folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    let isOurs = access(file, W_OK) == 0 && access(folder, W_OK) == 0
    return try RunStore(path, isOurs: isOurs)
  }

  /// - Parameter isOurs: Whether one may write it and what SQLite keeps beside it.
  private init(_ path: String, isOurs: Bool) throws {
    self.path = path
    file = FilePlace(path).path
    var configuration = GRDB.Configuration()
    configuration.busyMode = .timeout(30)
    if isOurs {
      // With the write-ahead log this cannot damage the file, and commits need not wait for the disk.
      configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
      copy = nil
      queue = try RunStore.opened(file, configuration, called: path) { try Schema.update($0, path: path) }
      return
    }
    configuration.readonly = true
    func opened(_ file: String) throws -> DatabaseQueue {
      try RunStore.opened(file, configuration, called: path) { queue in
        guard try queue.read({ try Schema.isCurrent($0, path: path) }) else {
          throw StoreError(
            path: path, "is empty, or of an older version; somebody who may write it must open it once")
        }
      }
    }
    // Without the file of locks nobody writes the store now, and SQLite would want to make one.
    if FileManager.default.fileExists(atPath: file + "-shm"), let queue = try? opened(file) {
      self.queue = queue
      copy = nil
    } else {
      let copy = try PrivateCopy(file, called: path)
      self.copy = copy
      queue = try opened(copy.path)
    }
  }

  private static func opened(
    _ file: String, _ configuration: GRDB.Configuration, called path: String,
    check: (DatabaseQueue) throws -> Void
  ) throws -> DatabaseQueue {
    let patience = ContinuousClock.now + .seconds(30)
    while true {
      do {
        let queue = try DatabaseQueue(path: file, configuration: configuration)
        try check(queue)
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
    var gone: [Int64] = []
    for id in ids {
      let parts = try runs(RunFilter(.partOf(id)))
      for run in [try run(id)] + parts {
        try require(run.status != .running, "run \(run.id) is still running; stop it first")
      }
      gone += [id] + parts.map(\.id)
    }
    try write { db in
      for id in ids { try db.execute(sql: "DELETE FROM runs WHERE id = ?", arguments: [id]) }
    }
    for id in gone { removeCheckpoint(of: id) }
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
  private var checkpoints: String { RunStore.checkpoints(of: file) }

  private static func checkpoints(of file: String) -> String { file + ".checkpoints" }

  /// The places that the store at `path` takes: its file, what SQLite keeps beside it, and the folder of
  /// checkpoints.
  package static func places(path: String? = nil) -> (files: [FilePlace], checkpoints: FilePlace) {
    let file = FilePlace(path ?? defaultPath()).path
    let files = ["", "-wal", "-shm", "-journal"].map { FilePlace(file + $0) }
    return (files, FilePlace(checkpoints(of: file)))
  }

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
  /// Runs a statement as it is, and `body` before what it changed is let go; for tests that damage a store or
  /// hold others up.
  package func execute(_ sql: String, then body: () throws -> Void = {}) throws {
    try write {
      try $0.execute(sql: sql)
      try body()
    }
  }
}
