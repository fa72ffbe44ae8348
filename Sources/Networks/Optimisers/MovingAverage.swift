import CallosumKernels
import CallosumTensors

/// Exponential moving averages of weights: after each step average += (1 - decay) (weight - average),
/// from the weights at the start (Polyak and Juditsky 1992). Pass parameters, or parameters and buffers.
public final class MovingAverage {
  public let parameters: [NamedParameter]
  public var decay: Double
  /// In the order of the parameters.
  public private(set) var averages: [Tensor]

  public init(_ parameters: [NamedParameter], decay: Double = 0.999) {
    precondition(decay >= 0 && decay <= 1, "MovingAverage", "decay must lie in 0...1, is \(decay)")
    for parameter in parameters {
      precondition(
        parameter.value.dtype == .float32, "MovingAverage",
        "\(parameter.name) is \(parameter.value.dtype), not float32")
    }
    self.parameters = parameters
    self.decay = decay
    averages = parameters.map(\.value)
  }

  /// Takes in the present weights.
  public func update() {
    for (i, parameter) in parameters.enumerated() {
      let value = parameter.value.packed
      averages[i].withOwnMemory {
        callosum_move_average($0, value.pointer(as: Float.self), value.size, Float(1 - decay))
      }
    }
  }

  /// The result of `body` with the averages in place of the weights.
  public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withParameters(parameters, as: averages, body)
  }

  /// Exchanges weights and averages; a second call undoes the first.
  public func swap() {
    for (i, parameter) in parameters.enumerated() {
      (parameter.value, averages[i]) = (averages[i], parameter.value)
    }
  }

  /// The averages by name; fit for a safetensors file, also as weights.
  public var state: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), averages))
  }

  /// Takes up averages that were stored.
  /// - Throws: ``WeightsError`` if something is missing, unknown or of another shape.
  public func restore(_ stored: [String: Tensor]) throws {
    try requireSameTensors(stored, as: state, "averages")
    for (i, parameter) in parameters.enumerated() { averages[i] = stored[parameter.name] ?? averages[i] }
  }
}
