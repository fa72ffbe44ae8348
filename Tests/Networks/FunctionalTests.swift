import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// One layer of each kind that takes weight sets, between tensors of its own shapes.
struct SetCase: Sendable, CustomStringConvertible {
  let description: String
  let make: @Sendable (inout RandomGenerator) -> any Module
  let call: @Sendable (any Module, Tensor) -> Tensor
  /// One item.
  let input: [Int]
  var indices = false

  private init(
    _ name: String, _ input: [Int], _ make: @escaping @Sendable (inout RandomGenerator) -> any Layer
  ) {
    (description, self.input) = (name, input)
    self.make = { make(&$0) }
    call = { module, x in (module as? any Layer)?(x) ?? x }
  }

  private init(embedding name: String) {
    (description, input, indices) = (name, [3], true)
    make = { Embedding(7, 4, using: &$0) }
    call = { module, x in (module as? Embedding)?(x) ?? x }
  }

  static let all = [
    SetCase("linear", [5]) { Linear(5, 3, using: &$0) },
    SetCase("linear, gelu, tokens", [4, 5]) { Linear(5, 17, activation: .gelu, using: &$0) },
    SetCase("linear, no bias", [5]) { Linear(5, 3, bias: false, using: &$0) },
    SetCase("mlp", [2, 3]) { MLP(3, hidden: 70, outputs: 2, using: &$0) },
    SetCase("conv1d", [9, 4]) { Conv1d(4, 6, kernel: 3, stride: 2, padding: 1, groups: 2, using: &$0) },
    SetCase("conv2d", [6, 5, 3]) { Conv2d(3, 4, kernel: (3, 2), padding: (1, 0), using: &$0) },
    SetCase("depthwise", [5, 5, 4]) {
      Conv2d(4, 4, kernel: (3, 3), padding: (1, 1), groups: 4, bias: false, using: &$0)
    },
    SetCase("layer norm", [3, 6]) { _ in LayerNorm(6) },
    SetCase("layer norm, no bias", [6]) { _ in LayerNorm(6, bias: false) },
    SetCase("rms norm", [6]) { _ in RMSNorm(6) },
    SetCase(embedding: "embedding"),
  ]

  /// Random weights of the layer's shapes behind `leading` axes.
  func weights(_ module: any Module, _ leading: [Int], using random: inout RandomGenerator) -> [String:
    Tensor]
  {
    var weights: [String: Tensor] = [:]
    for parameter in module.parameters() {
      weights[parameter.name] = random.normal(leading + parameter.value.shape)
    }
    return weights
  }

  func data(_ leading: [Int], using random: inout RandomGenerator) -> Tensor {
    indices
      ? Tensor((0..<(leading + input).reduce(1, *)).map { Int32($0 * 5 % 7) }, leading + input)
      : random.normal(leading + input)
  }
}

@Suite struct FunctionalTests {
  private let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)

  private func require(
    _ actual: Tensor, _ expected: Tensor, _ what: String = "", at location: SourceLocation = #_sourceLocation
  ) {
    let problem = Comparison(actual, expected, within: allowed).problem
    #expect(problem == nil, "\(what)", sourceLocation: location)
  }

  // MARK: One set of weights

  @Test func weightsByNameNestAndReturn() {
    struct Stop: Error {}
    var random = RandomGenerator(seed: 1)
    let network = Sequential(Linear(3, 4, using: &random), BatchNorm(4))
    let x = random.normal([2, 3]), own = network.weights().mapValues(\.floats)
    let zero = Tensor.zeros([4]), ones = Tensor.ones([4])
    network.withWeights(["layers.0.bias": zero, "layers.1.runningMean": ones]) {
      #expect(network.weights()["layers.0.bias"]?.floats == zero.floats)
      network.withWeights(["layers.0.bias": ones]) {
        #expect(network.weights()["layers.0.bias"]?.floats == ones.floats)
        #expect(network.weights()["layers.1.runningMean"]?.floats == ones.floats)
        _ = valueAndGradient(by: network.parameters()) { network(x).sum() }
      }
      #expect(network.weights()["layers.0.bias"]?.floats == zero.floats)
    }
    #expect(throws: Stop.self) { try network.withWeights(["layers.0.bias": zero]) { throw Stop() } }
    #expect(network.weights().mapValues(\.floats) == own)
  }

  @Test func aHypernetworkLearnsThroughTheWeights() {
    var random = RandomGenerator(seed: 2)
    let target = Linear(3, 2, using: &random), maker = Linear(4, 8, using: &random)
    let code = random.normal([1, 4]), x = random.normal([5, 3])
    func loss(_ made: Tensor) -> Tensor {
      let weights = [
        "weight": made.sliced(axis: 1, to: 6).reshaped(2, 3),
        "bias": made.sliced(axis: 1, from: 6).reshaped(2),
      ]
      return target.withWeights(weights) { square(target(x)).sum() }
    }
    let (_, gradients) = valueAndGradient(by: maker.parameters()) { loss(maker(code)) }
    let problem = finiteDifferenceProblem(
      at: [maker(code).asType(.float64)],
      gradients: [gradients[1].reshaped(1, 8).asType(.float64)], cotangent: Tensor(1, .float64),
      tolerance: 1e-5
    ) { made in
      // The same by hand, in float64.
      let w = made[0].sliced(axis: 1, to: 6).reshaped(2, 3), b = made[0].sliced(axis: 1, from: 6).reshaped(2)
      return square(matmul(x.asType(.float64), w.transposed()) + b).sum()
    }
    #expect(problem == nil)
    #expect(abs(gradients[0]).sum().item() > 0)
  }

  // MARK: Many sets

  @Test(arguments: SetCase.all) func setsEqualOneAfterTheOther(_ one: SetCase) {
    var random = RandomGenerator(seed: 3)
    let module = one.make(&random), weights = one.weights(module, [3], using: &random)
    let names = weights.keys.sorted(), values = names.map { weights[$0] ?? .zeros([]) }
    let x = one.data([3, 2], using: &random)
    func named(_ values: [Tensor]) -> [String: Tensor] {
      Dictionary(uniqueKeysWithValues: zip(names, values))
    }
    func together(_ inputs: [Tensor]) -> Tensor {
      module.withWeightSets(named(Array(inputs.dropFirst()))) { one.call(module, inputs[0]) }
    }
    func apart(_ inputs: [Tensor]) -> Tensor {
      module.mapWeightSets(named(Array(inputs.dropFirst()))) { set in
        one.call(module, inputs[0].sliced(axis: 0, from: set, to: set + 1).squeezed(axis: 0))
      }
    }
    let y = together([x] + values)
    require(y, apart([x] + values))
    let g = random.normal(y.shape)
    // The indices of an embedding are no variable.
    let found = valueAndPullback(at: values) { [together([x] + $0)] }.pullback([g])
    let expected = valueAndPullback(at: values) { [apart([x] + $0)] }.pullback([g])
    for (i, name) in names.enumerated() { require(found[i], expected[i], name) }
    if !one.indices {
      let byInput = valueAndPullback(at: [x]) { [together($0 + values)] }.pullback([g])[0]
      require(byInput, valueAndPullback(at: [x]) { [apart($0 + values)] }.pullback([g])[0], "x")
      // One x for all sets, seen without a copy.
      let shared = one.data([2], using: &random)
      require(
        together([shared.broadcast(to: [3] + shared.shape)] + values),
        apart([stacked([shared, shared, shared])] + values))
    }
    // Derivatives of derivatives.
    func slope(_ f: @escaping ([Tensor]) -> Tensor) -> [Tensor] {
      valueAndGradient(at: values) { values in
        let inner = valueAndGradient(at: values) { (f([x] + $0) * g).sum() }.gradients
        return inner.reduce(Tensor(Float(0))) { $0 + square($1).sum() }
      }.gradients
    }
    for (a, b) in zip(slope(together), slope(apart)) { require(a, b, "second derivative") }
  }

  @Test func aSetForSomeParametersOfALayer() {
    var random = RandomGenerator(seed: 4)
    let layer = Linear(3, 2, using: &random), x = random.normal([4, 5, 3]), biases = random.normal([4, 2])
    let y = layer.withWeightSets(["bias": biases]) { layer(x) }
    require(
      y,
      layer.mapWeightSets(["bias": biases]) {
        layer(x.sliced(axis: 0, from: $0, to: $0 + 1).squeezed(axis: 0))
      })
    #expect(layer.weight.shape == [2, 3])
  }

  @Test func anEmbeddingRefusesTheNextSetsRows() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      let table = Embedding(3, 2, using: &random)
      _ = table.withWeightSets(["weight": .zeros([2, 3, 2])]) { table(Tensor([0, 3] as [Int32])) }
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("take: indices do not lie in 0..<3"))
  }

  // MARK: Gradients of samples

  @Test func gradientsOfSamples() {
    var random = RandomGenerator(seed: 5)
    let network = Sequential(
      Conv2d(1, 4, kernel: (3, 3), padding: (1, 1), using: &random), Lambda { gelu($0).reshaped(-1, 16, 4) },
      LayerNorm(4), MultiHeadAttention(4, heads: 2, using: &random), MLP(4, hidden: 8, using: &random),
      Lambda { $0.mean(axis: 1) }, Linear(4, 3, using: &random))
    let x = random.normal([6, 4, 4, 1]), labels = Tensor([0, 2, 1, 1, 0, 2] as [Int32])
    func losses(_ range: Range<Int>) -> Tensor {
      crossEntropy(
        logits: network(x.sliced(axis: 0, from: range.lowerBound, to: range.upperBound)),
        targets: labels.sliced(axis: 0, from: range.lowerBound, to: range.upperBound), reduction: .none)
    }
    let parameters = network.parameters()
    let fast = network.perSampleGradients(samples: 6) { losses(0..<6) }
    let slow = perSampleGradients(by: parameters, samples: 6) { losses($0..<$0 + 1).sum() }
    let sums = valueAndGradient(by: parameters) { losses(0..<6).sum() }.gradients
    for (i, parameter) in parameters.enumerated() {
      #expect(fast[i].shape == [6] + parameter.value.shape)
      require(fast[i], slow[i], parameter.name)
      require(fast[i].sum(axis: 0), sums[i], parameter.name)
    }
  }

  // MARK: Recomputed layers

  @Test func recomputedLayersDrawTheSameNumbers() {
    var random = RandomGenerator(seed: 6)
    let layer = Sequential(Linear(4, 8, using: &random), Dropout(0.5), BatchNorm(8))
    let x = random.normal([16, 4]), start = random, before = layer.weights()
    func gradients(_ forward: (Tensor) -> Tensor) throws -> [Tensor] {
      try layer.load(weights: before)
      var random = start
      return training(using: &random) {
        valueAndGradient(by: layer.parameters()) { pow(forward(x), 3).sum() }.gradients
      }
    }
    let plain = try? gradients { layer($0) }, mean = layer.weights()["layers.2.runningMean"]
    let saving = try? gradients { layer.recomputed($0) }
    #expect(plain?.map(\.floats) == saving?.map(\.floats) && plain?.count == 4)
    // Running means move once, not once more when the layer runs again.
    #expect(layer.weights()["layers.2.runningMean"]?.floats == mean?.floats)
  }

  @Test func recomputedLayersTakeWeightSets() {
    var random = RandomGenerator(seed: 9)
    let layer = MLP(3, hidden: 5, using: &random), x = random.normal([4, 2, 3])
    let names = layer.parameters().map(\.name)
    let sets = layer.parameters().map { random.normal([4] + $0.value.shape) }
    func gradients(_ forward: (Tensor) -> Tensor) -> [Tensor] {
      valueAndGradient(at: sets) { sets in
        layer.withWeightSets(Dictionary(uniqueKeysWithValues: zip(names, sets))) { square(forward(x)).sum() }
      }.gradients
    }
    for (a, b) in zip(gradients { layer.recomputed($0) }, gradients { layer($0) }) { require(a, b) }
  }

  @Test func recomputedDeepNetworksNeedLessMemory() {
    var random = RandomGenerator(seed: 7)
    let layers = (0..<8).map { _ in MLP(64, hidden: 256, using: &random) }
    let network = Sequential(layers), x = random.normal([256, 64])
    func kept(_ forward: @escaping (any Layer, Tensor) -> Tensor) -> (Int, [Tensor]) {
      let loss = { square(network.layers.reduce(x) { forward($1, $0) }).sum() }
      let parameters = network.parameters()
      return (
        savedBytes(by: parameters, of: loss).total, valueAndGradient(by: parameters, of: loss).gradients
      )
    }
    let (all, exact) = kept { $0($1) }
    let (some, same) = kept { ($0 as? MLP)?.recomputed($1) ?? $1 }
    let (half, near) = kept { ($0 as? MLP)?.recomputed($1, keeping: .bfloat16) ?? $1 }
    let (least, close) = kept { ($0 as? MLP)?.recomputed($1, keeping: .bytes()) ?? $1 }
    // A layer's result is 64 KiB; without checkpoints the hidden layer before and after GELU is kept too.
    let result = 64 * 1024
    #expect(all >= 8 * 9 * result - result && some <= 9 * result, "\(all) \(some)")
    // The last result is kept as it is, and bytes with the range of each row of 64.
    #expect(half <= some / 2 + result, "\(some) \(half)")
    #expect(least <= some / 4 + some / 32 + result, "\(some) \(least)")
    for i in exact.indices {
      require(same[i], exact[i])
      let scale = square(exact[i]).sum().item().squareRoot()
      #expect(square(near[i] - exact[i]).sum().item().squareRoot() < 0.01 * scale)
      #expect(square(close[i] - exact[i]).sum().item().squareRoot() < 0.02 * scale)
      #expect(near[i].floats != exact[i].floats || i % 2 == 1)
    }
  }

  // MARK: Messages

  enum InvalidInput: String, CaseIterable, Codable, Sendable {
    case unknown, shape, owner, sets, slices, losses, none

    func make() {
      var random = RandomGenerator(seed: 1)
      let layer = Linear(3, 2, using: &random), norm = Sequential(layer, GroupNorm(groups: 1, 2))
      switch self {
      case .unknown: layer.withWeights(["weights": .zeros([2, 3])]) {}
      case .shape: layer.withWeights(["weight": .zeros([3, 2])]) {}
      case .owner: norm.withWeightSets(["layers.1.bias": .zeros([4, 2])]) {}
      case .sets: layer.withWeightSets(["weight": .zeros([4, 2, 3]), "bias": .zeros([5, 2])]) {}
      case .slices: _ = layer.withWeightSets(["weight": .zeros([4, 2, 3])]) { layer(.zeros([5, 3])) }
      case .losses: _ = layer.perSampleGradients(samples: 5) { layer(.zeros([5, 3])) }
      case .none: layer.withWeightSets([:]) {}
      }
    }

    var message: String {
      switch self {
      case .unknown: "withWeights: Linear has no weight weights; it has bias, weight"
      case .shape: "withParameters: weight has shape [2, 3], the value given [3, 2]"
      case .owner:
        "withWeightSets: layers.1.bias belongs to GroupNorm, which takes one set of weights at a time; "
          + "use mapWeightSets"
      case .sets: "withWeightSets: bias has shape [5, 2], but 4 sets ask for [4, 2]"
      case .slices: "Linear, linear: input [5, 3] must have 4 slices, one for each set of weights [4, 2, 3]"
      case .losses: "perSampleGradients: the function must return losses [5], but returned shape [5, 2]"
      case .none: "withWeightSets: needs weights by name, got none"
      }
    }
  }

  @Test(arguments: InvalidInput.allCases) func text(_ mistake: InvalidInput) async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      [mistake] in
      mistake.make()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(mistake.message), "\(text)")
  }
}
