import Foundation

/// Bytes of a file in memory, ours or mapped. Tensors share them and keep them alive.
///
/// Who changes a tensor in place changes memory of its own, never the file.
struct FileBytes: Sendable {
  let path: String
  let count: Int
  private let storage: Storage
  private let offset: Int

  init(path: String, storage: Storage, offset: Int = 0, count: Int) {
    (self.path, self.storage, self.offset, self.count) = (path, storage, offset, count)
  }

  /// Maps the first `count` bytes, one at least, of an open file.
  /// - Throws: ``TensorFileError``.
  init(path: String, mapping descriptor: Int32, count: Int) throws {
    let flags = MAP_PRIVATE | MAP_NORESERVE
    guard let block = mmap(nil, count, PROT_READ | PROT_WRITE, flags, descriptor, 0),
      block != UnsafeMutableRawPointer(bitPattern: -1)
    else {
      throw TensorFileError(path: path, "cannot be mapped: \(String(cString: strerror(errno)))")
    }
    let base = UInt(bitPattern: block)
    let storage = Storage(borrowing: block, byteCount: count) {
      munmap(UnsafeMutableRawPointer(bitPattern: base), count)
    }
    self.init(path: path, storage: storage, count: count)
  }

  /// Takes over `block`, which malloc made.
  init(path: String, owning block: UnsafeMutableRawPointer, count: Int) {
    let base = UInt(bitPattern: block)
    let storage = Storage(borrowing: block, byteCount: count) {
      free(UnsafeMutableRawPointer(bitPattern: base))
    }
    self.init(path: path, storage: storage, count: count)
  }

  /// A part, which shares the memory.
  subscript(range: Range<Int>) -> FileBytes {
    FileBytes(path: path, storage: storage, offset: offset + range.lowerBound, count: range.count)
  }

  private var base: UnsafeMutableRawPointer { storage.pointer + offset }

  /// Lets `body` see all bytes, which are not to be used afterwards.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(storage) {
      try body(UnsafeRawBufferPointer(start: base, count: count))
    }
  }

  /// A little-endian number. The caller has checked that it lies inside.
  func number<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
    withBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)) }
  }

  /// `byteCount` bytes from `offset` on as storage of a tensor.
  func storage(at offset: Int, byteCount: Int) -> Storage {
    if self.offset + offset == 0, byteCount == storage.byteCount { return storage }
    return Storage(borrowing: base + offset, byteCount: byteCount) { [self] in withExtendedLifetime(self) {} }
  }
}
