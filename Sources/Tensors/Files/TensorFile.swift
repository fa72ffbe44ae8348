import Foundation

/// An open file that holds tensors.
///
/// What is read of it is copied into memory of our own, so that tensors stay what they are whatever becomes of
/// the file. Mapped on request, opening and reading cost nothing for what nobody looks at, but the tensors
/// follow the file: a program that writes to it changes them, and one that cuts it off ends this one (SIGBUS).
/// Replacing it by renaming, as all writers here do, is safe either way.
final class TensorFile: @unchecked Sendable {
  let path: String
  let count: Int
  private enum Source {
    case descriptor(Int32)
    case memory(FileBytes)
  }
  private let source: Source

  /// Opens the file at `path`.
  /// - Throws: ``TensorFileError`` where there is no regular file that may be read.
  init(path: String, mapping: Bool) throws {
    // Without O_NONBLOCK, a pipe would wait for somebody who writes.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw TensorFileError(path: path, "cannot be read; check that it exists and that you may read it")
    }
    var isKept = false
    defer { if !isKept { close(descriptor) } }
    var status = stat()
    let isKnown = fstat(descriptor, &status) == 0
    if isKnown, status.st_mode & S_IFMT == S_IFDIR { throw TensorFileError(path: path, "is a folder") }
    guard isKnown, status.st_mode & S_IFMT == S_IFREG else {
      throw TensorFileError(path: path, "is not a regular file")
    }
    self.path = path
    count = Int(status.st_size)
    if mapping, count > 0 {
      source = .memory(try FileBytes(path: path, mapping: descriptor, count: count))
    } else {
      source = .descriptor(descriptor)
      isKept = true
    }
    let isOfPyTorch = try read(0..<min(count, 200)).withBytes(Self.isOfPyTorch)
    guard !isOfPyTorch else {
      throw TensorFileError(
        path: path,
        "is a file of PyTorch's own format (torch.save), which only Python can read; save its tensors with safetensors.torch.save_file or numpy.savez"
      )
    }
  }

  /// What was unpacked from the file at `path`.
  init(path: String, holding bytes: FileBytes) {
    (self.path, count, source) = (path, bytes.count, .memory(bytes))
  }

  deinit {
    if case .descriptor(let descriptor) = source { close(descriptor) }
  }

  /// The bytes of a range, which the caller has checked to lie inside.
  /// - Throws: ``TensorFileError`` if the file has become shorter or cannot be read.
  func read(_ range: Range<Int>) throws -> FileBytes {
    switch source {
    case .memory(let bytes): return bytes[range]
    case .descriptor(let descriptor):
      guard let storage = Storage(ifThereIsMemory: range.count) else {
        throw TensorFileError(
          path: path, "does not fit into memory: \(range.count) bytes; mapping: true reads it where it lies")
      }
      var done = 0
      while done < range.count {
        // No system reads more than 2 GiB at once.
        let got = pread(
          descriptor, storage.pointer + done, min(range.count - done, 1 << 30),
          off_t(range.lowerBound + done))
        if got < 0, errno == EINTR { continue }
        guard got > 0 else {
          throw TensorFileError(
            path: path,
            got == 0 ? "was cut off while it was read" : "cannot be read: \(String(cString: strerror(errno)))"
          )
        }
        done += got
      }
      return FileBytes(path: path, storage: storage, count: range.count)
    }
  }

  /// Whether a file that begins so was written by torch.save: a zip archive that begins with a pickle, or,
  /// before version 1.6, the pickle of its magic number.
  private static func isOfPyTorch(_ beginning: UnsafeRawBufferPointer) -> Bool {
    if beginning.starts(
      with: [0x80, 2, 0x8a, 10] + [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])
    {
      return true
    }
    guard beginning.count >= 30, beginning.starts(with: [0x50, 0x4b, 3, 4]) else { return false }
    let size = Int(beginning[26]) + 256 * Int(beginning[27])
    let name = String(decoding: beginning[30..<min(30 + size, beginning.count)], as: UTF8.self)
    return name == "data.pkl" || name.hasSuffix("/data.pkl")
  }
}
