import Foundation
internal import GRDB

/// A store that cannot be used; described in one line.
public struct StoreError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let problem: String
  public var description: String { "the store \(path) \(problem)" }

  init(path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  /// What SQLite met with, in words that say what to do.
  init(path: String, _ error: DatabaseError) {
    self.init(path: path, StoreError.words(error))
  }

  private static func words(_ error: DatabaseError) -> String {
    switch error.resultCode {
    case .SQLITE_FULL: "cannot be written: the disk is full; free some space or choose another place"
    case .SQLITE_IOERR:
      "cannot be read or written: the system refused; is there space, and is the disk well?"
    case .SQLITE_NOTADB: "is not a store: it is some other file; choose another place with --store"
    case .SQLITE_CORRUPT: "is damaged; move it away, or choose another place with --store"
    case .SQLITE_CANTOPEN:
      "cannot be opened: no permission, or its folder does not exist; choose another with --store"
    case .SQLITE_READONLY, .SQLITE_PERM: "cannot be written: no permission; choose another place with --store"
    case .SQLITE_BUSY, .SQLITE_LOCKED: "is kept busy by another program; try again when that has ended"
    case .SQLITE_NOMEM: "cannot be used: there is not enough memory"
    case .SQLITE_CONSTRAINT: "no longer holds this run: somebody deleted it"
    default: "cannot be used: \(error.message ?? "SQLite error \(error.resultCode.rawValue)")"
    }
  }
}
