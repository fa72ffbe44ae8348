import CallosumKernels

// Leaky integrate-and-fire neurons: a whole sequence as one operation, or one step inside a loop.

/// What stands for the derivative of a spike, which has none: a function of x, the distance of the
/// potential from the threshold. Named and scaled as in snnTorch (its `triangular` is another thing).
public enum Surrogate: Hashable, Codable, Sendable {
  /// 1 / (1 + slope |x|)²
  case fastSigmoid(slope: Double = 25)
  /// (alpha / 2) / (1 + (π / 2 alpha x)²)
  case arctangent(alpha: Double = 2)
  /// max(0, 1 - slope |x|)
  case triangle(slope: Double = 1)
  /// The derivative of sigmoid(slope x).
  case sigmoid(slope: Double = 25)
  /// 1 / width where |x| < width / 2
  case rectangle(width: Double = 1)
  /// The density of a normal distribution with this deviation.
  case gaussian(deviation: Double = 0.5)
  /// 1
  case straightThrough

  /// The surrogate in ordinary operations.
  func derivative(_ x: Tensor) -> Tensor {
    switch self {
    case .fastSigmoid(let slope): return reciprocal(square(abs(x) * slope + 1))
    case .arctangent(let alpha): return alpha / 2 / (square(x * (Double.pi / 2 * alpha)) + 1)
    case .triangle(let slope): return relu(1 - abs(x) * slope)
    case .sigmoid(let slope):
      let s = CallosumTensors.sigmoid(x * slope)
      return s * (1 - s) * slope
    case .rectangle(let width): return (abs(x) .< width / 2).asType(x.dtype) * (1 / width)
    case .gaussian(let deviation):
      return exp(square(x * (1 / deviation)) * -0.5) * (0.3989422804014327 / deviation)
    case .straightThrough: return .ones(like: x)
    }
  }

  fileprivate var kernel: (callosum_surrogate, slope: Double) {
    switch self {
    case .fastSigmoid(let slope): (callosum_fast_sigmoid, slope)
    case .arctangent(let alpha): (callosum_arctangent, alpha)
    case .triangle(let slope): (callosum_triangle, slope)
    case .sigmoid(let slope): (callosum_logistic, slope)
    case .rectangle(let width): (callosum_rectangle, 1 / width)
    case .gaussian(let deviation): (callosum_gaussian, 1 / deviation)
    case .straightThrough: (callosum_straight_through, 1)
    }
  }
}

/// What a spike does to the potential, within the same step.
public enum SpikeReset: String, Codable, Sendable, CaseIterable {
  /// The threshold is taken off.
  case subtract
  /// It becomes 0.
  case zero
  case none

  fileprivate var kernel: callosum_reset {
    switch self {
    case .subtract: callosum_reset_subtract
    case .zero: callosum_reset_zero
    case .none: callosum_reset_none
    }
  }
}

/// 1 where x >= 0, else 0 (NaN for NaN), with the surrogate's derivative.
public func spike(_ x: Tensor, surrogate: Surrogate = .fastSigmoid()) -> Tensor {
  x.requireReal("spike")
  let plain = x.unmarked
  return which(isNaN(plain), plain, (plain .>= 0).asType(x.dtype)).recorded("spike", from: x) { g in
    g * surrogate.derivative(x)
  }
}

/// How a population of leaky integrate-and-fire neurons fires. Potentials are dimensionless, time
/// counts in steps.
///
///     u_t = leak v_(t-1) + i_t,   s_t = 1 if u_t >= threshold else 0
///     v_t = u_t - threshold s_t (subtract), u_t (1 - s_t) (zero) or u_t (none)
///
/// The reset belongs to the step of the spike. (snnTorch resets one step later, without the leak.)
public struct SpikingRule: Hashable, Codable, Sendable {
  public var threshold: Double
  public var surrogate: Surrogate
  public var reset: SpikeReset
  /// Whether derivatives leave out the path from the potential through the spike to the reset.
  public var detachesReset: Bool

  public init(
    threshold: Double = 1, surrogate: Surrogate = .fastSigmoid(), reset: SpikeReset = .subtract,
    detachesReset: Bool = true
  ) {
    (self.threshold, self.surrogate) = (threshold, surrogate)
    (self.reset, self.detachesReset) = (reset, detachesReset)
  }
}

/// What neurons did over a sequence.
public struct SpikingSequence: Sendable {
  /// s_t, 0 or 1, [time, ..., neurons].
  public let spikes: Tensor
  /// u_t, before the reset, [time, ..., neurons].
  public let potentials: Tensor
  /// The last v_t, [..., neurons]: the state to carry on with.
  public let state: Tensor
}

/// Leaky integrate-and-fire neurons over a sequence of input currents.
///
/// - Parameters:
///   - current: i_t, [time, ..., neurons], at least one step.
///   - leak: what remains of a potential after one step, one number (shape []) or [neurons].
///   - initial: v before the first step, [..., neurons]; zeros if nil.
///   - rule: threshold, surrogate and reset.
/// - Returns: Spikes, potentials and the last state, all with derivatives by current, leak and initial.
public func leakyIntegrateAndFire(
  _ current: Tensor, leak: Tensor, initial: Tensor? = nil, rule: SpikingRule = SpikingRule()
) -> SpikingSequence {
  let name: StaticString = "leakyIntegrateAndFire"
  precondition(
    current.ndim >= 2 && current.dim(0) > 0 && current.dtype.isFloatingPoint, name,
    "the current must be real, [time, ..., neurons] with a step at least, is \(current.dtype) \(current.shape)"
  )
  let stateShape = Array(current.shape.dropFirst()), neurons = current.dim(-1)
  precondition(
    (leak.shape == [] || leak.shape == [neurons]) && leak.dtype == current.dtype, name,
    "leak must be \(current.dtype) [] or [\(neurons)], is \(leak.dtype) \(leak.shape)")
  let initial = initial ?? .zeros(stateShape, dtype: current.dtype)
  precondition(
    initial.shape == stateShape && initial.dtype == current.dtype, name,
    "the initial state must be \(current.dtype) \(stateShape), is \(initial.dtype) \(initial.shape)")
  let results = fused(
    name, [current, leak, initial],
    reference: { steps($0[0], leak: $0[1], initial: $0[2], rule) },
    fast: { inputs in
      let job = SpikingJob(inputs[0], leak: inputs[1], initial: inputs[2], rule)
      return (job.run(), job.gradients)
    })
  return SpikingSequence(spikes: results[0], potentials: results[1], state: results[2])
}

/// One step, with the same numbers as the step of a sequence: current and state are [..., neurons].
public func leakyIntegrateAndFireStep(
  _ current: Tensor, leak: Tensor, state: Tensor?, rule: SpikingRule = SpikingRule()
) -> (spikes: Tensor, potentials: Tensor, state: Tensor) {
  let one = leakyIntegrateAndFire(
    current.expandedDimensions(axis: 0), leak: leak, initial: state, rule: rule)
  return (one.spikes.squeezed(axis: 0), one.potentials.squeezed(axis: 0), one.state)
}

/// The sequence step by step, in ordinary operations.
private func steps(
  _ current: Tensor, leak: Tensor, initial: Tensor, _ rule: SpikingRule
) -> [Tensor] {
  var v = initial
  var spikes: [Tensor] = [], potentials: [Tensor] = []
  for step in current.split(parts: current.dim(0), axis: 0) {
    let u = leak * v + step.squeezed(axis: 0)
    let s = spike(u - rule.threshold, surrogate: rule.surrogate)
    let resets = rule.detachesReset ? stopGradient(s) : s
    switch rule.reset {
    case .subtract: v = u - resets * rule.threshold
    case .zero: v = u * (1 - resets)
    case .none: v = u
    }
    spikes.append(s)
    potentials.append(u)
  }
  return [stacked(spikes), stacked(potentials), v]
}

/// What the kernels need to know, and the tensors that the way back reads.
private struct SpikingJob {
  let current, leak, initial: Tensor
  let potentials: Tensor
  let rule: SpikingRule

  init(_ current: Tensor, leak: Tensor, initial: Tensor, _ rule: SpikingRule) {
    (self.current, self.leak, self.initial) = (current.packed, leak.packed, initial.packed)
    self.rule = rule
    potentials = Tensor(uninitialized: current.shape, .float32)
  }

  private var spec: callosum_spiking {
    let (surrogate, slope) = rule.surrogate.kernel
    return callosum_spiking(
      time: current.dim(0), lanes: initial.size, leaks: leak.size, threshold: Float(rule.threshold),
      slope: Float(slope), surrogate: surrogate, reset: rule.reset.kernel,
      detach_reset: rule.detachesReset)
  }

  func run() -> [Tensor] {
    let spikes = Tensor(uninitialized: current.shape, .float32)
    let last = Tensor(uninitialized: initial.shape, .float32)
    var spec = spec
    callosum_integrate_and_fire(
      &spec, current.pointer(as: Float.self), leak.pointer(as: Float.self),
      initial.pointer(as: Float.self), spikes.pointer(as: Float.self),
      potentials.pointer(as: Float.self), last.pointer(as: Float.self))
    return [spikes, potentials, last]
  }

  func gradients(_ arriving: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?] {
    let arriving = arriving.map { $0?.packed }
    let gcurrent = Tensor(uninitialized: current.shape, .float32)
    let ginitial = Tensor(uninitialized: initial.shape, .float32)
    let gleak = needsGradient[1] ? Tensor(uninitialized: initial.shape, .float32) : nil
    var spec = spec
    // Packed copies belong to this array alone: without this they may be freed before the kernel reads them.
    withExtendedLifetime(arriving) {
      callosum_integrate_and_fire_backward(
        &spec, leak.pointer(as: Float.self), initial.pointer(as: Float.self),
        potentials.pointer(as: Float.self), arriving[0]?.pointer(as: Float.self),
        arriving[1]?.pointer(as: Float.self), arriving[2]?.pointer(as: Float.self),
        gcurrent.pointer(as: Float.self), ginitial.pointer(as: Float.self),
        gleak?.pointer(as: Float.self))
    }
    return [gcurrent, gleak?.summed(to: leak.shape), ginitial]
  }
}
