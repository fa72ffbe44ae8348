import CallosumKernels
import CallosumTensors
import Foundation

/// Adam (Kingma and Ba 2015) and, with `decoupledDecay`, AdamW (Loshchilov and Hutter 2019):
/// m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², x -= rate · m̂ / (sqrt(v̂) + ε) with the
/// bias-corrected m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ). Weight decay enters the gradient or, decoupled,
/// shrinks the parameter by rate · decay first.
public final class Adam: ElementwiseOptimiser {
  private let beta1, beta2, epsilon: Double
  private let decoupledDecay: Bool

  public init(
    _ parameters: [NamedParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0, decoupledDecay: Bool = false,
    groups: [ParameterGroup] = []
  ) {
    (beta1, beta2) = betas
    self.epsilon = epsilon
    self.decoupledDecay = decoupledDecay
    super.init(
      "Adam", parameters, learningRate: learningRate, weightDecay: weightDecay, groups: groups,
      keeping: [("mean", 0), ("square", 0)])
  }

  /// AdamW: decoupled weight decay, 0.01 by default.
  public static func adamW(
    _ parameters: [NamedParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0.01, groups: [ParameterGroup] = []
  ) -> Adam {
    Adam(
      parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
      decoupledDecay: true, groups: groups)
  }

  override func apply(_ step: Step) {
    let rate = step.rate / (1 - pow(beta1, Double(step.number)))
    let inverseRoot = 1 / (1 - pow(beta2, Double(step.number))).squareRoot()
    callosum_adam(
      step.x, step.gradient, step.kept[0], step.kept[1], step.count, Float(rate), Float(beta1),
      Float(beta2), Float(inverseRoot), Float(epsilon), Float(decoupledDecay ? 0 : step.weightDecay),
      Float(decoupledDecay ? step.rate * step.weightDecay : 0))
  }
}
