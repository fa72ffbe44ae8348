import Foundation

/// The bytes of a file, or of a part of one that was unpacked. Tensors borrow from them and keep them
/// alive.
///
/// Files are mapped, so opening one costs nothing for what nobody reads. Who changes a tensor in place
/// changes a copy of its pages, never the file. A file that another program cuts off while it is mapped
/// ends this one (SIGBUS); replacing it by renaming, as all writers here do, is safe.
package final class FileBytes: @unchecked Sendable {
  package let path: String
  package let count: Int
  private let base: UnsafeMutableRawPointer
  private let isMapped: Bool

  /// Maps the file at `path`.
  /// - Throws: ``TensorFileError`` where there is no regular file that may be read.
  package init(mapping path: String) throws {
    // Without O_NONBLOCK, a pipe would wait for somebody who writes.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw TensorFileError(path: path, "cannot be read; check that it exists and that you may read it")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw TensorFileError(path: path, "is not a regular file")
    }
    self.path = path
    count = Int(status.st_size)
    isMapped = count > 0
    guard isMapped else {
      base = .allocate(byteCount: 1, alignment: 1)
      return
    }
    let flags = MAP_PRIVATE | MAP_NORESERVE
    guard let block = mmap(nil, count, PROT_READ | PROT_WRITE, flags, descriptor, 0),
      block != UnsafeMutableRawPointer(bitPattern: -1)
    else {
      throw TensorFileError(path: path, "cannot be mapped: \(String(cString: strerror(errno)))")
    }
    base = block
  }

  /// Takes over `block`, which malloc made, with what was unpacked from the file at `path`.
  init(path: String, owning block: UnsafeMutableRawPointer, count: Int) {
    self.path = path
    self.count = count
    base = block
    isMapped = false
  }

  deinit {
    if isMapped { munmap(base, count) } else { free(base) }
  }

  /// All bytes; valid while this object lives.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// A little-endian number. The caller has checked that it lies inside.
  func number<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
    Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  /// `byteCount` bytes from `offset` on as storage that keeps this object alive.
  func storage(at offset: Int, byteCount: Int) -> Storage {
    Storage(borrowing: base + offset, byteCount: byteCount) { [self] in withExtendedLifetime(self) {} }
  }
}
