import CallosumTensors

/// A population of leaky integrate-and-fire neurons, without what drives it: currents [batch, time, ..., neurons]
/// -> spikes (0 or 1) of the same shape. Time counts in steps. With all options,
///
///     c_t = synapseLeak c_(t-1) + i_t                 a synaptic current, where there is one
///     u_t = leak v_(t-1) + c_t
///     s_t = 1 if u_t >= threshold + jump a_(t-1) else 0
///     a_t = keep a_(t-1) + s_t                        where spikes raise the threshold
///
/// and v_t is what the reset leaves of u_t (``SpikingRule``). All steps are one fused run.
///
/// Parameters, each [] or [neurons] and frozen unless it is to be learned: `leak`, `threshold`, and where there are
/// any `synapseLeak`, `keep`, `jump`. What remains of something counts as 0 to 1 whatever the parameter says.
/// State, [batch, ..., neurons]: `potential`, and where the rule needs them `current`, `fired`, `adaptation`,
/// `recovery`.
public final class LIFPopulation: StatefulLayer {
  /// What a population is made of; a number is one for all neurons.
  public struct Constants: Sendable {
    /// What remains of a potential after a step.
    public var leak: Double
    public var threshold: Double
    /// What remains of the synaptic current after a step; nil if currents act at once.
    public var synapseLeak: Double?
    /// What remains after a step of what spikes add to the threshold, and how much a spike adds.
    public var adaptation: (keep: Double, jump: Double)?

    public init(
      leak: Double = 0.9, threshold: Double = 1, synapseLeak: Double? = nil,
      adaptation: (keep: Double, jump: Double)? = nil
    ) {
      (self.leak, self.threshold, self.synapseLeak) = (leak, threshold, synapseLeak)
      self.adaptation = adaptation
    }
  }

  @Parameter public var leak: Tensor
  @Parameter public var threshold: Tensor
  @Parameter public var synapseLeak: Tensor?
  @Parameter public var keep: Tensor?
  @Parameter public var jump: Tensor?
  public let rule: SpikingRule
  /// [..., neurons]
  private let shape: [Int]

  /// - Parameters:
  ///   - shape: of the population, [..., neurons].
  ///   - learning: names of the parameters that learn.
  ///   - eachNeuron: whether every neuron has constants of its own.
  public init(
    _ shape: [Int], _ constants: Constants = Constants(), rule: SpikingRule = SpikingRule(),
    learning: Set<String> = [], eachNeuron: Bool = false
  ) {
    precondition(!shape.isEmpty, "LIFPopulation", "needs neurons")
    (self.shape, self.rule) = (shape, rule)
    let own = eachNeuron ? [shape[shape.count - 1]] : []
    leak = .full(own, constants.leak)
    threshold = .full(own, constants.threshold)
    synapseLeak = constants.synapseLeak.map { .full(own, $0) }
    keep = constants.adaptation.map { .full(own, $0.keep) }
    jump = constants.adaptation.map { .full(own, $0.jump) }
    freeze(recursive: false, keys: parameters().map(\.name).filter { !learning.contains($0) })
  }

  public func initialState(batch: Int) -> State {
    let zeros = Tensor.zeros([batch] + shape, dtype: leak.dtype)
    var state = State(["potential": zeros])
    if synapseLeak != nil { state["current"] = zeros }
    if rule.isLater { state["fired"] = zeros }
    if keep != nil { state["adaptation"] = zeros }
    if rule.refractory > 0 { state["recovery"] = zeros }
    return state
  }

  public func forward(_ currents: Tensor, _ state: State) -> (output: Tensor, state: State) {
    precondition(
      currents.ndim == 2 + shape.count && currents.dim(1) > 0 && Array(currents.shape[2...]) == shape,
      "LIFPopulation", "needs [batch, time] + \(shape) with a step at least, got \(currents.shape)")
    var after = state
    var drive = currents
    if let synapseLeak {
      let remains = clip(synapseLeak, min: 0, max: 1)
      drive = linearRecurrence(
        remains.broadcast(to: drive.shape), drive, initial: state["current"], axis: 1)
      after["current"] = drive.sliced(axis: 1, from: drive.dim(1) - 1).squeezed(axis: 1)
    }
    var adaptation: SpikeAdaptation?
    if let keep, let jump { adaptation = SpikeAdaptation(keep: clip(keep, min: 0, max: 1), jump: jump) }
    let run = leakyIntegrateAndFire(
      drive, axis: 1, leak: clip(leak, min: 0, max: 1), threshold: threshold, adaptation: adaptation,
      initial: SpikingState(state), rule: rule)
    run.state.carry(into: &after)
    _ = signal("potential", run.potentials)
    return (signal("spikes", run.spikes), after)
  }
}

extension SpikingState {
  fileprivate init(_ state: State) {
    func carried(_ name: String) -> Tensor? { state.names.contains(name) ? state[name] : nil }
    self.init(
      potential: state["potential"], fired: carried("fired"), adaptation: carried("adaptation"),
      recovery: carried("recovery"))
  }

  fileprivate func carry(into state: inout State) {
    state["potential"] = potential
    fired.map { state["fired"] = $0 }
    adaptation.map { state["adaptation"] = $0 }
    recovery.map { state["recovery"] = $0 }
  }
}
