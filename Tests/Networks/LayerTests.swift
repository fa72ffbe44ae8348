import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// A layer with a case in Fixtures/networks/layers.safetensors, and how to call it.
struct LayerCase: Sendable, CustomStringConvertible {
  let description: String
  private let build: @Sendable (inout RandomGenerator) -> any Module
  private let call: @Sendable (any Module, [String: Tensor], Tensor) -> Tensor

  /// A layer from one tensor to one tensor.
  init(_ name: String, _ build: @escaping @Sendable (inout RandomGenerator) -> any Layer) {
    description = name
    self.build = build
    call = { module, _, x in (module as? any Layer).map { $0(x) } ?? x }
  }

  /// A module that also takes inputs without gradients.
  init<Special: Module & SendableMetatype>(
    _ name: String, _ build: @escaping @Sendable (inout RandomGenerator) -> Special,
    call: @escaping @Sendable (Special, [String: Tensor], Tensor) -> Tensor
  ) {
    description = name
    self.build = build
    self.call = { module, inputs, x in (module as? Special).map { call($0, inputs, x) } ?? x }
  }

  static let all = [
    LayerCase("attention") { MultiHeadAttention(12, heads: 3, using: &$0) },
    LayerCase("attention, causal") { MultiHeadAttention(12, heads: 3, causal: true, using: &$0) },
    LayerCase("attention, no bias") { MultiHeadAttention(12, heads: 3, bias: false, using: &$0) },
    LayerCase("attention, mask") {
      MultiHeadAttention(12, heads: 3, using: &$0)
    } call: {
      $0($2, mask: $1["seen"])
    },
    LayerCase("conv2d") { Conv2d(3, 4, kernel: (3, 2), using: &$0) },
    LayerCase("conv2d, options") {
      Conv2d(
        6, 4, kernel: (3, 3), stride: (2, 1), padding: (1, 2), dilation: (1, 2), groups: 2, bias: false,
        using: &$0)
    },
    LayerCase("conv1d") { Conv1d(5, 7, kernel: 3, using: &$0) },
    LayerCase("conv1d, options") {
      Conv1d(6, 3, kernel: 4, stride: 2, padding: 3, dilation: 2, groups: 3, bias: false, using: &$0)
    },
    LayerCase("conv3d") { Conv3d(3, 4, kernel: (2, 3, 2), using: &$0) },
    LayerCase("conv3d, options") {
      Conv3d(
        4, 6, kernel: (3, 2, 3), stride: (1, 2, 1), padding: (1, 0, 2), dilation: (1, 2, 1), groups: 2,
        bias: false, using: &$0)
    },
    LayerCase("conv1d, circular") {
      Conv1d(3, 5, kernel: 4, padding: 2, paddingMode: .circular, using: &$0)
    },
    LayerCase("conv2d, reflect") {
      Conv2d(
        2, 3, kernel: (3, 5), stride: (2, 1), padding: (1, 2), paddingMode: .reflect, using: &$0)
    },
    LayerCase("conv3d, replicate") {
      Conv3d(2, 3, kernel: (3, 3, 3), padding: (1, 2, 1), paddingMode: .replicate, using: &$0)
    },
    LayerCase("convTransposed1d") {
      ConvTransposed1d(6, 4, kernel: 4, stride: 3, padding: 1, outputPadding: 2, groups: 2, using: &$0)
    },
    LayerCase("convTransposed2d") {
      ConvTransposed2d(
        3, 5, kernel: (3, 2), stride: (2, 1), padding: (1, 0), dilation: (1, 2), using: &$0)
    },
    LayerCase("convTransposed2d, options") {
      ConvTransposed2d(
        4, 4, kernel: (3, 3), stride: (2, 2), padding: (1, 1), outputPadding: (1, 1), groups: 4,
        bias: false, using: &$0)
    },
    LayerCase("convTransposed3d") {
      ConvTransposed3d(
        2, 3, kernel: (2, 3, 2), stride: (2, 1, 2), padding: (0, 1, 1), outputPadding: (1, 0, 0), using: &$0)
    },
    LayerCase("embedding") {
      Embedding(7, 3, using: &$0)
    } call: { embedding, inputs, none in
      embedding(inputs["indices"] ?? none)
    },
    LayerCase("linear") { Linear(5, 7, using: &$0) },
    LayerCase("mlp") { MLP(5, hidden: 11, using: &$0) },
    LayerCase("layer norm") { _ in LayerNorm(7) },
    LayerCase("layer norm, no bias") { _ in LayerNorm(7, epsilon: 1e-3, bias: false) },
    LayerCase("rms norm") { _ in RMSNorm(9) },
    LayerCase("group norm") { _ in GroupNorm(groups: 3, 6) },
    LayerCase("rnn, lengths") {
      RNN(3, 5, using: &$0)
    } call: {
      recurrent($0, $1, $2)
    },
    LayerCase("gru, lengths") {
      GRU(3, 5, using: &$0)
    } call: {
      recurrent($0, $1, $2)
    },
    LayerCase("lstm, lengths") {
      LSTM(3, 5, using: &$0)
    } call: {
      recurrent($0, $1, $2)
    },
  ]

  /// Outputs and the last h as one more step, of rows of different lengths.
  private static func recurrent(_ layer: RecurrentLayer, _ inputs: [String: Tensor], _ x: Tensor) -> Tensor {
    guard let lengths = inputs["lengths"] else { return x }
    let (output, state) = layer(x, layer.initialState(batch: x.dim(0)), lengths: lengths)
    return concatenated([output, state["h"].expandedDimensions(axis: 1)], axis: 1)
  }

  /// What differs from PyTorch: values, gradients of the input and of every parameter.
  func problems() throws -> [String] {
    let golden = try Golden.tensors("networks/layers")
    var random = RandomGenerator(seed: 1)
    let module = build(&random)
    // Names, shapes and completeness are checked on the way.
    try module.load(weights: golden.group("\(description)/parameter/"))
    let inputs = golden.group("\(description)/input/")
    let parameters = module.parameters()
    let x = inputs["x"] ?? .zeros([])
    let (values, pullback) = valueAndPullback(at: [x] + parameters.map(\.value)) { all in
      [withParameters(parameters, as: Array(all.dropFirst())) { call(module, inputs, all[0]) }]
    }
    let gradients = pullback([golden["\(description)/cotangent"]])
    let allowed = Tolerance(relative: 2e-6, ofLargest: 2e-6)
    var compared = [("output", values[0], golden["\(description)/output"])]
    for (name, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
      // Indices have no gradient.
      guard let expected = golden.tensors["\(description)/gradient/\(name)"] else { continue }
      compared.append((name, gradient, expected))
    }
    return compared.compactMap { name, actual, expected in
      Comparison(actual, expected, within: allowed).problem.map { "\(name) \($0)" }
    }
  }
}

@Suite struct LayerTests {
  @Test(arguments: LayerCase.all) func agreesWithPyTorch(_ layer: LayerCase) throws {
    #expect(try layer.problems() == [])
  }

  @Test func everyGoldenLayerIsTested() throws {
    let names = try Golden.tensors("networks/layers").tensors.keys.compactMap {
      $0.split(separator: "/").first.map(String.init)
    }
    #expect(Set(names) == Set(LayerCase.all.map(\.description)))
  }

  /// Three steps of training, then evaluation with the statistics that they left.
  @Test func batchNormFollowsPyTorch() throws {
    let golden = try Golden.tensors("networks/batchNorm")
    let norm = BatchNorm(5)
    norm.weight = golden["weight"]
    norm.bias = golden["bias"]
    var random = RandomGenerator(seed: 1)
    let parameters = norm.parameters()
    for step in 0..<4 {
      func run() -> (values: [Tensor], pullback: ([Tensor?]) -> [Tensor]) {
        valueAndPullback(at: [golden["\(step).x"]] + parameters.map(\.value)) { all in
          [withParameters(parameters, as: Array(all.dropFirst())) { norm(all[0]) }]
        }
      }
      let (values, pullback) = step < 3 ? training(using: &random) { run() } : run()
      let gradients = pullback([golden["\(step).cotangent"]])
      let found =
        [("y", values[0]), ("runningMean", norm.runningMean), ("runningVariance", norm.runningVariance)]
        + zip(["gradient.x", "gradient.weight", "gradient.bias"], gradients)
      for (name, actual) in found {
        // The gradient by the input is a difference of larger numbers.
        let wrong = Comparison(
          actual, golden["\(step).\(name)"], within: Tolerance(relative: 2e-6, ofLargest: 4e-6)
        ).problem
        #expect(wrong == nil, "step \(step), \(name)")
      }
    }
  }

  @Test func batchNormNeedsMoreThanOneValue() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      _ = training(using: &random) { BatchNorm(3)(.zeros([1, 3])) }
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains(
        "BatchNorm, BatchNorm: needs more than one value per channel for the statistics of a batch, got [1, 3]"
      ))
  }
}
