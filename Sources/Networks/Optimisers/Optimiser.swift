import CallosumTensors

/// Turns gradients into changes of parameters. Its state can be stored and taken up again.
public protocol Optimiser: AnyObject {
  /// The parameters it changes, in the order of the gradients it is given.
  var parameters: [NamedParameter] { get }
  var learningRate: Double { get set }
  /// One step down the gradients.
  func update(_ gradients: [Tensor])
  /// What it remembers between steps, by name.
  var state: [String: Tensor] { get }
  /// Takes up what another session remembered.
  /// - Throws: ``WeightsError`` if something is missing, unknown or of another shape.
  func restore(_ state: [String: Tensor]) throws
}

extension Optimiser {
  func requireMatch(_ gradients: [Tensor], _ name: StaticString) {
    require(
      gradients.count == parameters.count, name,
      "got \(gradients.count) gradients for \(parameters.count) parameters")
    for (gradient, parameter) in zip(gradients, parameters) {
      require(
        gradient.shape == parameter.value.shape, name,
        "\(parameter.name) has shape \(parameter.value.shape), its gradient \(gradient.shape)")
    }
  }
}

/// The gradients scaled down together so that their joint Euclidean norm is at most `largest`, and
/// the norm before.
public func clipped(_ gradients: [Tensor], toNorm largest: Double) -> (gradients: [Tensor], norm: Double) {
  let norm = gradients.map { square($0).sum().item }.reduce(0, +).squareRoot()
  guard norm > largest else { return (gradients, norm) }
  let scale = largest / norm
  return (gradients.map { $0 * scale }, norm)
}
