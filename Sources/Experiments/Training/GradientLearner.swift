import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A network that learns by backpropagation and AdamW.
package final class GradientLearner: Learner {
  package let module: any Module
  package var rateFactor = 1.0
  private let forward: (Tensor) -> Tensor
  private let settings: TrainingSettings
  private let parameters: [NamedParameter]
  private let optimiser: Adam

  /// `forward` is what `module` computes for a batch of inputs. Learning rate, weight decay, clipping and
  /// label smoothing are those of `settings`.
  package init(_ module: any Module, _ settings: TrainingSettings, forward: @escaping (Tensor) -> Tensor) {
    self.module = module
    self.forward = forward
    self.settings = settings
    parameters = module.parameters()
    optimiser = .adamW(
      parameters, learningRate: settings.learningRate, weightDecay: settings.weightDecay)
  }

  package convenience init(_ layer: any Layer, _ settings: TrainingSettings) {
    self.init(layer, settings) { layer($0) }
  }

  package func learn(
    _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
  ) -> Double {
    let (loss, gradients) = training(using: &generator) {
      valueAndGradient(by: parameters) {
        objective.loss(forward(batch.inputs), batch, labelSmoothing: settings.labelSmoothing)
      }
    }
    optimiser.learningRate = settings.learningRate * rateFactor
    optimiser.update(
      settings.clipNorm > 0 ? clipped(gradients, toNorm: settings.clipNorm).gradients : gradients)
    return loss.item()
  }

  package func predict(_ inputs: Tensor) -> Tensor { forward(inputs) }

  package var state: [String: Tensor] { optimiser.state }

  package func restore(_ state: [String: Tensor]) throws { try optimiser.restore(state) }
}
