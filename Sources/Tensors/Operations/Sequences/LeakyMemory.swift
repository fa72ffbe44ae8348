import CallosumKernels

// Leaky memory that a small network writes to, over whole sequences: the core of the Expressive Leaky
// Memory neuron. What the network sees from outside is one product for all steps; between it and the
// gradients of the weights one kernel goes through time.

/// The hidden layer of the network that writes to a leaky memory.
public enum LeakyMemoryActivation: String, Codable, Sendable, CaseIterable {
  case relu, silu
}

/// What a leaky memory remembers by, and the network that writes to it.
public struct LeakyMemoryWeights: Sendable {
  /// From memory to hidden layer, [hidden, memory].
  public var inner: Tensor
  /// From hidden layer to memory, [memory, hidden].
  public var outer: Tensor
  /// [memory]
  public var bias: Tensor
  /// What remains of the memory at a step, [memory].
  public var keep: Tensor
  /// How much of what is written counts, [memory].
  public var gain: Tensor

  public init(inner: Tensor, outer: Tensor, bias: Tensor, keep: Tensor, gain: Tensor) {
    (self.inner, self.outer, self.bias, self.keep, self.gain) = (inner, outer, bias, keep, gain)
  }

  fileprivate var list: [Tensor] { [inner, outer, bias, keep, gain] }
}

/// A leaky memory that a network with one hidden layer writes to, from what comes in and what is left of
/// the memory (Spieler et al. 2023):
///
///     d_t = 1.7159 tanh(2/3 (outer f(sums_t + inner keep m_(t-1)) + bias))
///     m_t = keep m_(t-1) + gain d_t
///
/// - Parameters:
///   - sums: what the hidden layer receives from elsewhere, bias included, [batch, time, hidden], at least
///     one step.
///   - weights: of the network and the memory.
///   - initial: the memory before the first step, [batch, memory]; zeros if nil.
///   - activation: f, ReLU or silu.
/// - Returns: m_t, [batch, time, memory].
public func leakyMemory(
  _ sums: Tensor, weights: LeakyMemoryWeights, initial: Tensor? = nil,
  activation: LeakyMemoryActivation = .relu
) -> Tensor {
  let name: StaticString = "leakyMemory"
  realType(of: [sums] + weights.list, name)
  precondition(
    sums.ndim == 3 && sums.dim(1) > 0, name,
    "the sums must be [batch, time, hidden] with a step at least, are \(sums.shape)")
  let memory = weights.keep.size, hidden = sums.dim(2), batch = sums.dim(0)
  let expected = [[hidden, memory], [memory, hidden], [memory], [memory], [memory]]
  let found = weights.list.map(\.shape)
  precondition(
    expected == found, name,
    "weights must be \(expected) for sums \(sums.shape), are \(found)")
  let start = initial ?? .zeros([batch, memory], dtype: sums.dtype)
  precondition(
    start.shape == [batch, memory] && start.dtype == sums.dtype, name,
    "the initial memory must be \(sums.dtype) \([batch, memory]), is \(start.dtype) \(start.shape)")
  return fused(
    name, [sums, start] + weights.list,
    reference: { steps($0, activation) },
    fast: { inputs in
      let run = LeakyMemoryRun(inputs, activation)
      return (run.states.transposed(1, 0, 2), run.gradients)
    })
}

/// Step by step, in ordinary operations. Inputs: sums, start, inner, outer, bias, keep, gain.
private func steps(_ inputs: [Tensor], _ activation: LeakyMemoryActivation) -> Tensor {
  let (inner, outer, bias, keep, gain) = (inputs[2], inputs[3], inputs[4], inputs[5], inputs[6])
  var m = inputs[1]
  var states: [Tensor] = []
  for step in inputs[0].split(parts: inputs[0].dim(1), axis: 1) {
    let kept = keep * m
    let sum = step.squeezed(axis: 1) + linear(kept, weight: inner)
    let active = activation == .silu ? silu(sum) : relu(sum)
    m = kept + gain * tanh(linear(active, weight: outer, bias: bias) * (2.0 / 3)) * 1.7159
    states.append(m)
  }
  return stacked(states, axis: 1)
}

/// One sequence on its way through, [time, batch, ...] throughout.
private struct LeakyMemoryRun {
  /// Inputs of the hidden layer; what tanh gave, scaled; the memory.
  let sums, bent, states: Tensor
  let start, inner, outer, bias, keep, gain: Tensor
  let isSilu: Bool

  init(_ inputs: [Tensor], _ activation: LeakyMemoryActivation) {
    isSilu = activation == .silu
    // The kernel adds to the sums, so it gets memory of its own.
    let given = inputs[0].transposed(1, 0, 2)
    sums = Tensor(uninitialized: given.shape, .float32)
    let source = given.packed
    sums.floats32.update(from: source.floats32, count: source.size)
    start = inputs[1].packed
    (inner, outer, bias) = (inputs[2].packed, inputs[3].packed, inputs[4].packed)
    (keep, gain) = (inputs[5].packed, inputs[6].packed)
    let shape = [sums.dim(0), sums.dim(1), keep.size]
    bent = Tensor(uninitialized: shape, .float32)
    states = Tensor(uninitialized: shape, .float32)
    ThreadState.count(multiplyAccumulates: 2 * sums.size * keep.size)
    run { callosum_leaky_memory($0) }
  }

  private func run(_ body: (UnsafePointer<callosum_leaky_sequence>) -> Void) {
    var job = callosum_leaky_sequence(
      time: sums.dim(0), batch: sums.dim(1), memory: keep.size, hidden: sums.dim(2), silu: isSilu,
      inner: inner.floats32, outer: outer.floats32, bias: bias.floats32, keep: keep.floats32,
      gain: gain.floats32, start: start.floats32, sums: sums.floats32, bent: bent.floats32,
      states: states.floats32)
    body(&job)
  }

  func gradients(_ arriving: Tensor, _ needsGradient: NeedsGradient) -> [Tensor?] {
    let outside = arriving.transposed(1, 0, 2).packed
    let (memory, hidden, rows) = (keep.size, sums.dim(2), sums.dim(0) * sums.dim(1))
    let gsums = Tensor(uninitialized: sums.shape, .float32)
    let gbent = Tensor(uninitialized: bent.shape, .float32)
    let gstates = Tensor(uninitialized: bent.shape, .float32)
    let gkept = Tensor(uninitialized: bent.shape, .float32)
    let gstart = Tensor(uninitialized: start.shape, .float32)
    run { job in
      withExtendedLifetime(outside) {
        callosum_leaky_memory_backward(
          job, outside.floats32, gsums.floats32, gbent.floats32, gstates.floats32, gkept.floats32,
          gstart.floats32)
      }
    }
    let earlier = concatenated([
      start.expandedDimensions(axis: 0), states.sliced(axis: 0, to: states.dim(0) - 1),
    ])
    let products = gsums.reshaped([rows, hidden]), writes = gbent.reshaped([rows, memory])
    let active = isSilu ? silu(sums) : relu(sums)
    func overAll(_ x: Tensor) -> Tensor { x.reshaped([rows, memory]).sum(axis: 0) }
    return [
      needsGradient[0] ? gsums.transposed(1, 0, 2) : nil, gstart,
      needsGradient[2] ? matmul(products.transposed(), (keep * earlier).reshaped([rows, memory])) : nil,
      needsGradient[3] ? matmul(writes.transposed(), active.reshaped([rows, hidden])) : nil,
      needsGradient[4] ? writes.sum(axis: 0) : nil,
      needsGradient[5] ? overAll(gkept * earlier) : nil,
      needsGradient[6] ? overAll(gstates * bent) : nil,
    ]
  }
}
