import CallosumNetworks
import CallosumTensors

/// One step of descent as everybody takes it here: AdamW on the loss in training mode, gradients clipped by
/// their joint norm.
final class GradientStep {
  private let parameters: [NamedParameter]
  private let learningRate: Double
  /// Largest joint norm of the gradients; 0 leaves them as they are.
  private let clipNorm: Double
  let optimiser: Adam

  init(_ parameters: [NamedParameter], learningRate: Double, weightDecay: Double, clipNorm: Double) {
    self.parameters = parameters
    self.learningRate = learningRate
    self.clipNorm = clipNorm
    optimiser = .adamW(parameters, learningRate: learningRate, weightDecay: weightDecay)
  }

  /// The loss before the step. Dropout and the like draw from `generator`.
  func callAsFunction(
    rateFactor: Double, using generator: inout RandomGenerator, loss: () throws -> Tensor
  ) throws -> Double {
    let (value, gradients) = try training(using: &generator) {
      try valueAndGradient(by: parameters, of: loss)
    }
    optimiser.learningRate = learningRate * rateFactor
    optimiser.update(clipNorm > 0 ? clipped(gradients, toNorm: clipNorm).gradients : gradients)
    return value.item()
  }
}
