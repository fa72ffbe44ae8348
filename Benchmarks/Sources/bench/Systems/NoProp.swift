import Callosum

extension NoProp: Benchmarked {
  static let workloads: [Workload] = [
    system("noprop_step") {
      var random = generator(), settings = NoProp.Settings()
      (settings.hidden, settings.clip) = (128, 0.001)
      let slot = Slot(width: 784, outputWidth: 10, tokens: 1)
      let network = try NoProp(settings, in: slot, using: &random)
      let x = pattern([128, 784], 1) * 0.5 + 0.5, labels = patternOfLabels([128], below: 10, 2)
      var noise = generator()
      return (network.parameters(), { network.losses(x, labels, using: &noise).mean() })
    }
  ]
}
