import CallosumTensors

/// A dense layer of leaky integrate-and-fire neurons: [batch, time, inputs] -> spikes (0 or 1) [batch, time,
/// neurons]. Time counts in steps; potentials count in thresholds:
///
///     i_t = (W x_t + b) / threshold,   u_t = leak v_(t-1) + i_t,   s_t = 1 if u_t >= 1 else 0
///
/// and v_t is what the reset leaves of u_t (``SpikeReset``). All steps are one product and one fused run of
/// neurons. Derivatives pass back through time with the surrogate for that of a spike.
///
/// Parameters: `weight` [neurons, inputs], `bias` [neurons], `threshold` [], frozen unless it is to be learned.
/// State: `potential` [batch, neurons], v after the last step.
public final class SpikingLayer: StatefulLayer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  @Parameter public var threshold: Tensor
  /// What is left of a potential after a step.
  public let leak: Double
  /// A learned threshold counts as no less than this.
  public let lowestThreshold: Double
  /// Of potentials that count in thresholds.
  public let rule: SpikingRule

  public init(
    _ inputs: Int, _ neurons: Int, bias hasBias: Bool = true, leak: Double = 0.9, threshold: Double = 1,
    learnsThreshold: Bool = false, lowestThreshold: Double = 1e-3, surrogate: Surrogate = .fastSigmoid(),
    reset: SpikeReset = .subtract, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    precondition(
      (0...1).contains(leak) && threshold > 0 && lowestThreshold > 0, "SpikingLayer",
      "needs a leak from 0 to 1 and thresholds above 0, got \(leak), \(threshold) and \(lowestThreshold)")
    weight = initialiser.values([neurons, inputs], fanIn: inputs, fanOut: neurons, using: &generator)
    bias =
      hasBias
      ? Initialiser.fanInUniform.values([neurons], fanIn: inputs, fanOut: neurons, using: &generator) : nil
    self.threshold = .full([], threshold)
    (self.leak, self.lowestThreshold) = (leak, lowestThreshold)
    rule = SpikingRule(surrogate: surrogate, reset: reset)
    if !learnsThreshold { freeze(recursive: false, keys: ["threshold"]) }
  }

  public func initialState(batch: Int) -> State {
    State(["potential": .zeros([batch, weight.dim(0)], dtype: weight.dtype)])
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    precondition(
      x.ndim == 3 && x.dim(1) > 0, "SpikingLayer",
      "needs [batch, time, inputs] with a step at least, got \(x.shape)")
    let run = fired(scaled(linear(x, weight: weight, bias: bias)), axis: 1, from: state["potential"])
    return (run.spikes, State(["potential": run.state.potential]))
  }

  /// The threshold that counts. Where the parameter is lower, the gradient reaches it all the same.
  public var effectiveThreshold: Tensor {
    let lowest = lowestThreshold
    return straightThrough(threshold) { clip($0, min: lowest) }
  }

  /// Currents in thresholds: the same spikes, and a derivative by the threshold.
  public func scaled(_ current: Tensor) -> Tensor { current / effectiveThreshold }

  /// What the neurons do with scaled currents [..., neurons] along an axis of time, from potentials [..., neurons]
  /// before them.
  public func fired(_ current: Tensor, axis: Int = 0, from potential: Tensor? = nil) -> SpikingSequence {
    leakyIntegrateAndFire(
      current, axis: axis, leak: .full([], leak, dtype: current.dtype),
      initial: potential.map { SpikingState(potential: $0) }, rule: rule)
  }
}
