import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A network that learns by backpropagation and AdamW.
public final class GradientLearner: Learner {
  public let module: any Module
  public var rateFactor = 1.0
  private let forward: (Tensor) throws -> Tensor
  private let labelSmoothing: Double
  private let step: GradientStep

  /// `forward` is what `module` computes for a batch of inputs. Learning rate, weight decay, clipping and
  /// label smoothing are those of `settings`.
  public init(
    _ module: any Module, _ settings: TrainingSettings, forward: @escaping (Tensor) throws -> Tensor
  ) {
    self.module = module
    self.forward = forward
    labelSmoothing = settings.labelSmoothing
    step = GradientStep(
      module.parameters(), learningRate: settings.learningRate, weightDecay: settings.weightDecay,
      clipNorm: settings.clipNorm)
  }

  public convenience init(_ layer: any Layer, _ settings: TrainingSettings) {
    self.init(layer, settings) { layer($0) }
  }

  public func learn(
    _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
  ) throws -> Double {
    try step(rateFactor: rateFactor, using: &generator) {
      objective.loss(try forward(batch.inputs), batch, labelSmoothing: labelSmoothing)
    }
  }

  public func predict(_ inputs: Tensor) throws -> Tensor { try forward(inputs) }

  public var state: [String: Tensor] { step.optimiser.state }

  public func restore(_ state: [String: Tensor]) throws { try step.optimiser.restore(state) }
}
