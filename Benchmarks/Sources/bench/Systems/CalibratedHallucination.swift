import Callosum

/// The model of the claim: it writes "first last city" character by character.
private final class Biographer: Module {
  let embedding: Embedding
  let layer: GRU
  let head: Linear

  init(using random: inout RandomGenerator) {
    embedding = Embedding(28, 32, using: &random)
    layer = GRU(32, 128, using: &random)
    head = Linear(128, 28, using: &random)
  }

  func callAsFunction(_ characters: Tensor) -> Tensor {
    head(layer(embedding(characters), layer.initialState(batch: characters.dim(0))).output)
  }
}

extension CalibratedHallucination: Benchmarked {
  static let workloads: [Workload] = [
    system("calibrated_hallucination_step") {
      var random = generator()
      let model = Biographer(using: &random)
      let x = patternOfLabels([64, 17], below: 28, 1), next = patternOfLabels([64, 17], below: 28, 2)
      return (model.parameters(), { crossEntropy(logits: model(x), targets: next) })
    }
  ]
}
