import CallosumKernels

/// Where a tensor's elements live.
public enum Device: String, Codable, Sendable {
  case cpu
}

/// A block of memory that tensors share. Written while the tensor that owns it is being made, and
/// only read afterwards.
package final class Storage: @unchecked Sendable {
  package let pointer: UnsafeMutableRawPointer
  package let byteCount: Int
  package let device = Device.cpu
  private let release: (@Sendable () -> Void)?

  /// Fills every fresh block with NaN, so that a test sees whatever a kernel forgets to write.
  package nonisolated(unsafe) static var poisonsFreshBlocks = false

  /// Bytes of the blocks of 64 KiB and more that are in use now, by all threads.
  package static var largeBytesInUse: Int { callosum_bytes_in_use() }

  package init(byteCount: Int) {
    guard let block = callosum_allocate(byteCount) else {
      fatalError("out of memory: a tensor needs \(byteCount) bytes; use smaller batches or sizes")
    }
    pointer = block
    self.byteCount = byteCount
    release = nil
    if Storage.poisonsFreshBlocks {
      pointer.initializeMemory(as: UInt8.self, repeating: 0xFF, count: byteCount)
    }
  }

  /// Memory owned by somebody else (a mapped file), given back by `release`.
  package init(
    borrowing pointer: UnsafeMutableRawPointer, byteCount: Int,
    release: @escaping @Sendable () -> Void
  ) {
    self.pointer = pointer
    self.byteCount = byteCount
    self.release = release
  }

  deinit {
    if let release { release() } else { callosum_free(pointer, byteCount) }
  }
}
