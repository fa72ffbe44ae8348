import Foundation

/// Writes files whole or not at all: into a temporary file in the same folder, which takes the place
/// of the old one only when everything is on the disk.
package enum AtomicFile {
  /// Replaces the file at `path` by `text` in UTF-8.
  /// - Throws: ``FileError``; then the old file, if any, is untouched and no other is left behind.
  package static func write(_ text: String, to path: String) throws {
    var text = text
    try text.withUTF8 { bytes in
      try write(to: path) { try $0.write(UnsafeRawBufferPointer(bytes)) }
    }
  }

  /// Replaces the file at `path` by what `body` writes, piece after piece.
  /// - Throws: ``FileError`` as above, or what `body` throws.
  package static func write(to path: String, _ body: (Sink) throws -> Void) throws {
    let target = try destination(path)
    let temporary = "\(target.path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, target.mode)
    guard descriptor >= 0 else { throw FileError(path: path) }
    do {
      defer { close(descriptor) }
      try body(Sink(path: path, descriptor: descriptor))
      guard fsync(descriptor) == 0 else { throw FileError(path: path) }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, target.path) == 0 else {
      let error = FileError(path: path)
      unlink(temporary)
      throw error
    }
  }

  /// Says early whether `path` can be written, before long work whose result goes there.
  /// - Throws: ``FileError`` as `write` would.
  package static func checkWritable(_ path: String) throws {
    let target = try destination(path)
    let temporary = "\(target.path).\(getpid()).check.part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, target.mode)
    guard descriptor >= 0 else { throw FileError(path: path) }
    close(descriptor)
    unlink(temporary)
  }

  /// Where the bytes go while the file is being written.
  package struct Sink {
    fileprivate let path: String
    fileprivate let descriptor: Int32

    /// Appends `bytes`.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
      guard writeAll(bytes, to: descriptor) else { throw FileError(path: path) }
    }
  }

  /// The file to replace, behind any symbolic links, and the permissions that the new one gets.
  private static func destination(_ path: String) throws(FileError) -> (path: String, mode: mode_t) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      guard errno == ENOENT, !path.isEmpty, !path.hasSuffix("/") else {
        throw FileError(path: path)
      }
      return (path, 0o666)
    }
    // A rename would replace a device such as /dev/null by a file.
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw FileError(path: path, reason: "it is a folder")
    default: throw FileError(path: path, reason: "it is not a regular file")
    }
    // The rename needs the folder's permission only; a file made read-only should stay as it is.
    guard access(path, W_OK) == 0, let real = realpath(path, nil) else {
      throw FileError(path: path)
    }
    defer { free(real) }
    return (String(cString: real), status.st_mode & 0o777)
  }
}

/// Writes past every buffer; false, with the reason in `errno`, where the system refuses.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
  var rest = bytes[...]
  while !rest.isEmpty {
    let part = UnsafeRawBufferPointer(rebasing: rest)
    let written = write(descriptor, part.baseAddress, part.count)
    if written < 0 {
      if errno == EINTR { continue }
      return false
    }
    rest = rest.dropFirst(written)
  }
  return true
}

/// A file that could not be written; described in one line.
package struct FileError: Error, Equatable, CustomStringConvertible {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// With the reason that the system just gave in `errno`.
  package init(path: String) {
    let code = errno
    let reason: String
    switch code {
    case ENOENT, ENOTDIR: reason = "its folder does not exist"
    case EACCES, EPERM, EROFS: reason = "no permission to write there"
    case ENOSPC, EDQUOT: reason = "the disk is full; free some space or choose another place"
    default:
      let words = String(cString: strerror(code))
      reason = words.prefix(1).lowercased() + words.dropFirst()
    }
    self.init(path: path, reason: reason)
  }

  package var description: String {
    "cannot write \(path.isEmpty ? "a file without a name" : path): \(reason)"
  }
}
