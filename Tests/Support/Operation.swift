import CallosumTensors

/// An operation that has a golden file, and what the conformance checks need to know of it.
public struct Operation: Sendable, CustomStringConvertible {
  public let name: String
  /// Floating-point inputs that the operation takes as constants.
  let constants: Set<String>
  /// Cases whose inputs lie where the function has no derivative, so that its gradient is a
  /// convention and not a limit.
  let kinks: Set<String>
  /// Of values and gradients in float32.
  let tolerance: Tolerance
  /// For cases whose numbers cancel, so that float32 cannot do better.
  let cancelling: [String: Tolerance]
  public let call: @Sendable (Inputs, Arguments) -> Tensor

  public init(
    _ name: String, constants: Set<String> = [], kinks: Set<String> = [],
    tolerance: Tolerance = Tolerance(relative: 2e-6, ofLargest: 2e-6),
    cancelling: [String: Tolerance] = [:],
    _ call: @escaping @Sendable (Inputs, Arguments) -> Tensor
  ) {
    self.name = name
    self.constants = constants
    self.kinks = kinks
    self.tolerance = tolerance
    self.cancelling = cancelling
    self.call = call
  }

  public var description: String { name }
}

/// The inputs of a case by name.
public struct Inputs {
  let tensors: [String: Tensor]

  public init(_ tensors: [String: Tensor]) { self.tensors = tensors }

  /// nil if the case has no such input.
  public subscript(optional name: String) -> Tensor? { tensors[name] }
  public subscript(name: String) -> Tensor {
    guard let tensor = tensors[name] else { fatalError("the golden case has no input \(name)") }
    return tensor
  }
  /// x0, x1, ...
  public var numbered: [Tensor] { (0..<tensors.count).map { self["x\($0)"] } }
}
