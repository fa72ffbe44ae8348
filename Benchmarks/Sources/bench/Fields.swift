import Callosum

/// A Kolmogorov-Arnold layer: each edge is w silu(x) plus a cubic spline over 8 intervals of -1...1.
private final class SplineLayer: Layer {
  @Parameter var base: Tensor
  @Parameter var splines: Tensor

  init(_ inputs: Int, _ outputs: Int, using random: inout RandomGenerator) {
    base = random.normal([outputs, inputs], standardDeviation: 0.1)
    splines = random.normal([outputs, inputs * 11], standardDeviation: 0.1)
  }

  func forward(_ x: Tensor) -> Tensor {
    let basis = bsplineBasis(x, intervals: 8, from: -1, to: 1).flattened(start: 1)
    return linear(silu(x), weight: base) + linear(basis, weight: splines)
  }
}

/// Multilayer perceptron with ReLU between.
private func perceptron(_ widths: [Int], using random: inout RandomGenerator) -> Sequential {
  Sequential(
    zip(widths, widths.dropFirst()).enumerated().map { at, pair in
      Linear(pair.0, pair.1, activation: at == widths.count - 2 ? .none : .relu, using: &random)
    })
}

/// sin and cos of 6 octaves of each coordinate.
private func octaves(_ x: Tensor) -> Tensor {
  let frequencies = Tensor((0..<6).map { Float(1 << $0) * .pi })
  let angles = x.expandedDimensions(axis: -1) * frequencies
  return concatenated([sin(angles), cos(angles)], axis: -1).flattened(start: 1)
}

private final class HashGridField: Layer {
  @Parameter var table: Tensor
  let head: Sequential
  let resolutions: [Int]

  init(using random: inout RandomGenerator) {
    table = random.uniform([16, 1 << 14, 2], low: -1e-4, high: 1e-4)
    head = perceptron([32, 64, 64, 3], using: &random)
    resolutions = (0..<16).map { Int(16 * pow(Tensor(Double(2), .float64), Double($0) / 3).item()) }
  }

  func forward(_ x: Tensor) -> Tensor {
    head(hashGridEncoding(x, table: table, resolutions: resolutions))
  }
}

/// Makes the weights of 16 perceptrons 64-64-10, each from its own embedding.
private final class HyperNetwork: Module {
  let embedding: Embedding
  let body: Sequential

  init(using random: inout RandomGenerator) {
    embedding = Embedding(16, 32, using: &random)
    body = perceptron([32, 64, 64 * 64 + 64 + 64 * 10 + 10], using: &random)
  }

  /// [16, items, 64] -> [16, items, 10]
  func callAsFunction(_ x: Tensor) -> Tensor {
    let parts = body(embedding.weight).split(sizes: [64 * 64, 64, 64 * 10, 10], axis: 1)
    let hidden = relu(matmul(x, parts[0].reshaped(16, 64, 64)) + parts[1].reshaped(16, 1, 64))
    return matmul(hidden, parts[2].reshaped(16, 64, 10)) + parts[3].reshaped(16, 1, 10)
  }
}

let fields: [Workload] = [
  Workload(name: "kan_step") {
    var random = generator()
    let model = Sequential(
      SplineLayer(64, 64, using: &random), SplineLayer(64, 10, using: &random))
    let x = random.uniform([256, 64], low: -1, high: 1)
    let labels = random.integers([256], low: 0, high: 10)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
  },
  Workload(name: "field_step") {
    var random = generator()
    let model = perceptron([24, 128, 128, 128, 3], using: &random)
    let x = random.uniform([8192, 2]), colours = random.uniform([8192, 3])
    return trainingStep(model) { mseLoss(predictions: model(octaves(x)), targets: colours) }
  },
  Workload(name: "hash_grid_step") {
    var random = generator()
    let model = HashGridField(using: &random)
    let x = random.uniform([16384, 3]), values = random.uniform([16384, 3])
    return trainingStep(model) { mseLoss(predictions: model(x), targets: values) }
  },
  Workload(name: "hypernet_step") {
    var random = generator()
    let model = HyperNetwork(using: &random)
    let x = random.normal([16, 32, 64]), labels = random.integers([16, 32], low: 0, high: 10)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
  },
]
