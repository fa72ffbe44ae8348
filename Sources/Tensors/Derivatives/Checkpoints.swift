import CallosumKernels

/// How `checkpointed` keeps its inputs from the forward to the backward pass. The forward pass is
/// always exact; what is lost shows in the gradients alone. A tensor that several checkpoints of one
/// recording keep in the same form is kept once.
public struct SavedForm: Sendable {
  /// From a tensor to a function that gives it back, exactly or nearly, each time it is called.
  let keep: @Sendable (Tensor) -> () -> Tensor
  /// What tells this form from others; copies share it.
  let identity: any AnyObject & Sendable

  /// A form of one's own: `compress` is called once for each input of type float32 (others are kept as
  /// they are) and returns what expands it again to the same shape.
  public init(_ compress: @escaping @Sendable (_ x: Tensor) -> () -> Tensor) {
    final class Identity: Sendable {}
    self.init(of: Identity(), compress)
  }

  init(of identity: any AnyObject & Sendable, _ compress: @escaping @Sendable (_ x: Tensor) -> () -> Tensor) {
    self.identity = identity
    keep = compress
  }

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
    block == 32 ? bytesOf32 : bytes(of: block)
  }
  private static let bytesOf32 = bytes(of: 32)

  private static func bytes(of block: Int) -> SavedForm {
    precondition(block > 0, "SavedForm", "a block needs at least one element, got \(block)")
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

  let kept = inputs.map { KeptTensor($0, form, tape) } + weights.map { KeptTensor($0, .exact, tape) }
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
  private let form: Expansion

  init(_ x: Tensor, _ form: SavedForm, _ tape: Tape) {
    mark = x.mark
    self.form =
      x.dtype == .float32 ? tape.kept.expansion(of: x.unmarked, form) : Expansion(x.unmarked, .exact)
  }

  var tensor: Tensor {
    var x = form.expand()
    x.mark = mark
    return x
  }
}

/// What a form made of a tensor.
final class Expansion {
  let identity: any AnyObject & Sendable
  let expand: () -> Tensor

  init(_ x: Tensor, _ form: SavedForm) {
    identity = form.identity
    expand = form.keep(x)
  }
}

/// What the checkpoints of a tape keep now, to be found by tensor and form. It keeps nothing itself.
struct KeptTensors {
  private struct Entry {
    weak var storage: Storage?
    let offset: Int
    let shape, strides: [Int]
    weak var expansion: Expansion?
  }
  private var entries: [ObjectIdentifier: [Entry]] = [:]

  mutating func expansion(of x: Tensor, _ form: SavedForm) -> Expansion {
    let key = ObjectIdentifier(x.storage)
    // An address may have been another tensor's before.
    var known = (entries[key] ?? []).filter { $0.storage === x.storage && $0.expansion != nil }
    for entry in known where entry.offset == x.offset && entry.shape == x.shape && entry.strides == x.strides
    {
      if let expansion = entry.expansion, expansion.identity === form.identity { return expansion }
    }
    let fresh = Expansion(x, form)
    known.append(
      Entry(storage: x.storage, offset: x.offset, shape: x.shape, strides: x.strides, expansion: fresh))
    entries[key] = known
    return fresh
  }
}
