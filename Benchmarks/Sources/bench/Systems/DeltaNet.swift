import Callosum

extension DeltaNet: Benchmarked {
  static let workloads: [Workload] = [
    system("delta_net_step") {
      var random = generator()
      let mixer = try DeltaNet(.init(), in: Slot(width: 256, tokens: 2048), using: &random)
      return onTokens(mixer, batch: 1, tokens: 2048, width: 256)
    }
  ]
}
