import Callosum

extension CriticalPeriodsLinear: Benchmarked {
  static let workloads: [Workload] = [
    system("critical_periods_linear_step", descent: 0.01) {
      var random = generator(), settings = CriticalPeriodsLinear.Settings()
      settings.depth = 3
      let slot = Slot(width: 8, outputWidth: 15, tokens: 8)
      let network = try CriticalPeriodsLinear(settings, in: slot, using: &random)
      let items = Tensor.eye(8).reshaped(1, 8, 8), wanted = pattern([1, 8, 15], 1)
      return (network.parameters(), { square(network(items) - wanted).sum() * 0.5 })
    }
  ]
}
