import CallosumKernels
import CallosumTensors

/// Gradient descent, with momentum μ (v = μ v + g, x -= rate · v; Nesterov's form steps along
/// g + μ v) and weight decay in the gradient.
public final class SGD: ElementwiseOptimiser {
  private let momentum: Double
  private let nesterov: Bool

  public init(
    _ parameters: [NamedParameter], learningRate: Double, momentum: Double = 0, nesterov: Bool = false,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    precondition(!nesterov || momentum > 0, "SGD", "Nesterov's form needs a momentum above 0")
    self.momentum = momentum
    self.nesterov = nesterov
    super.init(
      "SGD", parameters, learningRate: learningRate, weightDecay: weightDecay, groups: groups,
      keeping: momentum == 0 ? [] : [("velocity", 0)])
  }

  override func apply(_ step: Step) {
    callosum_sgd(
      step.x, step.gradient, step.kept.first, step.count, Float(step.rate), Float(momentum), nesterov,
      Float(step.weightDecay))
  }
}
