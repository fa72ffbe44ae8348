import Foundation

/// A database, with what is not yet merged into it, in a folder of our own, for as long as this lives: how
/// SQLite reads one where it may write nothing.
final class PrivateCopy: Sendable {
  let path: String
  private let folder: String

  /// - Parameter name: What the file is called in messages.
  /// - Throws: ``StoreError``.
  init(_ file: String, called name: String) throws {
    folder = NSTemporaryDirectory() + "/callosum-" + UUID().uuidString
    path = folder + "/runs.sqlite"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      for end in ["", "-wal"] where end.isEmpty || FileManager.default.fileExists(atPath: file + end) {
        try FileManager.default.copyItem(atPath: file + end, toPath: path + end)
      }
      // The first to open it merges the two, so they must be writable, whatever the original is.
      for end in ["", "-wal"] { chmod(path + end, 0o600) }
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw StoreError(
        path: name,
        "cannot be read: you may not, or there is no space for a copy in \(NSTemporaryDirectory())")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}
