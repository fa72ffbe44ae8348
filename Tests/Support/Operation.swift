import CallosumTensors

/// An operation, what to try it on, and what the conformance checks need to know of it. One list of them
/// serves all checks: values and gradients, types, NaN.
public struct Operation: Sendable, CustomStringConvertible {
  public let name: String
  /// What it is tried on, where it has no golden file.
  let ownSamples: [Sample]?
  /// Floating-point inputs that the operation takes as constants.
  let constants: Set<String>
  /// Inputs that say something else in another type, such as masks that are added or choose.
  let readsByType: Set<String>
  /// Cases whose inputs lie where the function has no derivative, so that its gradient is a
  /// convention and not a limit.
  let kinks: Set<String>
  /// Of values and gradients in float32.
  let tolerance: Tolerance
  /// For cases whose numbers cancel, so that float32 cannot do better.
  let cancelling: [String: Tolerance]
  public let call: @Sendable (Inputs, Arguments) -> Tensor

  public init(
    _ name: String, constants: Set<String> = [], readsByType: Set<String> = [], kinks: Set<String> = [],
    tolerance: Tolerance = Tolerance(relative: 2e-6, ofLargest: 2e-6),
    cancelling: [String: Tolerance] = [:],
    _ call: @escaping @Sendable (Inputs, Arguments) -> Tensor
  ) {
    self.name = name
    ownSamples = nil
    (self.constants, self.readsByType) = (constants, readsByType)
    self.kinks = kinks
    self.tolerance = tolerance
    self.cancelling = cancelling
    self.call = call
  }

  /// An operation without a golden file: values are held elsewhere, laws here. It is tried on these inputs;
  /// of its arguments nothing is known.
  public init(
    _ name: String, on samples: [String: Tensor]..., constants: Set<String> = [],
    readsByType: Set<String> = [],
    _ call: @escaping @Sendable (Inputs) -> Tensor
  ) {
    self.name = name
    ownSamples = samples.enumerated().map { Sample(name: "sample \($0.offset)", inputs: $0.element) }
    (self.constants, self.readsByType) = (constants, readsByType)
    (kinks, tolerance, cancelling) = ([], Tolerance(relative: 2e-6, ofLargest: 2e-6), [:])
    self.call = { inputs, _ in call(inputs) }
  }

  public var description: String { name }
}

/// What an operation is tried on.
public struct Sample: Sendable {
  public let name: String
  public var inputs: [String: Tensor]
  public var arguments = Arguments()
}

extension Operation {
  /// What it is tried on: its own samples, or the cases of its golden file, laid out in memory as they ask,
  /// of which those with more than so many numbers are left out where there are smaller ones.
  public func samples(upTo most: Int = 5000) throws -> [Sample] {
    let all =
      try ownSamples
      ?? Golden.cases(of: name).map { one in
        Sample(
          name: one.name,
          inputs: Dictionary(
            uniqueKeysWithValues: one.inputs.map { ($0, $1.laidOut(one.layouts[$0] ?? "contiguous")) }),
          arguments: one.arguments)
      }
    let small = all.filter { sample in sample.inputs.values.reduce(0) { $0 + $1.size } <= most }
    return small.isEmpty ? all : small
  }

  /// The result for a sample.
  public func callAsFunction(_ sample: Sample) -> Tensor { call(Inputs(sample.inputs), sample.arguments) }
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
