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

  /// The kinds by name, each with one number that says how steep or wide it is.
  public enum Shape: String, Codable, Sendable, CaseIterable {
    case fastSigmoid = "fast sigmoid"
    case arctangent, triangle, sigmoid, rectangle, gaussian
    case straightThrough = "straight through"

    /// With the number that is usual for it.
    public var usual: Surrogate {
      switch self {
      case .fastSigmoid: .fastSigmoid()
      case .arctangent: .arctangent()
      case .triangle: .triangle()
      case .sigmoid: .sigmoid()
      case .rectangle: .rectangle()
      case .gaussian: .gaussian()
      case .straightThrough: .straightThrough
      }
    }

    /// With a slope, alpha, width or deviation of its own.
    public func surrogate(_ number: Double) -> Surrogate {
      switch self {
      case .fastSigmoid: .fastSigmoid(slope: number)
      case .arctangent: .arctangent(alpha: number)
      case .triangle: .triangle(slope: number)
      case .sigmoid: .sigmoid(slope: number)
      case .rectangle: .rectangle(width: number)
      case .gaussian: .gaussian(deviation: number)
      case .straightThrough: .straightThrough
      }
    }
  }

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

/// 1 where x >= 0, or strictly x > 0, else 0 (NaN for NaN), with the surrogate's derivative times `dampening`.
public func spike(
  _ x: Tensor, surrogate: Surrogate = .fastSigmoid(), strict: Bool = false, dampening: Double = 1
) -> Tensor {
  x.requireReal("spike")
  let plain = x.unmarked
  let crosses = strict ? plain .> 0 : plain .>= 0
  return which(isNaN(plain), plain, crosses.asType(x.dtype)).recorded("spike", from: x) { g in
    dampening == 1 ? g * surrogate.derivative(x) : g * surrogate.derivative(x) * dampening
  }
}

/// When a spike takes the threshold off the potential. (For a reset to 0 it makes no difference.)
public enum ResetTiming: String, Codable, Sendable, CaseIterable {
  /// In its own step, as in SpikingJelly: the leak acts on what is left.
  case sameStep = "same step"
  /// In the next step, after the leak, as in snnTorch.
  case nextStep = "next step"
}

/// How a population of leaky integrate-and-fire neurons fires. Time counts in steps.
///
///     u_t = leak v_(t-1) + i_t,   s_t = 1 if u_t >= threshold else 0
///     v_t = u_t - threshold s_t (subtract), u_t (1 - s_t) (zero) or u_t (none)
///
/// Where the threshold is taken off in the next step, v_t = u_t and u_t = leak v_(t-1) + i_t - threshold s_(t-1).
public struct SpikingRule: Hashable, Codable, Sendable {
  public var surrogate: Surrogate
  /// A factor of the surrogate; below 1 it keeps derivatives through many steps small (Bellec et al. 2018).
  public var dampening: Double
  public var reset: SpikeReset
  public var timing: ResetTiming
  /// Whether derivatives leave out the path from the potential through the spike to the reset.
  public var detachesReset: Bool
  /// Whether a neuron at its threshold is silent, and fires above it only.
  public var isStrict: Bool
  /// Steps after a spike in which there is no other; the potential goes on.
  public var refractory: Int

  public init(
    surrogate: Surrogate = .fastSigmoid(), dampening: Double = 1, reset: SpikeReset = .subtract,
    timing: ResetTiming = .sameStep, detachesReset: Bool = true, isStrict: Bool = false, refractory: Int = 0
  ) {
    (self.surrogate, self.dampening, self.reset, self.timing) = (surrogate, dampening, reset, timing)
    (self.detachesReset, self.isStrict, self.refractory) = (detachesReset, isStrict, refractory)
  }

  package var isLater: Bool { timing == .nextStep && reset == .subtract }
}

/// A threshold that spikes raise (Bellec et al. 2018): threshold + jump a_(t-1), with a_t = keep a_(t-1) + s_t.
public struct SpikeAdaptation: Sendable {
  /// What remains of a after a step, [] or [neurons].
  public var keep: Tensor
  /// How much a spike raises the threshold, [] or [neurons].
  public var jump: Tensor

  public init(keep: Tensor, jump: Tensor) { (self.keep, self.jump) = (keep, jump) }
}

/// What neurons carry from one step to the next, each [..., neurons].
public struct SpikingState: Sendable {
  /// v
  public var potential: Tensor
  /// s of the last step, where the next takes off the threshold for it.
  public var fired: Tensor?
  /// a, where the threshold adapts.
  public var adaptation: Tensor?
  /// Steps that are still to be waited, where there are any after a spike. Without derivative.
  public var recovery: Tensor?

  /// What is nil is 0.
  public init(
    potential: Tensor, fired: Tensor? = nil, adaptation: Tensor? = nil, recovery: Tensor? = nil
  ) {
    (self.potential, self.fired) = (potential, fired)
    (self.adaptation, self.recovery) = (adaptation, recovery)
  }
}

/// What neurons did over a sequence.
public struct SpikingSequence: Sendable {
  /// s_t, 0 or 1, in the shape of the current.
  public let spikes: Tensor
  /// u_t, before the reset of the same step, in the shape of the current.
  public let potentials: Tensor
  /// After the last step, to carry on with.
  public let state: SpikingState
}

/// Leaky integrate-and-fire neurons over a sequence of input currents.
///
/// - Parameters:
///   - current: i_t, [..., neurons] with an axis of time before the last, of at least one step.
///   - axis: that of time.
///   - leak: what remains of a potential after one step, one number (shape []) or [neurons].
///   - threshold: [] or [neurons]; 1 if nil.
///   - adaptation: how spikes raise the threshold; not at all if nil.
///   - initial: before the first step; zeros if nil.
///   - rule: surrogate and reset.
/// - Returns: Spikes, potentials and the last state, all with derivatives by current, leak, threshold, adaptation
///   and initial state.
public func leakyIntegrateAndFire(
  _ current: Tensor, axis: Int = 0, leak: Tensor, threshold: Tensor? = nil,
  adaptation: SpikeAdaptation? = nil, initial: SpikingState? = nil, rule: SpikingRule = SpikingRule()
) -> SpikingSequence {
  let name: StaticString = "leakyIntegrateAndFire"
  precondition(
    current.ndim >= 2 && current.dtype.isFloatingPoint && (0..<current.ndim - 1).contains(axis)
      && current.dim(axis) > 0, name,
    "the current must be real, [..., neurons], and have a step at least along axis \(axis) before the last, is "
      + "\(current.dtype) \(current.shape)")
  precondition(rule.refractory >= 0, name, "cannot wait \(rule.refractory) steps after a spike")
  let stateShape = Array(current.shape[..<axis] + current.shape[(axis + 1)...]), neurons = current.dim(-1),
    dtype = current.dtype
  for (what, one) in [
    ("leak", leak), ("threshold", threshold), ("adaptation's keep", adaptation?.keep),
    ("adaptation's jump", adaptation?.jump),
  ] {
    guard let one else { continue }
    precondition(
      (one.shape == [] || one.shape == [neurons]) && one.dtype == dtype, name,
      "\(what) must be \(dtype) [] or [\(neurons)], is \(one.dtype) \(one.shape)")
  }
  for one in [initial?.potential, initial?.fired, initial?.adaptation, initial?.recovery].compactMap({ $0 }) {
    precondition(
      one.shape == stateShape && one.dtype == dtype, name,
      "the initial state must be \(dtype) \(stateShape), is \(one.dtype) \(one.shape)")
  }
  func start(_ value: Tensor?) -> Tensor { value ?? .zeros(stateShape, dtype: dtype) }
  let layout = SpikingLayout(axis: axis, rule: rule, adapts: adaptation != nil)
  var inputs = [current, leak, threshold ?? .ones([], dtype: dtype), start(initial?.potential)]
  if layout.fired != nil { inputs.append(start(initial?.fired)) }
  if let adaptation { inputs += [adaptation.keep, adaptation.jump, start(initial?.adaptation)] }
  if layout.recovery != nil { inputs.append(stopGradient(start(initial?.recovery))) }
  let results = fused(
    name, inputs, reference: { steps($0, layout) },
    fast: { inputs in
      let job = SpikingJob(inputs, layout)
      return (job.results, job.gradients)
    })
  func last(_ place: Int?) -> Tensor? { place.map { results[layout.result($0)] } }
  return SpikingSequence(
    spikes: results[0], potentials: results[1],
    state: SpikingState(
      potential: results[2], fired: last(layout.fired), adaptation: last(layout.adaptation),
      recovery: last(layout.recovery)))
}

/// One step, with the same numbers as the step of a sequence: current and state are [..., neurons].
public func leakyIntegrateAndFireStep(
  _ current: Tensor, leak: Tensor, threshold: Tensor? = nil, adaptation: SpikeAdaptation? = nil,
  state: SpikingState? = nil, rule: SpikingRule = SpikingRule()
) -> (spikes: Tensor, potentials: Tensor, state: SpikingState) {
  let one = leakyIntegrateAndFire(
    current.expandedDimensions(axis: 0), leak: leak, threshold: threshold, adaptation: adaptation,
    initial: state, rule: rule)
  return (one.spikes.squeezed(axis: 0), one.potentials.squeezed(axis: 0), one.state)
}

/// Where each input of the operation lies: current, leak, threshold, potential, and what is carried besides.
private struct SpikingLayout {
  /// Of time.
  let axis: Int
  let rule: SpikingRule
  /// Of the state before the first step.
  let fired, adaptation, recovery: Int?

  init(axis: Int, rule: SpikingRule, adapts: Bool) {
    (self.axis, self.rule) = (axis, rule)
    fired = rule.isLater ? 4 : nil
    let next = rule.isLater ? 5 : 4
    adaptation = adapts ? next + 2 : nil
    recovery = rule.refractory > 0 ? (adapts ? next + 3 : next) : nil
  }

  var keep: Int? { adaptation.map { $0 - 2 } }
  var jump: Int? { adaptation.map { $0 - 1 } }
  /// The results: spikes, potentials, the last potential, and what else is carried, in the order of the inputs.
  func result(_ place: Int) -> Int {
    3 + [fired, adaptation, recovery].filter { $0.map { $0 < place } ?? false }.count
  }
}

/// The sequence step by step, in ordinary operations.
private func steps(_ inputs: [Tensor], _ layout: SpikingLayout) -> [Tensor] {
  let rule = layout.rule, leak = inputs[1]
  var v = inputs[3]
  var fired = layout.fired.map { inputs[$0] }, a = layout.adaptation.map { inputs[$0] }
  var waits = layout.recovery.map { stopGradient(inputs[$0]) }
  var spikes: [Tensor] = [], potentials: [Tensor] = []
  func reset(_ u: Tensor, by s: Tensor, _ threshold: Tensor) -> Tensor {
    let s = rule.detachesReset ? stopGradient(s) : s
    return switch rule.reset {
    case .subtract: u - s * threshold
    case .zero: u * (1 - s)
    case .none: u
    }
  }
  for step in inputs[0].split(parts: inputs[0].dim(layout.axis), axis: layout.axis) {
    var threshold = inputs[2]
    if let a, let jump = layout.jump { threshold = threshold + inputs[jump] * a }
    var u = leak * v + step.squeezed(axis: layout.axis)
    if let fired { u = reset(u, by: fired, threshold) }
    let x = u - threshold
    var s = spike(x, surrogate: rule.surrogate, strict: rule.isStrict, dampening: rule.dampening)
    if let left = waits {
      let mayFire = (left .< 0.5).asType(s.dtype)
      s = s * mayFire
      waits = maximum(maximum(left - 1, 0), stopGradient(s) * Double(rule.refractory))
    }
    v = rule.isLater ? u : reset(u, by: s, threshold)
    if layout.fired != nil { fired = s }
    if let before = a, let keep = layout.keep { a = inputs[keep] * before + s }
    spikes.append(s)
    potentials.append(u)
  }
  return [stacked(spikes, axis: layout.axis), stacked(potentials, axis: layout.axis), v]
    + [fired, a, waits].compactMap { $0 }
}

/// What the kernels need to know, and the tensors that the way back reads.
private struct SpikingJob {
  private let inputs: [Tensor]
  private let layout: SpikingLayout
  let results: [Tensor]
  /// a before each step.
  private let adaptations: Tensor?

  init(_ inputs: [Tensor], _ layout: SpikingLayout) {
    (self.inputs, self.layout) = (inputs.map(\.packed), layout)
    let shape = inputs[0].shape, state = inputs[3].shape
    let carried = 1 + [layout.fired, layout.adaptation, layout.recovery].compactMap { $0 }.count
    results =
      [shape, shape].map { Tensor(uninitialized: $0, .float32) }
      + (0..<carried).map { _ in Tensor(uninitialized: state, .float32) }
    adaptations = layout.adaptation == nil ? nil : Tensor(uninitialized: shape, .float32)
    var spec = spec, ins = ins, outs = outs
    callosum_integrate_and_fire(&spec, &ins, &outs)
  }

  private func size(_ place: Int?) -> Int { place.map { inputs[$0].size } ?? 1 }
  private func input(_ place: Int?) -> UnsafePointer<Float>? {
    place.map { UnsafePointer(inputs[$0].pointer(as: Float.self)) }
  }
  private func last(_ place: Int?) -> UnsafeMutablePointer<Float>? {
    place.map { results[layout.result($0)].pointer(as: Float.self) }
  }

  private var spec: callosum_spiking {
    let rule = layout.rule, (surrogate, slope) = rule.surrogate.kernel
    return callosum_spiking(
      batch: inputs[0].shape[..<layout.axis].reduce(1, *), time: inputs[0].dim(layout.axis),
      lanes: inputs[0].shape[(layout.axis + 1)...].reduce(1, *), leaks: inputs[1].size,
      thresholds: inputs[2].size,
      keeps: size(layout.keep), jumps: size(layout.jump), slope: Float(slope),
      dampening: Float(rule.dampening),
      surrogate: surrogate,
      reset: rule.reset.kernel, detach_reset: rule.detachesReset, strict: rule.isStrict, later: rule.isLater,
      adapts: layout.adaptation != nil, refractory: Float(rule.refractory))
  }

  private var ins: callosum_spiking_inputs {
    callosum_spiking_inputs(
      current: input(0), leak: input(1), threshold: input(2), keep: input(layout.keep),
      jump: input(layout.jump), potential: input(3), fired: input(layout.fired),
      adaptation: input(layout.adaptation), recovery: input(layout.recovery))
  }

  private var outs: callosum_spiking_outputs {
    callosum_spiking_outputs(
      spikes: results[0].pointer(as: Float.self), potentials: results[1].pointer(as: Float.self),
      adaptations: adaptations?.pointer(as: Float.self), potential: results[2].pointer(as: Float.self),
      fired: last(layout.fired), adaptation: last(layout.adaptation), recovery: last(layout.recovery))
  }

  func gradients(_ arriving: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?] {
    let arriving = arriving.map { $0?.packed }, state = inputs[3].shape
    func arrives(_ place: Int?) -> UnsafePointer<Float>? {
      place.flatMap { arriving[$0] }.map { UnsafePointer($0.pointer(as: Float.self)) }
    }
    // Of each lane; leak and threshold only where they are asked for.
    var found: [Tensor?] = inputs.indices.map { place in
      switch place {
      case 0: Tensor(uninitialized: inputs[0].shape, .float32)
      case 1, 2: needsGradient[place] ? Tensor(uninitialized: state, .float32) : nil
      case layout.recovery: nil
      default: Tensor(uninitialized: state, .float32)
      }
    }
    func leaves(_ place: Int?) -> UnsafeMutablePointer<Float>? {
      place.flatMap { found[$0] }.map { $0.pointer(as: Float.self) }
    }
    var spec = spec, ins = ins, outs = outs
    var gradients = callosum_spiking_gradients(
      spikes: arrives(0), potentials: arrives(1), last_potential: arrives(2),
      last_fired: arrives(layout.fired.map(layout.result)),
      last_adaptation: arrives(layout.adaptation.map(layout.result)), current: leaves(0), leak: leaves(1),
      threshold: leaves(2), keep: leaves(layout.keep), jump: leaves(layout.jump), potential: leaves(3),
      fired: leaves(layout.fired), adaptation: leaves(layout.adaptation))
    // Packed copies belong to this array alone: without this they may be freed before the kernel reads them.
    withExtendedLifetime((arriving, found)) {
      callosum_integrate_and_fire_backward(&spec, &ins, &outs, &gradients)
    }
    for place in [1, 2, layout.keep, layout.jump].compactMap({ $0 }) {
      found[place] = found[place]?.summed(to: inputs[place].shape)
    }
    return found
  }
}
