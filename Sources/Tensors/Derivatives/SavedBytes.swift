import CallosumKernels

/// The memory of tensors that a recording keeps for its backward pass and nothing else does: each block of
/// memory counts once, however many operations keep it, for the first of them. What is alive anyway (inputs,
/// weights) does not count.
public struct SavedBytes: Equatable, Sendable, CustomStringConvertible {
  /// What the operations of one name keep.
  public struct Share: Equatable, Sendable {
    public let operation: String
    /// How often the operation was recorded.
    public let count: Int
    public let bytes: Int
  }

  /// Bytes in all.
  public var total: Int { byOperation.map(\.bytes).reduce(0, +) }
  /// Largest first.
  public let byOperation: [Share]

  /// Bytes that the operations of this name keep.
  public subscript(operation: String) -> Int {
    byOperation.first { $0.operation == operation }?.bytes ?? 0
  }

  public var description: String {
    "\(total) bytes: "
      + byOperation.map { "\($0.operation) \($0.bytes) (\($0.count))" }.joined(separator: ", ")
  }
}

/// What the derivative of `function` at `inputs` would keep between its forward and its backward pass. Runs
/// the function once.
public func savedBytes(
  at inputs: [Tensor], of function: ([Tensor]) throws -> [Tensor]
) rethrows -> SavedBytes {
  let state = ThreadState.current, outer = state.tape, tape = Tape()
  do {
    state.tape = tape
    defer { state.tape = outer }
    _ = try function(inputs.map(tape.leaf))
  }
  // Only the tape is left: a block that is freed with a rule was kept by it.
  var shares: [String: (count: Int, bytes: Int)] = [:]
  var before = callosum_bytes_freed()
  tape.release { name in
    let after = callosum_bytes_freed()
    shares["\(name)", default: (0, 0)].count += 1
    shares["\(name)", default: (0, 0)].bytes += after - before
    before = after
  }
  shares["input"] = nil
  return SavedBytes(
    byOperation: shares.map { SavedBytes.Share(operation: $0, count: $1.count, bytes: $1.bytes) }
      .sorted { ($1.bytes, $0.operation) < ($0.bytes, $1.operation) })
}
