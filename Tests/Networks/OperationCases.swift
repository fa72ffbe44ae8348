import CallosumNetworks
import CallosumTensors
import CallosumTestSupport

// Losses, which have golden files, and layers as operations on their input, for the checks that go over a list.

extension Operation {
  static let everything: [Operation] = losses + layers

  static let losses: [Operation] = [
    loss("meanSquaredError") { mseLoss(predictions: $0, targets: $1, reduction: $2) },
    loss("l1") { l1Loss(predictions: $0, targets: $1, reduction: $2) },
    Operation("huber") { x, a in
      huberLoss(
        predictions: x["prediction"], targets: x["target"], delta: a.double("delta"), reduction: reduction(a))
    },
    loss("poisson") { poissonLoss(predictions: $0, targets: $1, reduction: $2) },
    loss("binaryCrossEntropyWithLogits") { binaryCrossEntropy(logits: $0, targets: $1, reduction: $2) },
    Operation("klDivergence") { x, a in
      let target = a.bool("logTarget") ? exp(x["target"]) : x["target"]
      guard a.string("reduction") == "batchMean" else {
        return klDivLoss(logPredictions: x["prediction"], targets: target, reduction: reduction(a))
      }
      return klDivLoss(logPredictions: x["prediction"], targets: target, reduction: .sum)
        * (1 / Double(target.dim(0)))
    },
    Operation("crossEntropy") { x, a in
      crossEntropy(
        logits: x["logits"], targets: x["labels"], labelSmoothing: a.double("labelSmoothing"),
        ignoring: Int32(a[number: "ignoredLabel"] ?? -100), reduction: reduction(a))
    },
  ]

  private static func loss(
    _ name: String, _ function: @escaping @Sendable (Tensor, Tensor, LossReduction) -> Tensor
  ) -> Operation {
    Operation(name) { x, a in function(x["prediction"], x["target"], reduction(a)) }
  }

  private static func reduction(_ arguments: Arguments) -> LossReduction {
    LossReduction(rawValue: arguments.string("reduction")) ?? .none
  }

  // MARK: Layers

  private static func layer(
    _ name: String, _ input: Tensor, _ make: @escaping @Sendable (inout RandomGenerator) -> any Layer
  ) -> Operation {
    Operation(name, on: ["x": input]) { x in
      var generator = RandomGenerator(seed: 5)
      let layer = make(&generator)
      return layer(x["x"])
    }
  }

  private static func stateful(
    _ name: String, _ input: Tensor, _ make: @escaping @Sendable (inout RandomGenerator) -> any StatefulLayer
  ) -> Operation {
    Operation(name, on: ["x": input]) { x in
      var generator = RandomGenerator(seed: 5)
      let layer = make(&generator)
      return layer(x["x"], layer.initialState(batch: x["x"].dim(0))).output
    }
  }

  private static func drawn(_ shape: [Int]) -> Tensor {
    var generator = RandomGenerator(seed: 3)
    return generator.normal(shape)
  }

  static let layers: [Operation] = [
    layer("Linear", drawn([2, 4])) { Linear(4, 3, using: &$0) },
    layer("Linear, gelu", drawn([2, 5, 4])) { Linear(4, 3, activation: .gelu, using: &$0) },
    // The network of the README, on the bytes of an image.
    layer("Sequential", drawn([2, 28, 28])) {
      Sequential(
        Lambda { $0.flattened(start: 1) }, Linear(784, 256, activation: .gelu, using: &$0), Dropout(0.1),
        Linear(256, 10, using: &$0))
    },
    layer("MLP", drawn([2, 4])) { MLP(4, hidden: 6, using: &$0) },
    layer("SwiGLU", drawn([2, 4])) { SwiGLU(4, hidden: 6, using: &$0) },
    layer("Conv1d", drawn([1, 7, 2])) { Conv1d(2, 3, kernel: 3, using: &$0) },
    layer("Conv2d", drawn([1, 5, 5, 2])) { Conv2d(2, 3, kernel: (3, 3), padding: (1, 1), using: &$0) },
    layer("Conv2d, reflected", drawn([1, 5, 5, 2])) {
      Conv2d(2, 2, kernel: (3, 3), padding: (1, 1), paddingMode: .reflect, groups: 2, using: &$0)
    },
    layer("Conv3d", drawn([1, 3, 3, 3, 2])) { Conv3d(2, 3, kernel: (2, 2, 2), using: &$0) },
    layer("ConvTransposed1d", drawn([1, 7, 2])) { ConvTransposed1d(2, 3, kernel: 3, using: &$0) },
    layer("ConvTransposed2d", drawn([1, 4, 4, 2])) { ConvTransposed2d(2, 3, kernel: (2, 2), using: &$0) },
    layer("ConvTransposed3d", drawn([1, 3, 3, 3, 2])) {
      ConvTransposed3d(2, 3, kernel: (2, 2, 2), using: &$0)
    },
    layer("LayerNorm", drawn([2, 6])) { _ in LayerNorm(6) },
    layer("RMSNorm", drawn([2, 6])) { _ in RMSNorm(6) },
    layer("GroupNorm", drawn([2, 3, 6])) { _ in GroupNorm(groups: 2, 6) },
    layer("BatchNorm", drawn([2, 3, 6])) { _ in BatchNorm(6) },
    layer("MultiHeadAttention", drawn([1, 5, 8])) {
      MultiHeadAttention(8, heads: 2, causal: true, using: &$0)
    },
    stateful("RNN", drawn([2, 3, 4])) { RNN(4, 5, using: &$0) },
    stateful("GRU", drawn([2, 3, 4])) { GRU(4, 5, using: &$0) },
    stateful("LSTM", drawn([2, 3, 4])) { LSTM(4, 5, using: &$0) },
    Operation("Embedding", on: ["x": Tensor([2, 0, 1] as [Int32])]) { x in
      var generator = RandomGenerator(seed: 5)
      let layer = Embedding(7, 4, using: &generator)
      return layer(x["x"])
    },
    Operation("rotaryEmbedding", on: ["x": drawn([1, 2, 3, 4])]) { rotaryEmbedding($0["x"]) },
    Operation("slidingWindowAttention", on: ["q": drawn([1, 2, 5, 4])]) { x in
      slidingWindowAttention(queries: x["q"], keys: x["q"], values: x["q"], window: 2)
    },
    Operation("sobolevNorm", on: ["x": drawn([2, 6, 1])]) { sobolevNorm($0["x"], order: 1) },
    Operation("relativeSobolevError", on: ["a": drawn([2, 6, 1]), "b": drawn([2, 6, 1]) + 1]) {
      relativeSobolevError($0["a"], $0["b"])
    },
  ]
}
