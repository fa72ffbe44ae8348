import Callosum

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

extension MetaFormer: Benchmarked {
  static let workloads: [Workload] = [
    system("metaformer_step") {
      var settings = MetaFormer.Settings()
      (settings.positions, settings.block.layerScale) = (true, 1)
      return try images(settings, side: 28, channels: 1, classes: 10, batch: 10)
    },
    system("poolformer_s12_step") {
      try images(.s12, side: 224, channels: 3, classes: 1000, batch: 1)
    },
  ]
}
