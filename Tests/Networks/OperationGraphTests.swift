import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// The graph of a network, and what must go together when it is made smaller: known by hand.
@Suite struct OperationGraphTests {
  private var random = RandomGenerator(seed: 6)

  /// A stem, a residual block with batch normalisation and a depthwise convolution, a concatenation with a
  /// grouped convolution beside, and a flattened head.
  private final class SmallNetwork: Layer {
    let stem, inner, outer, depthwise, beside: Conv2d
    let norm: BatchNorm
    let head: Linear

    init(using random: inout RandomGenerator) {
      stem = Conv2d(3, 4, kernel: (3, 3), padding: (1, 1), using: &random)
      inner = Conv2d(4, 5, kernel: (3, 3), padding: (1, 1), bias: false, using: &random)
      norm = BatchNorm(5)
      depthwise = Conv2d(5, 10, kernel: (3, 3), padding: (1, 1), groups: 5, using: &random)
      outer = Conv2d(10, 4, kernel: (1, 1), using: &random)
      beside = Conv2d(4, 6, kernel: (1, 1), groups: 2, using: &random)
      head = Linear(4 * 10, 7, using: &random)
    }

    func forward(_ x: Tensor) -> Tensor {
      let start = relu(stem(x))
      let sum = start + outer(relu(depthwise(norm(inner(start)))))
      let both = concatenated([sum, beside(start)], axis: -1)
      let pooled = averagePool2d(both, kernel: (2, 2))
      return head(pooled.reshaped(pooled.dim(0), -1))
    }
  }

  private func slices(_ coupling: AxisCoupling) -> [String] { coupling.slices.map(\.description) }

  // MARK: The graph

  @Test mutating func graphsCanBeRead() {
    let network = Sequential(
      Linear(3, 4, using: &random), Lambda(relu), Linear(4, 2, bias: false, using: &random))
    let x = random.normal([5, 3])
    let graph = network.operationGraph(at: [x]) { [network($0[0])] }
    #expect(
      graph.description == """
        0 input [5, 3] 'input 0'
        1 input [4, 3] 'layers.0.weight'
        2 input [4] 'layers.0.bias'
        3 input [2, 4] 'layers.2.weight'
        4 linear [5, 4] of input 0, layers.0.weight, layers.0.bias in layers.0 (Linear)
        5 relu [5, 4] of 4 in layers.1 (Lambda)
        6 linear [5, 2] of 5, layers.2.weight in layers.2 (Linear) -> output
        """, "\(graph)")
    #expect(graph.outputs == [6] && graph.operations("linear").map(\.id) == [4, 6])
    #expect(graph.input("layers.2.weight").map { graph.consumers(of: $0).map(\.id) } == [6])
    #expect(graph.producers(of: graph.nodes[6]).map(\.id) == [5, 3])
    // The module has its own weights again, and nothing is recorded afterwards.
    #expect(network(x).floats == gradientFree(network, x))
  }

  private func gradientFree(_ network: Sequential, _ x: Tensor) -> [Float] {
    withoutRecording { network(x).floats }
  }

  @Test func graphsShowWhatIsHidden() {
    let x = Tensor([1.0, 2, 3]), constant = Tensor([4.0, 5, 6])
    let graph = operationGraph(at: [x], named: ["x"]) { inputs in
      // A checkpoint from the inside, one constant for two uses, several results, an inner derivative.
      let inner = checkpointed(at: inputs) { [exp($0[0]) * constant] }[0]
      let parts = (inner + constant).split(sizes: [1, 2])
      return [parts[1], gradient(at: inputs[0]) { square($0).sum() }]
    }
    #expect(graph.operations("exp").count == 1 && graph.operations("checkpointed").isEmpty)
    let uses = ["multiply", "add"].compactMap { graph.operations($0).first?.inputs[1] }
    #expect(uses.count == 2 && uses[0] == uses[1] && graph.nodes[uses[0]].kind == .constant)
    #expect(
      graph.operations("split").map(\.kind) == [
        .operation("split", result: 0), .operation("split", result: 1),
      ])
    #expect(graph.nodes[graph.outputs[0]].shape == [2])
    #expect(graph.operations("square").first.map { graph.producers(of: $0).first?.name } == "x")
  }

  // MARK: Coupling

  @Test mutating func residualChannels() {
    let network = SmallNetwork(using: &random), x = random.normal([1, 4, 4, 3])
    let graph = network.operationGraph(at: [x]) { [network($0[0])] }
    // The stream: the stem, the sum, both branches' inputs, a grouped convolution of 2 times 2 inputs, where
    // channel 3 is the second of its group and takes the first group's second (channel 1) with it, and the
    // head's columns (place times 10 channels + channel).
    let stream = graph.coupled("stem.weight", axis: 0, indices: [3])
    #expect(
      slices(stream) == [
        "beside.weight[axis 3: [1]]", "head.weight[axis 1: [1, 3, 11, 13, 21, 23, 31, 33]]",
        "inner.weight[axis 3: [1, 3]]", "outer.bias[axis 0: [1, 3]]", "outer.weight[axis 0: [1, 3]]",
        "stem.bias[axis 0: [1, 3]]", "stem.weight[axis 0: [1, 3]]",
      ], "\(slices(stream))")
    #expect(!stream.reachesOutput && stream.opaque.isEmpty)
    // The same set from any of its members.
    for slice in stream.slices {
      #expect(slices(graph.coupled(slice.name, axis: slice.axis, indices: slice.indices)) == slices(stream))
    }
    // The inside: normalisation passes through with its statistics, each depthwise channel has two results.
    let inside = graph.coupled("inner.weight", axis: 0, indices: [2])
    #expect(
      slices(inside) == [
        "depthwise.bias[axis 0: [4, 5]]", "depthwise.weight[axis 0: [4, 5]]", "inner.weight[axis 0: [2]]",
        "norm.bias[axis 0: [2]]", "norm.runningMean[axis 0: [2]]", "norm.runningVariance[axis 0: [2]]",
        "norm.weight[axis 0: [2]]", "outer.weight[axis 3: [4, 5]]",
      ], "\(slices(inside))")
    // Behind the four channels of the sum; the other group of three loses its second too.
    let beside = graph.coupled("beside.bias", axis: 0, indices: [1])
    #expect(
      slices(beside) == [
        "beside.bias[axis 0: [1, 4]]", "beside.weight[axis 0: [1, 4]]",
        "head.weight[axis 1: [5, 8, 15, 18, 25, 28, 35, 38]]",
      ], "\(slices(beside))")
    #expect(slices(graph.coupled("head.weight", axis: 1, indices: [25])) == slices(beside))
    // Pictures and classes.
    #expect(
      slices(graph.coupled("input 0", axis: 3, indices: [1])) == [
        "input 0[axis 3: [1]]", "stem.weight[axis 3: [1]]",
      ])
    let classes = graph.coupled("head.bias", axis: 0, indices: [6])
    #expect(
      slices(classes) == ["head.bias[axis 0: [6]]", "head.weight[axis 0: [6]]"] && classes.reachesOutput)
  }

  /// The smaller network computes what the larger one does with the coupled channels at 0.
  @Test mutating func shrunkEqualsMasked() {
    let stem = Conv2d(3, 4, kernel: (3, 3), padding: (1, 1), using: &random)
    let inner = Conv2d(4, 5, kernel: (3, 3), padding: (1, 1), using: &random), norm = BatchNorm(5)
    let outer = Conv2d(5, 4, kernel: (1, 1), using: &random), head = Linear(4 * 4, 7, using: &random)
    let network = Sequential(stem, inner, norm, outer, head)
    norm.runningMean = random.normal([5])
    norm.bias = random.normal([5])
    func forward(_ inputs: [Tensor]) -> [Tensor] {
      let start = relu(stem(inputs[0]))
      let pooled = maxPool2d(start + outer(relu(norm(inner(start)))), kernel: (2, 2))
      return [head(pooled.reshaped(pooled.dim(0), -1))]
    }
    let x = random.normal([3, 4, 4, 3])
    let graph = network.operationGraph(at: [x.sliced(axis: 0, from: 0, to: 1)], of: forward)
    let gone =
      graph.coupled("layers.1.weight", axis: 0, indices: [1, 3]).slices
      + graph.coupled("layers.0.weight", axis: 0, indices: [0]).slices
    var small = network.weights(), masked = small
    for slice in gone {
      guard let now = small[slice.name], let zeroed = masked[slice.name] else { continue }
      let all = 0..<zeroed.dim(slice.axis)
      small[slice.name] = now.take(
        Tensor(all.filter { !slice.indices.contains($0) }.map { Int32($0) }), axis: slice.axis)
      let mask = Tensor(all.map { Float(slice.indices.contains($0) ? 0 : 1) })
      masked[slice.name] =
        zeroed * mask.reshaped([-1] + [Int](repeating: 1, count: zeroed.ndim - 1 - slice.axis))
    }
    let full = network.parameterCount, expected = network.withWeights(masked) { forward([x])[0] }
    for place in network.parameters() + network.buffers() { place.value = small[place.name] ?? place.value }
    #expect(
      inner.weight.shape == [3, 3, 3, 3] && head.weight.shape == [7, 12] && norm.runningMean.shape == [3])
    #expect(network.parameterCount < full)
    expectNear(forward([x])[0], expected)
  }

  @Test mutating func attentionHeads() {
    let q = Linear(8, 6, using: &random), k = Linear(8, 6, using: &random)
    let v = Linear(8, 9, bias: false, using: &random), out = Linear(9, 8, using: &random)
    let norm = LayerNorm(8)
    let network = Sequential(norm, q, k, v, out), x = random.normal([1, 5, 8])
    func forward(_ inputs: [Tensor]) -> [Tensor] {
      let y = norm(inputs[0])
      func heads(_ layer: Linear) -> Tensor { layer(y).reshaped(1, 5, 3, -1).transposed(0, 2, 1, 3) }
      let mixed = scaledDotProductAttention(queries: heads(q), keys: heads(k), values: heads(v))
      return [inputs[0] + out(mixed.transposed(0, 2, 1, 3).reshaped(1, 5, 9))]
    }
    let graph = network.operationGraph(at: [x], of: forward)
    // Head 1 of three, with rows 2 and 3 of the queries and keys, 3 to 5 of the values.
    let head = graph.coupled("layers.1.weight", axis: 0, indices: [2, 3])
    #expect(
      slices(head) == [
        "layers.1.bias[axis 0: [2, 3]]", "layers.1.weight[axis 0: [2, 3]]", "layers.2.bias[axis 0: [2, 3]]",
        "layers.2.weight[axis 0: [2, 3]]", "layers.3.weight[axis 0: [3, 4, 5]]",
        "layers.4.weight[axis 1: [3, 4, 5]]",
      ], "\(slices(head))")
    #expect(slices(graph.coupled("layers.4.weight", axis: 1, indices: [3, 4, 5])) == slices(head))
    // A channel of the stream: every layer that reads it, the normalisation, the output, the input.
    let stream = graph.coupled("layers.4.bias", axis: 0, indices: [7])
    #expect(
      slices(stream) == [
        "input 0[axis 2: [7]]", "layers.0.bias[axis 0: [7]]", "layers.0.weight[axis 0: [7]]",
        "layers.1.weight[axis 1: [7]]", "layers.2.weight[axis 1: [7]]", "layers.3.weight[axis 1: [7]]",
        "layers.4.bias[axis 0: [7]]", "layers.4.weight[axis 0: [7]]",
      ], "\(slices(stream))")
    #expect(stream.reachesOutput && stream.opaque.isEmpty)
  }

  @Test func whatDoesNotSayIsNamed() {
    let x = Tensor([3.0, 1, 2, 4], [2, 2]), w = Tensor([1.0, 2])
    let graph = operationGraph(at: [x, w], named: ["x", "w"]) { [inverse($0[0] * $0[1]), $0[0]] }
    let found = graph.coupled("w", axis: 0, indices: [1])
    #expect(found.slices == [AxisSlice("w", axis: 0, [1]), AxisSlice("x", axis: 1, [1])])
    #expect(found.opaque.map(\.operation) == ["inverse"] && found.reachesOutput)
  }
}
