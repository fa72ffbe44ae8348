import Callosum

/// Codes of 60 stimuli by the five layers of the claim's network.
private struct Codes {
  private let probe: TopologicalRSA
  private let codes: [Tensor]

  init() throws {
    var settings = TopologicalRSA.Settings()
    settings.dissimilarity = .correlation
    probe = try TopologicalRSA(settings)
    codes = [3136, 1568, 576, 128, 10].enumerated().map { place, width in
      pattern([60, width], place) + pattern([60, 1], 10 + place) * pattern([1, width], 20 + place)
    }
  }

  /// RGTM and RGDM of each layer.
  func statistics() -> [[Double]] {
    codes.flatMap { code in
      let distances = dissimilarities(code, by: .correlation).doubles
      return [probe.geoTopological(distances), probe.geodesic(distances)]
    }
  }
}

extension TopologicalRSA: Benchmarked {
  static let workloads: [Workload] = [
    Workload(
      name: "topological_rsa",
      prepare: {
        let codes = try Codes()
        return { _ = codes.statistics() }
      },
      compared: {
        try Codes().statistics().map { values in
          zip(values, pattern([values.count], 30).doubles).reduce(0) { $0 + $1.0 * $1.1 }
        }
      })
  ]
}
