import CallosumContracts
import CallosumTensors

/// How leaky integrate-and-fire neurons fire and are reset.
public struct SpikeSettings: Configuration {
  /// What a spike takes off the potential: the threshold, all of it, or nothing.
  public var reset = SpikeReset.subtract
  /// Whether a spike takes the threshold off in its own step or in the next.
  public var timing = ResetTiming.sameStep
  /// Whether a neuron at its threshold is silent, and fires above it only.
  public var strict = false
  /// Steps after a spike in which there is no other.
  public var refractory = 0
  /// What stands for the derivative of a spike.
  public var derivative = SurrogateSettings()
  public init() {}

  public func validate() throws {
    try require((0...1000).contains(refractory), "refractory must be from 0 to 1000, is \(refractory)")
    try derivative.validate()
  }

  public var rule: SpikingRule {
    SpikingRule(
      surrogate: derivative.rule, dampening: derivative.dampening, reset: reset, timing: timing,
      detachesReset: derivative.detachesReset, isStrict: strict, refractory: refractory)
  }
}

/// What stands for the derivative of a spike.
public struct SurrogateSettings: Configuration {
  /// The surrogate, of the distance from the threshold.
  public var surrogate = Surrogate.Shape.fastSigmoid
  /// How steep it is, in its own measure; 0 for what is usual for it.
  public var slope = 0.0
  /// A factor of it; below 1 it keeps derivatives through many steps small.
  public var dampening = 1.0
  /// Whether derivatives leave out the path from the potential through the spike to the reset.
  public var detachesReset = true
  public init() {}

  init(_ surrogate: Surrogate.Shape, slope: Double, dampening: Double) {
    (self.surrogate, self.slope, self.dampening) = (surrogate, slope, dampening)
  }

  public func validate() throws {
    try require(slope >= 0 && slope.isFinite, "slope must be 0 or above, is \(slope)")
    try require(dampening > 0 && dampening.isFinite, "dampening must be above 0, is \(dampening)")
  }

  public var rule: Surrogate { slope > 0 ? surrogate.surrogate(slope) : surrogate.usual }

  /// Whether a distance from the threshold is above 0, or at it; and the spike as the reset sees it.
  func spike(at distance: Tensor, strict: Bool = false) -> (spikes: Tensor, resets: Tensor) {
    let spikes = CallosumTensors.spike(distance, surrogate: rule, strict: strict, dampening: dampening)
    return (spikes, detachesReset ? stopGradient(spikes) : spikes)
  }
}
