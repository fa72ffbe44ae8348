import Callosum

/// A whole training step: forward, backward, Adam.
func trainingStep(_ model: any Module, _ loss: @escaping () -> Tensor) -> () -> Void {
  let parameters = model.parameters()
  let optimiser = Adam(parameters, learningRate: 1e-3)
  return {
    let (_, gradients) = valueAndGradient(by: parameters, of: loss)
    optimiser.update(gradients)
  }
}

/// A pre-norm transformer block with GELU.
private final class Block: Layer {
  let norm1, norm2: LayerNorm
  let mixer: MultiHeadAttention
  let mlp: MLP

  init(_ width: Int, heads: Int, causal: Bool, using random: inout RandomGenerator) {
    norm1 = LayerNorm(width)
    mixer = MultiHeadAttention(width, heads: heads, causal: causal, using: &random)
    norm2 = LayerNorm(width)
    mlp = MLP(width, hidden: 4 * width, using: &random)
  }

  func forward(_ x: Tensor) -> Tensor {
    let x = x + mixer(norm1(x))
    return x + mlp(norm2(x))
  }
}

private final class VisionTransformer: Layer {
  let embed: Linear
  @Parameter var positions: Tensor
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear

  init(using random: inout RandomGenerator) {
    embed = Linear(16, 128, using: &random)
    positions = random.normal([49, 128], standardDeviation: 0.02)
    blocks = (0..<4).map { _ in Block(128, heads: 4, causal: false, using: &random) }
    norm = LayerNorm(128)
    head = Linear(128, 10, using: &random)
  }

  func forward(_ images: Tensor) -> Tensor {
    let patches = images.reshaped(-1, 7, 4, 7, 4).transposed(0, 1, 3, 2, 4).reshaped(-1, 49, 16)
    let x = blocks.reduce(embed(patches) + positions) { $1($0) }
    return head(norm(x).mean(axis: 1))
  }
}

private final class CharacterModel: Layer {
  let embed: Embedding
  @Parameter var positions: Tensor
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear

  init(using random: inout RandomGenerator) {
    embed = Embedding(96, 128, using: &random)
    positions = random.normal([256, 128], standardDeviation: 0.02)
    blocks = (0..<4).map { _ in Block(128, heads: 4, causal: true, using: &random) }
    norm = LayerNorm(128)
    head = Linear(128, 96, using: &random)
  }

  func forward(_ characters: Tensor) -> Tensor {
    head(norm(blocks.reduce(embed(characters) + positions) { $1($0) }))
  }
}

private final class ConvolutionalNetwork: Layer {
  let first, second: Conv2d
  let hidden, head: Linear

  init(using random: inout RandomGenerator) {
    first = Conv2d(1, 32, kernel: (3, 3), padding: (1, 1), using: &random)
    second = Conv2d(32, 64, kernel: (3, 3), padding: (1, 1), using: &random)
    hidden = Linear(7 * 7 * 64, 128, using: &random)
    head = Linear(128, 10, using: &random)
  }

  func forward(_ images: Tensor) -> Tensor {
    let x = maxPool2d(relu(first(images)), kernel: (2, 2))
    let y = maxPool2d(relu(second(x)), kernel: (2, 2))
    return head(relu(hidden(y.flattened(start: 1))))
  }
}

let networks: [Workload] = [
  Workload(name: "mlp_step") {
    var random = generator()
    let model = Sequential(
      Linear(784, 256, activation: .gelu, using: &random), Linear(256, 10, using: &random))
    let x = random.normal([128, 784]), labels = random.integers([128], low: 0, high: 10)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
  },
  Workload(name: "vit_tiny_step") {
    var random = generator()
    let model = VisionTransformer(using: &random)
    let x = random.normal([64, 28, 28]), labels = random.integers([64], low: 0, high: 10)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
  },
  Workload(name: "char_lm_step") {
    var random = generator()
    let model = CharacterModel(using: &random)
    let x = random.integers([16, 256], low: 0, high: 96)
    let next = random.integers([16, 256], low: 0, high: 96)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: next) }
  },
  Workload(name: "convnet_step") {
    var random = generator()
    let model = ConvolutionalNetwork(using: &random)
    let x = random.normal([128, 28, 28, 1]), labels = random.integers([128], low: 0, high: 10)
    return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
  },
]
