import CallosumKernels
import Foundation

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

  package convenience init(byteCount: Int) {
    guard let block = callosum_allocate(byteCount) else { Storage.endWithoutMemory(byteCount) }
    self.init(block: block, byteCount)
  }

  /// Nil where memory does not suffice, for sizes that come from outside.
  convenience init?(ifThereIsMemory byteCount: Int) {
    guard let block = callosum_allocate(byteCount) else { return nil }
    self.init(block: block, byteCount)
  }

  private init(block: UnsafeMutableRawPointer, _ byteCount: Int) {
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

  /// Whether nobody else, such as a mapped file, owns this memory.
  var isOwn: Bool { release == nil }

  /// Nothing can go on without memory, and it is nobody's mistake: one line, and none of a crash's traces.
  private static func endWithoutMemory(_ byteCount: Int) -> Never {
    let problem = "out of memory: a tensor needs \(byteCount) bytes; use smaller batches or sizes"
    ThreadState.current.scope?.leave(InvalidInput(problem))
    var line = "callosum: \(problem)\n"
    line.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
    _exit(1)
  }

  deinit {
    if let release { release() } else { callosum_free(pointer, byteCount) }
  }
}
