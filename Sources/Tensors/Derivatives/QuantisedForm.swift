import CallosumKernels
import Synchronization

/// Saved activations in a few bits, between running ends of their range for each group (Mesa, Pan et al.
/// 2021): q = round((x - low) (2^bits - 1) / range + U(-½, ½)), clamped, in place of x. Rounding at random
/// makes the mean of what comes back exact inside the range.
///
/// One of these belongs to one place in a network, for which it remembers
/// range = decay · range + (1 - decay) (max - min), and low likewise; the first tensor sets them. A tensor
/// that is not finite is kept as it is and moves nothing.
public final class QuantisedForm: Sendable {
  private struct Memory {
    var low: [Float] = []
    var range: [Float] = []
    var generator: RandomGenerator
    var clamped = 0, elements = 0
  }
  private let memory: Mutex<Memory>
  private let groups, axis, bits: Int
  private let decay: Double
  private let roundsAtRandom: Bool

  /// - Parameters:
  ///   - groups: equal runs along `axis`, each with a range of its own: attention heads, or groups of
  ///     channels.
  ///   - bits: of an element: 1, 2, 4 or 8.
  ///   - roundsAtRandom: whether to round to either neighbour by chance, or to the nearest.
  public init(
    groups: Int = 1, axis: Int = -1, bits: Int = 8, decay: Double = 0.9, roundsAtRandom: Bool = true,
    using generator: inout RandomGenerator
  ) {
    precondition(
      groups > 0 && [1, 2, 4, 8].contains(bits) && decay >= 0 && decay < 1, "QuantisedForm",
      "needs groups, 1, 2, 4 or 8 bits and a decay in 0..<1, got \(groups), \(bits) and \(decay)")
    (self.groups, self.axis, self.bits) = (groups, axis, bits)
    (self.decay, self.roundsAtRandom) = (decay, roundsAtRandom)
    memory = Mutex(Memory(generator: generator.split(into: 1)[0]))
  }

  /// For `checkpointed` and `Layer.recomputed`.
  public var form: SavedForm { SavedForm(of: self) { self.keep($0) } }

  /// The running ends of each group: low and low + range.
  public var ranges: [ClosedRange<Float>] {
    memory.withLock { zip($0.low, $0.range).map { $0...($0 + $1) } }
  }

  /// The share of all elements so far that lay more than half a step outside the range.
  public var clampedShare: Double {
    memory.withLock { $0.elements == 0 ? 0 : Double($0.clamped) / Double($0.elements) }
  }

  private func keep(_ x: Tensor) -> () -> Tensor {
    let axis = resolved(axis, rank: x.ndim, "QuantisedForm")
    precondition(
      x.dim(axis) % groups == 0, "QuantisedForm",
      "axis \(axis) of \(x.shape) does not divide into \(groups) groups")
    let shape = x.shape
    if x.size == 0 { return { .zeros(shape) } }
    let packed = x.packed
    let inner = shape[axis...].reduce(1, *) / groups
    let outer = x.size / groups / inner
    let grouped = packed.reshaped(outer, groups, inner)
    let low = grouped.min(axes: [0, 2]).floats
    let range = zip(grouped.max(axes: [0, 2]).floats, low).map { $0 - $1 }
    guard range.allSatisfy(\.isFinite) else { return { packed } }

    let bytes = Storage(byteCount: (x.size * bits + 7) / 8)
    let (lowKept, rangeKept) = memory.withLock { memory in
      if memory.low.isEmpty {
        (memory.low, memory.range) = (low, range)
      } else {
        memory.low = moved(memory.low, low)
        memory.range = moved(memory.range, range)
      }
      let start = memory.generator.take(blocks: (x.size + 3) / 4)
      callosum_to_levels(
        packed.floats32, bytes.pointer.assumingMemoryBound(to: UInt8.self), memory.low, memory.range, outer,
        groups, inner, Int32(bits), roundsAtRandom, memory.generator.key, start, &memory.clamped)
      memory.elements += x.size
      return (Tensor(memory.low), Tensor(memory.range))
    }
    return { [groups, bits] in
      let y = Tensor(uninitialized: shape, .float32)
      callosum_from_levels(
        bytes.pointer.assumingMemoryBound(to: UInt8.self), y.floats32, lowKept.floats32, rangeKept.floats32,
        outer, groups, inner, Int32(bits))
      return y
    }
  }

  private func moved(_ old: [Float], _ new: [Float]) -> [Float] {
    zip(old, new).map { Float(decay) * $0 + Float(1 - decay) * $1 }
  }
}
