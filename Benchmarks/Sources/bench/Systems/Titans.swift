import Callosum

extension Titans: Benchmarked {
  static let workloads: [Workload] = [
    system("titans_step") {
      var random = generator(), settings = Titans.Settings()
      (settings.expansion, settings.chunk, settings.largestSurprise) = (1, 8, 10)
      settings.step = .absolute
      let memory = try Titans(settings, in: Slot(width: 32, tokens: 128), using: &random)
      return onTokens(memory, batch: 16, tokens: 128, width: 32)
    }
  ]
}
