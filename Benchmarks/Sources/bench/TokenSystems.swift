import Callosum

// Systems that read tokens.

/// A classifier of square images.
@Sendable private func images(
  _ settings: MetaFormer.Settings, side: Int, channels: Int, classes: Int, batch: Int
) throws -> (learns: [NamedParameter], loss: () -> Tensor) {
  var random = generator()
  let slot = Slot(width: channels, outputWidth: classes, rows: side, columns: side)
  let network = try MetaFormer(settings, in: slot, using: &random)
  let x = pattern([batch, side, side, channels], 1)
  let labels = patternOfLabels([batch], below: classes, 2)
  return (network.parameters(), { crossEntropy(logits: network(x), targets: labels) })
}

/// A layer on tokens and the squared distance of its result from a target.
@Sendable private func layer(
  _ layer: any StatefulLayer, batch: Int, tokens: Int, width: Int
) -> (learns: [NamedParameter], loss: () -> Tensor) {
  let x = pattern([batch, tokens, width], 1), target = pattern([batch, tokens, width], 2)
  return (
    layer.parameters(),
    { mseLoss(predictions: layer(x, layer.initialState(batch: batch)).output, targets: target) }
  )
}

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

let tokenSystems: [Workload] = [
  system("metaformer_step") {
    var settings = MetaFormer.Settings()
    (settings.positions, settings.block.layerScale) = (true, 1)
    return try images(settings, side: 28, channels: 1, classes: 10, batch: 10)
  },
  system("poolformer_s12_step") {
    try images(.s12, side: 224, channels: 3, classes: 1000, batch: 1)
  },
  system("delta_net_step") {
    var random = generator()
    let mixer = try DeltaNet(.init(), in: Slot(width: 256, tokens: 2048), using: &random)
    return layer(mixer, batch: 1, tokens: 2048, width: 256)
  },
  system("modern_hopfield_step") {
    var random = generator(), settings = ModernHopfield.Settings()
    settings.heads = 4
    let layer = try ModernHopfield(settings, in: Slot(width: 64, tokens: 64), using: &random)
    let x = pattern([32, 64, 64], 1), target = pattern([32, 64, 64], 2)
    return (layer.parameters(), { mseLoss(predictions: layer.association(x, x), targets: target) })
  },
  system("titans_step") {
    var random = generator(), settings = Titans.Settings()
    (settings.expansion, settings.chunk, settings.largestSurprise) = (1, 8, 10)
    let memory = try Titans(settings, in: Slot(width: 32, tokens: 128), using: &random)
    return layer(memory, batch: 16, tokens: 128, width: 32)
  },
  system("calibrated_hallucination_step") {
    var random = generator()
    let model = Biographer(using: &random)
    let x = patternOfLabels([64, 17], below: 28, 1), next = patternOfLabels([64, 17], below: 28, 2)
    return (model.parameters(), { crossEntropy(logits: model(x), targets: next) })
  },
]
