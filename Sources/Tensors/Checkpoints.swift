import CallosumKernels

/// How `checkpointed` keeps its inputs from the forward to the backward pass. The forward pass is
/// always exact; what is lost shows in the gradients alone.
public struct SavedForm: Sendable {
  /// From a tensor to a function that gives it back, exactly or nearly, each time it is called.
  let keep: @Sendable (Tensor) -> () -> Tensor

  /// A form of one's own: `compress` is called once for each input of type float32 (others are kept as
  /// they are) and returns what expands it again to the same shape.
  public init(_ compress: @escaping @Sendable (_ x: Tensor) -> () -> Tensor) { keep = compress }

  /// The tensors themselves.
  public static let exact = SavedForm { x in { x } }

  /// 2 bytes an element, rounded to 8 significant bits: |x̂ - x| <= |x| / 256.
  public static let bfloat16 = SavedForm { x in
    let count = x.size, shape = x.shape
    let packed = x.packed, bytes = Storage(byteCount: 2 * count)
    callosum_to_bfloat16(
      packed.pointer(as: Float.self), bytes.pointer.assumingMemoryBound(to: UInt16.self), count)
    return {
      let y = Tensor(uninitialized: shape, .float32)
      callosum_from_bfloat16(
        bytes.pointer.assumingMemoryBound(to: UInt16.self), y.pointer(as: Float.self), count)
      return y
    }
  }

  /// A byte an element and a float for each `block` neighbours in row-major order:
  /// |x̂ - x| <= max |x| / 253 over the block. A block that is not finite comes back as NaN.
  public static func bytes(block: Int = 32) -> SavedForm {
    require(block > 0, "SavedForm", "a block needs at least one element, got \(block)")
    return SavedForm { x in
      let count = x.size, shape = x.shape
      let packed = x.packed, bytes = Storage(byteCount: count)
      let scales = Tensor(uninitialized: [(count + block - 1) / block], .float32)
      callosum_to_blocks(
        packed.pointer(as: Float.self), bytes.pointer.assumingMemoryBound(to: Int8.self),
        scales.pointer(as: Float.self), count, block)
      return {
        let y = Tensor(uninitialized: shape, .float32)
        callosum_from_blocks(
          bytes.pointer.assumingMemoryBound(to: Int8.self), scales.pointer(as: Float.self),
          y.pointer(as: Float.self), count, block)
        return y
      }
    }
  }
}

/// The result of `function`, of which only the inputs are kept for the derivative: inner results are
/// computed again when they are needed. Less memory for more arithmetic, and with a `form` that
/// compresses, saved activations that take less than their size.
///
/// - Parameters:
///   - inputs: activations, kept in the given form.
///   - weights: further inputs, kept as they are because they live on anyway. The function gets them
///     after the inputs.
///   - function: uses nothing else that is being differentiated by. It runs again with the modules,
///     hooks and random numbers of the first time.
public func checkpointed(
  at inputs: [Tensor], weights: [Tensor] = [], keeping form: SavedForm = .exact,
  of function: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let state = ThreadState.current, all = inputs + weights
  // A graph shows what is inside.
  if state.tape?.scribe != nil { return function(all) }
  let surroundings = state.surroundings
  let values = function(all.map(\.unmarked)).map { $0.requireConstant("checkpointed", elsewhere) }
  guard let tape = state.tape, all.contains(where: { tape.index(of: $0) >= 0 }) else { return values }

  let kept = inputs.map { KeptTensor($0, form) } + weights.map { KeptTensor($0, .exact) }
  return Tensor.recorded("checkpointed", values, from: all) { gradients, _ in
    let inputs = kept.map(\.tensor)
    return ThreadState.current.again(in: surroundings) {
      valueAndPullback(at: inputs, of: function).pullback(gradients)
    }
  }
}

/// A tensor in a form that may be smaller, with its place on the tape.
private struct KeptTensor {
  private let mark: Tape.Mark
  private let expand: () -> Tensor

  init(_ x: Tensor, _ form: SavedForm) {
    mark = x.mark
    expand = x.dtype == .float32 ? form.keep(x.unmarked) : { [x = x.unmarked] in x }
  }

  var tensor: Tensor {
    var x = expand()
    x.mark = mark
    return x
  }
}
