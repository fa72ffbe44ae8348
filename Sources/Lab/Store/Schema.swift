internal import GRDB

/// The tables of a store and how they came about: change k turns version k into version k + 1.
enum Schema {
  /// The version that this program reads and writes.
  static var version: Int { changes.count }
  /// Marks the file as ours: "Clsm".
  static let applicationID = 0x436c_736d

  private static let changes = [
    """
    CREATE TABLE runs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      parent INTEGER REFERENCES runs(id) ON DELETE CASCADE,
      kind TEXT NOT NULL, subject TEXT NOT NULL, arm TEXT, seed INTEGER, budget TEXT NOT NULL,
      configuration TEXT NOT NULL, codeVersion TEXT NOT NULL, machine TEXT NOT NULL, threads INTEGER NOT NULL,
      command TEXT NOT NULL, started REAL NOT NULL, finished REAL, status TEXT NOT NULL, message TEXT,
      process TEXT NOT NULL
    );
    CREATE INDEX runsByParent ON runs(parent);
    CREATE INDEX runsBySubject ON runs(kind, subject);
    -- A value that is not a number is NULL, here and below.
    CREATE TABLE points (
      run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
      metric TEXT NOT NULL, step INTEGER NOT NULL, seconds REAL, value REAL,
      PRIMARY KEY (run, metric, step)
    ) WITHOUT ROWID;
    CREATE TABLE results (
      run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
      metric TEXT NOT NULL, value REAL,
      PRIMARY KEY (run, metric)
    ) WITHOUT ROWID;
    CREATE TABLE sizes (
      run INTEGER PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE,
      parameters INTEGER NOT NULL, multiplyAccumulates INTEGER
    );
    -- Those of a subject have no run.
    CREATE TABLE attachments (
      run INTEGER REFERENCES runs(id) ON DELETE CASCADE,
      subject TEXT NOT NULL, name TEXT NOT NULL, mediaType TEXT NOT NULL, text TEXT NOT NULL
    );
    CREATE UNIQUE INDEX attachmentNames ON attachments(ifnull(run, 0), subject, name);
    CREATE TABLE verdicts (
      claim TEXT NOT NULL, budget TEXT NOT NULL, date REAL NOT NULL, verdict TEXT NOT NULL,
      codeVersion TEXT NOT NULL, run INTEGER REFERENCES runs(id) ON DELETE SET NULL, details TEXT NOT NULL
    );
    CREATE INDEX verdictsByClaim ON verdicts(claim, date);
    """
  ]

  /// Whether the tables are as this program wants them; false for a new file and for one of an older version.
  /// - Throws: ``StoreError`` if the file is not ours, or of a newer version.
  static func isCurrent(_ db: Database, path: String) throws -> Bool {
    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    let owner = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
    let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
    guard owner == applicationID || (owner == 0 && found == 0 && isEmpty) else {
      throw StoreError(
        path: path, "is a database of another program; choose another place with --store")
    }
    guard found <= version else {
      throw StoreError(
        path: path,
        "was made by a newer version of Callosum (it has format \(found), this one knows \(version));"
          + " update Callosum, or choose another place with --store")
    }
    return found == version
  }

  /// Brings the tables up to date, in one transaction: two programs may try at once. Where there is nothing to
  /// do, waits for nobody.
  static func update(_ queue: DatabaseQueue, path: String) throws {
    // Not GRDB's own way to the write-ahead log, which writes at each opening and so waits for others who write.
    func isLogged(_ db: Database) throws -> Bool {
      try String.fetchOne(db, sql: "PRAGMA journal_mode") == "wal"
    }
    if try queue.read({ try isCurrent($0, path: path) && isLogged($0) }) { return }
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA journal_mode = WAL")
      try db.inTransaction(.immediate) {
        if try isCurrent(db, path: path) { return .commit }
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        for change in changes[max(found, 0)...] { try db.execute(sql: change) }
        try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
        return .commit
      }
    }
  }
}
