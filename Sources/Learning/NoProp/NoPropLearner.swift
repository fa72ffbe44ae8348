import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Trains a ``NoProp`` with AdamW, which treats every number by itself: nothing couples one block to
/// another, neither a gradient nor a joint norm.
public final class NoPropLearner: Learner {
  public let network: NoProp
  public var rateFactor = 1.0
  public var module: any Module { network }
  private let rate: Double
  private let parameters: [NamedParameter]
  private let optimiser: Adam
  private let sampling: RandomGenerator

  /// `sampling` draws the noise of predictions, the same at every call.
  public init(
    _ network: NoProp, learningRate: Double = 1e-3, weightDecay: Double = 0.001, sampling: RandomGenerator
  ) {
    self.network = network
    self.sampling = sampling
    rate = learningRate
    parameters = network.parameters()
    optimiser = .adamW(parameters, learningRate: learningRate, weightDecay: weightDecay)
  }

  /// Targets are classes [batch]; inputs any shape with the batch first.
  public func learn(
    _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
  ) throws -> Double {
    try require(
      objective == .classes(network.classes),
      "noprop learns \(network.classes) classes, one for each input")
    var noise = generator
    let (loss, gradients) = valueAndGradient(by: parameters) {
      network.losses(batch.inputs, batch.targets, using: &noise).mean()
    }
    generator = noise
    optimiser.learningRate = rate * rateFactor
    optimiser.update(gradients)
    return loss.item()
  }

  public func predict(_ inputs: Tensor) -> Tensor {
    var noise = sampling
    return network(inputs, using: &noise)
  }

  public var state: [String: Tensor] { optimiser.state }
  public func restore(_ state: [String: Tensor]) throws { try optimiser.restore(state) }
}
