import CallosumKernels
import CallosumTensors

/// Lion (Chen et al. 2023, algorithm 2): x -= rate · (sign(β₁ m + (1 - β₁) g) + decay · x), then
/// m = β₂ m + (1 - β₂) g.
public final class Lion: ElementwiseOptimiser {
  private let beta1, beta2: Double

  public init(
    _ parameters: [NamedParameter], learningRate: Double = 1e-4, betas: (Double, Double) = (0.9, 0.99),
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    (beta1, beta2) = betas
    super.init(
      "Lion", parameters, learningRate: learningRate, weightDecay: weightDecay, groups: groups,
      keeping: [("mean", 0)])
  }

  override func apply(_ step: Step) {
    callosum_lion(
      step.x, step.gradient, step.kept[0], step.count, Float(step.rate), Float(beta1), Float(beta2),
      Float(step.rate * step.weightDecay))
  }
}
