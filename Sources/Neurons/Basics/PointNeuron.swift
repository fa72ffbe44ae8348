import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Neurons without extent in space, which their inputs drive through one matrix: [batch, time, width] -> how often
/// each fires in the time of a token [batch, time, outputWidth]. What drives them is one product for all tokens; the
/// rest is not linear in the state, neither a scan nor to be had in chunks, and goes token by token.
protocol PointNeuron: NeuronModel {
  /// From what comes in to currents.
  var weights: Linear { get }
  /// What the time of a token does under currents [batch, neurons].
  func advanced(_ current: Tensor, _ state: State) -> (spikes: Tensor, state: State)
}

extension PointNeuron {
  public var hasSurrogateDerivatives: Bool { true }

  public func step(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (spikes, after) = advanced(weights(x), state)
    return (spikes, after)
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (outputs, last) = scan(over: [weights(x)], initial: state, by: parameters()) { current, state in
      let (spikes, after) = self.advanced(current[0], state)
      return ([spikes], after)
    }
    return (signal("spikes", outputs[0]), last)
  }
}

/// How a neuron goes through time.
public struct TimeSettings: Configuration {
  /// Time of a token (ms).
  public var timeStep = 1.0
  /// Steps of the equations in the time of a token.
  public var substeps = 10
  public init() {}

  init(_ timeStep: Double, substeps: Int) { (self.timeStep, self.substeps) = (timeStep, substeps) }

  public func validate() throws {
    try require(timeStep > 0 && timeStep.isFinite, "timeStep must be above 0, is \(timeStep)")
    try require((1...10_000).contains(substeps), "substeps must be from 1 to 10000, is \(substeps)")
  }

  /// Time of one step of the equations (ms).
  var step: Double { timeStep / Double(substeps) }

  /// The state after all steps of a token, and the sum of the spikes in them.
  func run(
    _ state: [Tensor], _ step: (_ state: [Tensor]) -> (spikes: Tensor, state: [Tensor])
  ) -> (spikes: Tensor, state: [Tensor]) {
    var (count, state) = step(state)
    for _ in 1..<substeps {
      let next = step(state)
      (count, state) = (count + next.spikes, next.state)
    }
    return (count, state)
  }
}
