import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// Spiking layers with a head for each task, in which every layer of the trunk has a ``HebbianSubspace`` (Xiao
/// et al. 2024): [batch, inputs] -> [batch, classes]. They are taught in one of the ways of
/// ``SpikingTeaching``.
///
/// The input is a current, the same at every step; a head reads the last layer's spikes, and its results are
/// averaged over time. Neurons are leaky integrators with v_t = leak v_(t-1) + W s_t - threshold spike, whose
/// threshold may be learned in the first task (the authors do where gradients come from rates, from 0.3 on,
/// and not otherwise); for those of ``SpikingTeaching/rates`` see `RateNeurons`. With a head that all tasks
/// share, it has a subspace too and is taught outside of it.
public final class SpikingPerceptron: Module {
  public struct Settings: Configuration {
    /// Units of each hidden layer.
    public var hidden = [800, 800]
    /// Steps of time for each sample.
    public var steps = 20
    /// How errors reach the weights: through time, through traces, or from rates.
    public var teaching = SpikingTeaching.throughTime
    /// What is left of a potential or trace after a step; with rates it follows from the next two.
    public var leak = 0.5
    /// With rates: time of a step, in the unit of `timeConstant`.
    public var timeStep = 0.05
    /// With rates: time constant of the potential.
    public var timeConstant = 1.0
    /// With rates: share of the threshold at which neurons fire.
    public var firingShare = 0.3
    /// Potential at which neurons fire, or the start of it where it is learned.
    public var threshold = 1.0
    /// Whether the first task learns the threshold of each layer.
    public var learnsThreshold = false
    /// No learned threshold counts as less.
    public var lowestThreshold = 5e-4
    /// Slope of the sigmoid that stands for the derivative of a spike.
    public var slope = 4.0
    /// What of the layer before enters the weights' changes.
    public var presynaptic = Presynaptic.spikes
    /// One head for all tasks in place of one for each.
    public var sharesHead = false
    /// Learning rate of the first layer's subspace.
    public var inputRate = 0.001
    /// The subspaces of the other layers.
    public var subspace = HebbianSubspace.Settings()
    public init() {}

    public func validate() throws {
      try require(!hidden.isEmpty && hidden.allSatisfy { $0 > 0 }, "hidden must be widths above 0")
      try require(steps > 0, "steps must be at least 1, is \(steps)")
      try require((0...1).contains(leak), "leak must be from 0 to 1, is \(leak)")
      try require(
        threshold > 0 && lowestThreshold > 0 && slope > 0,
        "threshold, lowestThreshold and slope must be above 0")
      try require(
        timeStep > 0 && timeConstant > 0 && firingShare > 0,
        "timeStep, timeConstant and firingShare must be above 0")
      try require(
        teaching != .traces || presynaptic != .rate,
        "subspaces that learn online, step by step, cannot learn from rates")
      try subspace.validate()
    }
  }

  /// Where a network that learns online is in time: potentials and traces of each layer, [batch, neurons].
  public struct State {
    var potentials: [Tensor]
    var traces: [Tensor]
  }

  public let trunk: [SpikingLayer]
  public private(set) var heads: [Linear] = []
  /// Of the inputs of each layer of the trunk, and at the end of a head that all tasks share.
  public let subspaces: [HebbianSubspace]
  private let settings: Settings
  private let classes: Int
  private let neurons: RateNeurons
  /// What is left after a step, of a trace, or in the weights of a rate.
  private let leak: Double

  public init(
    _ settings: Settings, inputs: Int, classes: Int, using generator: inout RandomGenerator
  ) throws {
    try settings.validate()
    (self.settings, self.classes) = (settings, classes)
    neurons = RateNeurons(
      step: settings.timeStep, constant: settings.timeConstant, share: settings.firingShare)
    leak = settings.teaching == .rates ? neurons.leak : settings.leak
    let widths = [inputs] + settings.hidden
    subspaces = (settings.sharesHead ? widths : settings.hidden.indices.map { widths[$0] }).enumerated().map {
      var subspace = settings.subspace
      if $0 == 0 { subspace.rate = settings.inputRate }
      return HebbianSubspace(width: $1, subspace)
    }
    trunk = settings.hidden.indices.map { layer in
      SpikingLayer(
        widths[layer], widths[layer + 1], bias: false, leak: settings.leak, threshold: settings.threshold,
        learnsThreshold: settings.learnsThreshold, lowestThreshold: settings.lowestThreshold,
        surrogate: .sigmoid(slope: settings.slope), using: &generator)
    }
  }

  /// Begins a task: a head for it, and new rows in every subspace, that of a shared head last.
  public func beginTask(rows: [Int], using generator: inout RandomGenerator) {
    if heads.isEmpty || !settings.sharesHead {
      heads.append(Linear(trunk.last?.weight.dim(0) ?? 0, classes, bias: false, using: &generator))
    }
    for (subspace, count) in zip(subspaces, rows) { subspace.grow(by: count, using: &generator) }
  }

  /// Ends a task: its rows are kept as they are.
  public func endTask() {
    for subspace in subspaces { subspace.merge() }
  }

  private func head(_ task: Int) -> Int { settings.sharesHead ? 0 : task }

  /// What task `task` may change: the trunk's weights, its head, and in the first task thresholds if they are
  /// learned.
  public func learned(in task: Int) -> [NamedParameter] {
    parameters().filter { one in
      if one.name.hasSuffix("threshold") { return task == 0 && settings.learnsThreshold }
      return one.name.hasPrefix("trunk") || one.name.hasPrefix("heads.\(head(task)).")
    }
  }

  /// Logits of a task: the mean of what its head says over time. With `projecting` weights learn outside the
  /// space of earlier tasks only. `visit` gets every subspace and the samples of its layer's input, [samples,
  /// inputs], such as for an update; where learning is online it gets those of one step after the other.
  public func callAsFunction(
    _ x: Tensor, task: Int, projecting: Bool = false,
    visit: (HebbianSubspace, Tensor) -> Void = { _, _ in }
  ) -> Tensor {
    let (signals, _) = passed(x, settings.steps, nil, projecting, visit)
    if !settings.sharesHead && settings.teaching == .throughTime {
      // What a head of its own says of the mean is the mean of what it says.
      return heads[task](signals.spikes.mean(axis: 0))
    }
    return averaged(outputs(of: signals, task, settings.steps, projecting, visit))
  }

  /// The loss of a task; online, it is the mean of each step's own.
  public func loss(
    _ x: Tensor, _ labels: Tensor, task: Int, projecting: Bool = false,
    visit: (HebbianSubspace, Tensor) -> Void = { _, _ in }
  ) -> Tensor {
    guard settings.teaching == .traces else {
      return crossEntropy(
        logits: self(x, task: task, projecting: projecting, visit: visit), targets: labels)
    }
    let all = outputs(x, task: task, projecting: projecting, visit: visit).outputs
    return crossEntropy(logits: all, targets: labels.broadcast(to: [all.dim(0)] + labels.shape))
  }

  private func averaged(_ outputs: Tensor) -> Tensor {
    settings.teaching == .rates ? weightedRate(outputs, leak: leak) : outputs.mean(axis: 0)
  }

  /// What the head of a task says at each step, [steps, batch, classes], and the state to go on with: to learn
  /// at every step, take one after the other.
  public func outputs(
    _ x: Tensor, task: Int, steps: Int? = nil, from state: State? = nil, projecting: Bool = false,
    visit: (HebbianSubspace, Tensor) -> Void = { _, _ in }
  ) -> (outputs: Tensor, state: State) {
    precondition(
      state == nil || settings.teaching != .rates, "SpikingPerceptron",
      "rates are those of a whole sequence; there is no state to begin with")
    let steps = steps ?? settings.steps
    let (signals, after) = passed(x, steps, state, projecting, visit)
    return (outputs(of: signals, task, steps, projecting, visit), after)
  }

  private func outputs(
    of signals: Signals, _ task: Int, _ steps: Int, _ projecting: Bool,
    _ visit: (HebbianSubspace, Tensor) -> Void
  ) -> Tensor {
    let head = heads[head(task)], subspace = settings.sharesHead ? subspaces.last : nil
    return product(signals, head.weight, head.bias, subspace, steps: steps, projecting: projecting, visit)
  }

  /// The last layer's spikes, and the state after them.
  private func passed(
    _ x: Tensor, _ steps: Int, _ state: State?, _ projecting: Bool,
    _ visit: (HebbianSubspace, Tensor) -> Void
  ) -> (Signals, State) {
    var after = State(potentials: [], traces: [])
    var signals = Signals(spikes: x, trace: nil)
    for (place, layer) in trunk.enumerated() {
      var current = product(
        signals, layer.weight, nil, subspaces[place], steps: steps, projecting: projecting, visit)
      if settings.teaching != .rates { current = layer.scaled(current) }
      if place == 0 {
        current = current.expandedDimensions(axis: 0).broadcast(to: [steps] + current.shape)
      }
      let before = state?.potentials[place]
      let spikes: Tensor
      switch settings.teaching {
      case .throughTime:
        let course = layer.fired(current, from: before)
        spikes = course.spikes
        after.potentials.append(course.state.potential)
      case .traces:
        let course = onlineSpikes(of: layer, current, from: before)
        spikes = course.spikes
        after.potentials.append(course.state)
      case .rates:
        spikes = neurons(current, threshold: layer.effectiveThreshold)
      }
      signals = Signals(spikes: signal("spikes", spikes), trace: nil)
      if settings.teaching == .traces || settings.presynaptic == .trace
        || settings.presynaptic == .spikesAndTrace
      {
        let trace = traces(
          of: stopGradient(spikes), leak: self.leak, initial: state?.traces[place])
        signals.trace = trace
        after.traces.append(trace[steps - 1])
      }
    }
    return (signals, after)
  }

  /// What a layer receives: spikes [time, batch, neurons], or the network's input [batch, inputs], and the
  /// trace of the spikes.
  private struct Signals {
    var spikes: Tensor
    var trace: Tensor?
  }

  /// The product with a layer's weights; their gradient sees traces in place of spikes where learning is
  /// online, and with `projecting` what of either lies outside the subspace.
  private func product(
    _ input: Signals, _ weight: Tensor, _ bias: Tensor?, _ subspace: HebbianSubspace?, steps: Int,
    projecting: Bool, _ visit: (HebbianSubspace, Tensor) -> Void
  ) -> Tensor {
    if let subspace {
      for samples in samples(input, steps: steps) { visit(subspace, samples) }
    }
    let isOnline = settings.teaching == .traces
    let seen = stopGradient(isOnline ? input.trace ?? input.spikes : input.spikes)
    guard projecting, let subspace else {
      return isOnline
        ? projectedLinear(input.spikes, weight: weight, bias: bias, remainder: seen)
        : linear(input.spikes, weight: weight, bias: bias)
    }
    let left = subspace.remainder(seen.reshaped(-1, seen.dim(-1))).reshaped(seen.shape)
    return projectedLinear(input.spikes, weight: weight, bias: bias, remainder: left)
  }

  /// What a subspace learns from, [samples, neurons]: all at once, or online step after step.
  private func samples(_ input: Signals, steps: Int) -> [Tensor] {
    let spikes = stopGradient(input.spikes)
    let isOnline = settings.teaching == .traces
    // The network's input is the same at every step.
    if spikes.ndim == 2 { return [Tensor](repeating: spikes, count: isOnline ? steps : 1) }
    if settings.presynaptic == .rate { return [weightedRate(spikes, leak: leak)] }
    let trace = input.trace ?? spikes
    let signals =
      switch settings.presynaptic {
      case .trace: trace
      case .spikesAndTrace: concatenated([spikes, trace], axis: 1)
      case .spikes, .rate: spikes
      }
    return isOnline
      ? signals.split(parts: steps).map { $0.squeezed(axis: 0) } : [signals.reshaped(-1, signals.dim(-1))]
  }
}
