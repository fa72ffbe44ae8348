import CallosumTensors

/// Gradient descent, with momentum μ (v = μ v + g, x -= rate · v; Nesterov's form steps along
/// g + μ v) and weight decay in the gradient.
public final class SGD: Optimiser {
  public let parameters: [NamedParameter]
  public var learningRate: Double
  private let momentum, weightDecay: Double
  private let nesterov: Bool
  private var velocities: [Tensor?]

  public init(
    _ parameters: [NamedParameter], learningRate: Double, momentum: Double = 0, nesterov: Bool = false,
    weightDecay: Double = 0
  ) {
    require(!nesterov || momentum > 0, "SGD", "Nesterov's form needs a momentum above 0")
    self.parameters = parameters
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    velocities = parameters.map { _ in nil }
  }

  public func update(_ gradients: [Tensor]) {
    requireMatch(gradients, "SGD")
    for (i, parameter) in parameters.enumerated() {
      var direction = gradients[i]
      if weightDecay != 0 { direction = direction + parameter.value * weightDecay }
      if momentum != 0 {
        let velocity = velocities[i].map { $0 * momentum + direction } ?? direction
        velocities[i] = velocity
        direction = nesterov ? direction + velocity * momentum : velocity
      }
      parameter.value = parameter.value - direction * learningRate
    }
  }

  public var state: [String: Tensor] {
    var state: [String: Tensor] = [:]
    for (i, parameter) in parameters.enumerated() {
      state["velocity.\(parameter.name)"] = velocities[i]
    }
    return state
  }

  public func restore(_ stored: [String: Tensor]) throws {
    if !stored.isEmpty {
      var expected: [String: Tensor] = [:]
      for parameter in parameters { expected["velocity.\(parameter.name)"] = parameter.value }
      try requireSameTensors(stored, as: expected, "optimiser state")
    }
    for (i, parameter) in parameters.enumerated() {
      velocities[i] = stored["velocity.\(parameter.name)"]
    }
  }
}
