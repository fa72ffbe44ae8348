import CallosumNetworks
import CallosumTensors

/// A built part as named tensors in, named tensors out: what the command line, the conformance suite and
/// anybody who checks a part from outside need to know of it, whatever its kind.
public struct Door {
  /// Parameters and buffers, if the part has any.
  public let module: (any Module)?
  public let inputs: [TensorPort]
  public let outputs: [TensorPort]
  /// Which axis of the inputs and outputs that are not carried is time or a sequence, if one is.
  public let sequenceAxis: Int?
  /// Whether results depend on nothing later along the sequence.
  public let isCausal: Bool
  /// Whether each row of the batch has its result for itself.
  public let rowsAreIndependent: Bool
  /// Whether derivatives pass through what has none, such as a spike, by something that stands for it.
  public let hasSurrogateDerivatives: Bool
  /// Parameters that no gradient reaches, by the beginning of their names, and why.
  public let withoutGradient: [String: String]
  /// Whether some parameters start from random numbers.
  public let startsAtRandom: Bool
  private let body: ([String: Tensor], inout RandomGenerator) throws -> [String: Tensor]

  /// A door whose `body` gets every input that is not optional, checked, and some of the optional ones.
  public init(
    module: (any Module)? = nil, inputs: [TensorPort], outputs: [TensorPort], sequenceAxis: Int? = nil,
    isCausal: Bool = false, rowsAreIndependent: Bool = true, hasSurrogateDerivatives: Bool = false,
    withoutGradient: [String: String] = [:],
    startsAtRandom: Bool = true,
    body: @escaping ([String: Tensor], inout RandomGenerator) throws -> [String: Tensor]
  ) {
    self.module = module
    self.inputs = inputs
    self.outputs = outputs
    self.sequenceAxis = sequenceAxis
    self.isCausal = isCausal
    self.rowsAreIndependent = rowsAreIndependent
    self.hasSurrogateDerivatives = hasSurrogateDerivatives
    self.withoutGradient = withoutGradient
    self.startsAtRandom = startsAtRandom
    self.body = body
  }

  /// The names of the tensors that an earlier call hands to a later one: they are inputs and outputs.
  public var carried: [String] {
    inputs.map(\.name).filter { name in outputs.contains { $0.name == name } }
  }

  /// - Throws: `InvalidInput` for a tensor that is missing, unknown or does not fit.
  public func callAsFunction(
    _ tensors: [String: Tensor], using generator: inout RandomGenerator
  ) throws -> [String: Tensor] {
    try check(tensors.mapValues { ($0.dtype, $0.shape) })
    for port in inputs { if let tensor = tensors[port.name] { try port.checkValues(tensor) } }
    return try body(tensors, &generator)
  }

  /// Whether tensors of these types and shapes can go in, before anybody has read them.
  /// - Throws: `InvalidInput` for one that is missing, unknown or does not fit.
  package func check(_ tensors: [String: (type: DType, shape: [Int])]) throws {
    for name in tensors.keys.sorted() where !inputs.contains(where: { $0.name == name }) {
      throw unknownName("input", name, in: inputs.map(\.name))
    }
    var sizes: [String: Int] = [:]
    for port in inputs {
      if let tensor = tensors[port.name] {
        try port.check(tensor.type, tensor.shape, &sizes)
      } else if !port.isOptional {
        throw InvalidInput("the input '\(port.name)' \(port.shapeText) is missing")
      }
    }
  }

  /// Made-up inputs, the optional ones left out.
  public func exampleInputs(
    _ sizes: [String: Int], using generator: inout RandomGenerator
  ) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for port in inputs where !port.isOptional {
      tensors[port.name] = port.example(sizes, using: &generator)
    }
    return tensors
  }
}
