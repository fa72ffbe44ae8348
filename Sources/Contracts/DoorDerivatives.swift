import CallosumNetworks
import CallosumTensors

extension Door {
  /// The outputs, and with cotangents, as 'grad.NAME', the derivative of the sum of all outputs times their
  /// cotangents by every input and parameter.
  /// - Parameters:
  ///   - cotangents: of the first output under 'g', of any under 'g.NAME'; each of the output's shape.
  ///   - isTraining: with dropout and the like.
  /// - Throws: `InvalidInput` for tensors that do not fit, and for what a part makes of them that cannot be
  ///   computed.
  public func applied(
    to inputs: [String: Tensor], cotangents: [String: Tensor] = [:], isTraining: Bool = false,
    using generator: RandomGenerator
  ) throws -> [String: Tensor] {
    for (name, cotangent) in cotangents {
      try require(
        cotangent.dtype.isFloatingPoint, "'\(name)' must be float32 or float64, is \(cotangent.dtype)")
    }
    func call(_ inputs: [String: Tensor]) throws -> [String: Tensor] {
      var random = generator
      var inner = random.stream("layers")
      return try isTraining
        ? training(using: &inner) { try self(inputs, using: &random) } : self(inputs, using: &random)
    }
    return try withErrors {
      try cotangents.isEmpty ? call(inputs) : derivatives(inputs, cotangents, of: call)
    }
  }

  private func derivatives(
    _ inputs: [String: Tensor], _ cotangents: [String: Tensor],
    of call: ([String: Tensor]) throws -> [String: Tensor]
  ) throws -> [String: Tensor] {
    let parameters = module?.parameters() ?? []
    let names = inputs.keys.sorted().filter { inputs[$0]?.dtype.isFloatingPoint ?? false }
    var results: [String: Tensor] = [:]
    let leaves = names.compactMap { inputs[$0] } + parameters.map(\.value)
    let (_, gradients) = try valueAndGradient(at: leaves) { leaves in
      let replaced = inputs.merging(zip(names, leaves)) { $1 }
      return try withParameters(parameters, as: Array(leaves.dropFirst(names.count))) {
        let outputs = try call(replaced)
        results = outputs.mapValues(stopGradient)
        return try weightedSum(outputs, cotangents)
      }
    }
    for (name, gradient) in zip(names + parameters.map(\.name), gradients) {
      results["grad.\(name)"] = gradient
    }
    return results
  }

  private func weightedSum(_ outputs: [String: Tensor], _ cotangents: [String: Tensor]) throws -> Tensor {
    var sum: Tensor?
    for (name, cotangent) in cotangents.sorted(by: { $0.key < $1.key }) {
      let of = name == "g" ? self.outputs.first?.name ?? "" : String(name.dropFirst(2))
      guard let output = outputs[of] else { throw unknownName("output", of, in: outputs.keys) }
      try require(
        output.shape == cotangent.shape,
        "'\(name)' must have the shape of '\(of)', \(output.shape), has \(cotangent.shape)")
      try require(
        output.dtype == cotangent.dtype, "'\(name)' must be \(output.dtype) as '\(of)', is \(cotangent.dtype)"
      )
      let term = (output * cotangent).sum()
      sum = sum.map { $0 + term } ?? term
    }
    guard let sum else { throw InvalidInput("there is no 'g' to derive by") }
    return sum
  }
}
