import Callosum

extension ModernHopfield: Benchmarked {
  static let workloads: [Workload] = [
    system("modern_hopfield_step") {
      var random = generator(), settings = ModernHopfield.Settings()
      settings.heads = 4
      let layer = try ModernHopfield(settings, in: Slot(width: 64, tokens: 64), using: &random)
      let x = pattern([32, 64, 64], 1), target = pattern([32, 64, 64], 2)
      return (layer.parameters(), { mseLoss(predictions: layer.association(x, x), targets: target) })
    }
  ]
}
