import CallosumKernels
import CallosumTensors

/// Adam (Kingma and Ba 2015) and, with `decoupledDecay`, AdamW (Loshchilov and Hutter 2019):
/// m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², x -= rate · m̂ / (sqrt(v̂) + ε) with the
/// bias-corrected m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ). Weight decay enters the gradient or, decoupled,
/// shrinks the parameter by rate · decay first.
public final class Adam: Optimiser {
  public let parameters: [NamedParameter]
  public var learningRate: Double
  private let beta1, beta2, epsilon, weightDecay: Double
  private let decoupledDecay: Bool
  private var means: [Tensor]
  private var squares: [Tensor]
  private var steps = 0

  public init(
    _ parameters: [NamedParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0, decoupledDecay: Bool = false
  ) {
    self.parameters = parameters
    self.learningRate = learningRate
    (beta1, beta2) = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decoupledDecay = decoupledDecay
    means = parameters.map { .zeros(like: $0.value) }
    squares = parameters.map { .zeros(like: $0.value) }
  }

  /// AdamW: decoupled weight decay, 0.01 unless told otherwise.
  public static func adamW(
    _ parameters: [NamedParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0.01
  ) -> Adam {
    Adam(
      parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
      decoupledDecay: true)
  }

  public func update(_ gradients: [Tensor]) {
    requireMatch(gradients, "Adam")
    steps += 1
    let rate = learningRate / (1 - power(beta1, steps))
    let inverseRoot = 1 / (1 - power(beta2, steps)).squareRoot()
    for (i, parameter) in parameters.enumerated() {
      let gradient = gradients[i].packed
      require(gradient.dtype == .float32, "Adam", "\(parameter.name) is \(gradient.dtype), not float32")
      parameter.withOwnMemory { x in
        means[i].withOwnMemory { mean in
          squares[i].withOwnMemory { square in
            callosum_adam(
              x, gradient.pointer(as: Float.self), mean, square, gradient.size, Float(rate),
              Float(beta1), Float(beta2), Float(inverseRoot), Float(epsilon),
              Float(decoupledDecay ? 0 : weightDecay),
              Float(decoupledDecay ? learningRate * weightDecay : 0))
          }
        }
      }
    }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    for _ in 0..<exponent { result *= base }
    return result
  }

  public var state: [String: Tensor] {
    var state = ["steps": Tensor(Int32(steps))]
    for (i, parameter) in parameters.enumerated() {
      state["mean.\(parameter.name)"] = means[i]
      state["square.\(parameter.name)"] = squares[i]
    }
    return state
  }

  public func restore(_ stored: [String: Tensor]) throws {
    try requireSameTensors(stored, as: state, "optimiser state")
    steps = stored["steps"].map { Int($0.item) } ?? 0
    for (i, parameter) in parameters.enumerated() {
      means[i] = stored["mean.\(parameter.name)"] ?? means[i]
      squares[i] = stored["square.\(parameter.name)"] ?? squares[i]
    }
  }
}
