import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// What a local rule sees at one layer of weights: x [samples, inputs], y [samples, outputs] and w
/// [outputs, inputs], constants all.
struct LocalWeights {
  let x, y, w: Tensor
  var samples: Double { Double(x.dim(0)) }

  /// - Throws: ``InvalidInput`` unless there is exactly one parameter, a matrix between input and output.
  init(_ parameters: [NamedParameter], _ signals: LearningSignals, _ rule: String) throws {
    let found = parameters.map { "\($0.name) \($0.value.shape)" }.joined(separator: ", ")
    guard parameters.count == 1, let only = parameters.first, only.value.ndim == 2 else {
      throw InvalidInput(
        "\(rule) teaches one matrix of weights [outputs, inputs] and nothing else, but here is "
          + (found.isEmpty ? "nothing to learn" : found))
    }
    let (inputs, outputs) = (signals.input.dim(-1), signals.output.dim(-1))
    try require(
      only.value.shape == [outputs, inputs],
      "\(rule) needs weights [\(outputs), \(inputs)] between its input and output, but here is \(found)")
    x = stopGradient(signals.input).reshaped(-1, inputs)
    y = stopGradient(signals.output).reshaped(-1, outputs)
    w = stopGradient(only.value)
    try require(x.dim(0) > 0, "\(rule) needs at least one sample")
    try require(
      x.dim(0) == y.dim(0),
      "\(rule) needs as many inputs as outputs, but they are \(signals.input.shape) and"
        + " \(signals.output.shape)")
  }
}

extension LearningRuleMechanism {
  /// A rule for one matrix of weights as tensors in and out: `input` [samples, width], `output`
  /// [samples, outputWidth], `weight` [outputWidth, width], and what else the rule needs; out comes
  /// `direction`, shaped as the weights.
  static func localDoor(_ slot: Slot, more: [TensorPort], _ rule: @escaping ([String: Tensor]) -> Tensor)
    -> Door
  {
    let weight = TensorPort("weight", [.fixed(slot.outputWidth), .fixed(slot.width)])
    return Door(
      inputs: [TensorPort("input", [.free("samples"), .fixed(slot.width)]), weight] + more,
      outputs: [TensorPort("direction", weight.shape)], rowsAreIndependent: false
    ) { tensors, _ in
      try require(tensors["input"].map { $0.dim(0) > 0 } ?? true, "\(card.id) needs at least one sample")
      return ["direction": rule(tensors)]
    }
  }
}
