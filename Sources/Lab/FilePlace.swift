import Foundation

/// Where a path leads, whether something is there already or not.
package struct FilePlace {
  /// From the root, without symbolic links.
  package let path: String
  /// Device and number of the file that is there; two names of one file have them in common.
  private let number: (device: UInt64, file: UInt64)?

  package init(_ path: String) {
    self.path = FilePlace.resolved(path)
    var status = stat()
    let exists = stat(self.path, &status) == 0
    number = exists ? (UInt64(truncatingIfNeeded: status.st_dev), UInt64(status.st_ino)) : nil
  }

  /// Whether what is written to one is read from the other.
  package func isSame(as other: FilePlace) -> Bool {
    if path == other.path { return true }
    guard let number, let theirs = other.number else { return false }
    return number == theirs
  }

  /// Whether it lies in the folder `other` or deeper.
  package func isInside(_ other: FilePlace) -> Bool { path.hasPrefix(other.path + "/") }

  /// `realpath` for paths that lead nowhere too: links that dangle are followed, folders that are missing taken
  /// as they are called.
  private static func resolved(_ path: String, links: Int = 40) -> String {
    if let real = realpath(path, nil) {
      defer { free(real) }
      return String(cString: real)
    }
    let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    let names = whole.split(separator: "/")
    guard let name = names.last else { return "/" }
    let parent = "/" + names.dropLast().joined(separator: "/")
    if links > 0, let target = try? FileManager.default.destinationOfSymbolicLink(atPath: whole) {
      return resolved(target.hasPrefix("/") ? target : parent + "/" + target, links: links - 1)
    }
    let folder = resolved(parent, links: links)
    switch name {
    case ".": return folder
    case "..": return "/" + folder.split(separator: "/").dropLast().joined(separator: "/")
    default: return folder == "/" ? "/\(name)" : "\(folder)/\(name)"
    }
  }
}
