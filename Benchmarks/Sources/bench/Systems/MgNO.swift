import Callosum

extension MgNO: Benchmarked {
  static let workloads: [Workload] = [
    system("mgno_step") {
      var random = generator(), settings = MgNO.Settings()
      (settings.layers, settings.channels, settings.levels) = (3, 16, 4)
      let slot = Slot(width: 1, outputWidth: 1, rows: 32, columns: 32)
      let network = try MgNO(settings, in: slot, using: &random)
      let x = pattern([8, 32, 32, 1], 1), target = pattern([8, 32, 32, 1], 2)
      return (network.parameters(), { mseLoss(predictions: network(x), targets: target) })
    }
  ]
}
