import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Leaky integrate-and-fire neurons, which their inputs drive through one matrix: [batch, time, width] -> spikes
/// (0 or 1) [batch, time, outputWidth]. Time counts in steps; with all options
///
///     i_t = W x_t + b + R s_(t-1)                      R only where neurons hear each other
///     c_t = synapseLeak c_(t-1) + i_t                  a synaptic current, where synapseLeak is above 0
///     u_t = leak v_(t-1) + c_t                         or (1 - leak) c_t, where inputs are scaled
///     s_t = 1 if u_t >= threshold else 0
///
/// and v_t = u_t - threshold s_t, or what another reset leaves of u_t (``SpikingRule``). The derivative of a spike
/// is a surrogate (Neftci et al. 2019). Both conventions of the field are settings:
///
/// | package | settings |
/// | --- | --- |
/// | snnTorch `Leaky(beta)`, `Synaptic(alpha, beta)`, `RLeaky` | `leak` beta, `synapseLeak` alpha, `timing` "next step", `strict` |
/// | SpikingJelly `LIFNode(tau)` | `leak` 1 - 1/tau, `scalesInput`, `reset` "zero", `surrogate` "sigmoid" with `slope` 4, `detachesReset` false |
///
/// (snnTorch's `Synaptic` with a reset to 0 takes the current of the next step with it; ours does not.)
///
/// Potentials are relative to rest, to which leak and reset return.
///
/// Parameters: `weights` W [outputWidth, width] and b, `recurrent.weight` R [outputWidth, outputWidth];
/// `neurons.leak`, `neurons.threshold`, `neurons.synapseLeak`, each [] or [outputWidth], frozen unless learned. The
/// state is that of ``LIFPopulation``. Without recurrence all steps are one product and one fused run; with it,
/// each step waits for the one before.
public final class LIF: NeuronModel {
  public struct Settings: Configuration {
    /// What remains of a potential after a step.
    public var leak = 0.9
    /// Whether the leak is learned.
    public var learnsLeak = false
    /// Whether what comes in counts 1 - leak, so that a constant input is where a potential tends to.
    public var scalesInput = false
    /// What remains of a synaptic current after a step; 0 if inputs act at once.
    public var synapseLeak = 0.0
    /// Whether the leak of the synaptic current is learned.
    public var learnsSynapseLeak = false
    /// Potential at which a neuron fires.
    public var threshold = 1.0
    /// Whether the threshold is learned.
    public var learnsThreshold = false
    /// Whether every neuron has constants of its own.
    public var eachNeuron = false
    /// How neurons fire and are reset.
    public var spikes = SpikeSettings()
    /// Whether neurons hear each other's spikes of the last step.
    public var recurrent = false
    /// Whether each neuron has a constant input.
    public var bias = true
    public init() {}

    public func validate() throws {
      try require((0...1).contains(leak), "leak must be from 0 to 1, is \(leak)")
      try require(synapseLeak >= 0 && synapseLeak <= 1, "synapseLeak must be from 0 to 1, is \(synapseLeak)")
      try require(
        synapseLeak > 0 || !learnsSynapseLeak, "there is no synaptic current; set synapseLeak above 0")
      try require(threshold > 0 && threshold.isFinite, "threshold must be above 0, is \(threshold)")
      try spikes.validate()
    }

    fileprivate var learning: Set<String> {
      var names: Set<String> = []
      if learnsLeak { names.insert("leak") }
      if learnsSynapseLeak { names.insert("synapseLeak") }
      if learnsThreshold { names.insert("threshold") }
      return names
    }
  }

  public static let card = Card(
    id: "lif", name: "Leaky integrate-and-fire", family: .neurons,
    paper: Paper(
      "Surrogate Gradient Learning in Spiking Neural Networks",
      by: [
        "Emre O. Neftci", "Hesham Mostafa",
        "Friedemann Zenke",
      ],
      year: 2019, link: "https://arxiv.org/abs/1901.09948"),
    summary:
      "A potential that leaks, sums what comes in, and fires at a threshold: the plainest spiking neuron, "
      + "trained through time with a surrogate for the derivative of a spike.",
    verification:
      "snnTorch 1.0.0 (Leaky, Synaptic, RLeaky) and SpikingJelly 2.0.0 (LIFNode): spikes, potentials, "
      + "gradients of every parameter")

  public static var trials: [Trial<Settings>] {
    var theirs = Settings(), full = Settings()
    (theirs.spikes.timing, theirs.spikes.strict, theirs.spikes.derivative.detachesReset) = (
      .nextStep, true, false
    )
    (theirs.learnsLeak, theirs.learnsThreshold, theirs.threshold) = (true, true, 0.5)
    (full.scalesInput, full.synapseLeak, full.learnsSynapseLeak) = (true, 0.7, true)
    (full.eachNeuron, full.recurrent, full.bias, full.leak, full.threshold) = (true, true, false, 0.6, 0.2)
    (full.spikes.reset, full.spikes.derivative.surrogate, full.spikes.refractory) = (.zero, .arctangent, 2)
    return [
      Trial(theirs, in: Slot(width: 5, outputWidth: 7, tokens: 9)),
      Trial(full, in: Slot(width: 3, outputWidth: 4, tokens: 6)),
    ]
  }

  public let weights: Linear
  public let recurrent: Linear?
  public let neurons: LIFPopulation
  private let scalesInput: Bool

  public convenience init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws
  {
    try self.init(settings, adaptation: nil, learning: [], in: slot, using: &generator)
  }

  /// With a threshold that spikes raise.
  init(
    _ settings: Settings, adaptation: (keep: Double, jump: Double)?, learning: Set<String>, in slot: Slot,
    using generator: inout RandomGenerator
  ) throws {
    let count = slot.outputWidth
    weights = Linear(slot.width, count, bias: settings.bias, using: &generator)
    recurrent = settings.recurrent ? Linear(count, count, bias: false, using: &generator) : nil
    let constants = LIFPopulation.Constants(
      leak: settings.leak, threshold: settings.threshold,
      synapseLeak: settings.synapseLeak > 0 ? settings.synapseLeak : nil, adaptation: adaptation)
    neurons = LIFPopulation(
      [count], constants, rule: settings.spikes.rule, learning: settings.learning.union(learning),
      eachNeuron: settings.eachNeuron)
    scalesInput = settings.scalesInput
  }

  public var hasSurrogateDerivatives: Bool { true }

  public func initialState(batch: Int) -> State {
    var state = neurons.initialState(batch: batch)
    if recurrent != nil { state["spikes"] = .zeros(like: state["potential"]) }
    return state
  }

  public func step(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (spikes, after) = forward(x.expandedDimensions(axis: 1), state)
    return (spikes.squeezed(axis: 1), after)
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    var drive = weights(x)
    guard let recurrent else { return neurons(scaled(drive), state) }
    drive = drive.expandedDimensions(axis: 1)
    let (spikes, last) = scan(over: [drive], axis: 2, initial: state, by: parameters()) { drive, state in
      let heard = drive[0] + recurrent(state["spikes"]).expandedDimensions(axis: 1)
      var (spikes, after) = self.neurons(self.scaled(heard), state)
      spikes = spikes.squeezed(axis: 1)
      after["spikes"] = spikes
      return ([spikes], after)
    }
    return (spikes[0].swappedAxes(1, 2), last)
  }

  private func scaled(_ drive: Tensor) -> Tensor {
    scalesInput ? drive * (1 - clip(neurons.leak, min: 0, max: 1)) : drive
  }
}
