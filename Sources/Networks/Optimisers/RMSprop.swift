import CallosumKernels
import CallosumTensors

/// RMSprop (Tieleman and Hinton 2012) as PyTorch has it: v = α v + (1 - α) g², d = g / (sqrt(v) + ε);
/// `centered` takes the variance v - m² with m = α m + (1 - α) g; with momentum μ the step is along
/// b = μ b + d, otherwise along d. Weight decay enters the gradient.
public final class RMSprop: ElementwiseOptimiser {
  private let smoothing, epsilon, momentum: Double
  private let centered: Bool

  public init(
    _ parameters: [NamedParameter], learningRate: Double = 1e-2, smoothing: Double = 0.99,
    epsilon: Double = 1e-8, momentum: Double = 0, centered: Bool = false, weightDecay: Double = 0,
    groups: [ParameterGroup] = []
  ) {
    (self.smoothing, self.epsilon, self.momentum) = (smoothing, epsilon, momentum)
    self.centered = centered
    super.init(
      "RMSprop", parameters, learningRate: learningRate, weightDecay: weightDecay, groups: groups,
      keeping: [("square", 0)] + (centered ? [("mean", 0)] : []) + (momentum > 0 ? [("velocity", 0)] : []))
  }

  override func apply(_ step: Step) {
    callosum_rmsprop(
      step.x, step.gradient, step.kept[0], centered ? step.kept[1] : nil,
      momentum > 0 ? step.kept.last : nil, step.count, Float(step.rate), Float(smoothing),
      Float(epsilon), Float(momentum), Float(step.weightDecay))
  }
}
