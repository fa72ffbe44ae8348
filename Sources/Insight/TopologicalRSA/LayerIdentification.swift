import CallosumAnalysis
import CallosumContracts
import CallosumTensors

/// How well a statistic tells layers (or brain regions) apart across instances: each instance is held out in
/// turn, and each of its codes is given to the layer whose centroid over the other instances is nearest.
public struct LayerIdentification: Sendable, Equatable {
  /// Share of the codes that are given to their own layer.
  public let accuracy: Double
  /// The layer that each code was given to, by instance and layer.
  public let predictions: [[Int]]
  /// The middle 95 % of the accuracies of the bootstrap, if there was one.
  public let interval: ClosedRange<Double>?

  /// Codes [items, width] by instance and layer. Each bootstrap draws items and instances with replacement;
  /// copies of an item count once, and all copies of the instance held out are left out of the centroids.
  /// - Throws: `InvalidInput` for fewer than two instances, or codes of different items.
  init(_ codes: [[Tensor]], by probe: TopologicalRSA) throws {
    let layers = codes.first?.count ?? 0
    try require(
      codes.count > 1 && layers > 0 && codes.allSatisfy { $0.count == layers },
      "identification needs at least 2 instances with the same layers")
    let items = codes[0][0].dim(0)
    try require(
      codes.joined().allSatisfy { $0.ndim == 2 && $0.dim(0) == items },
      "identification needs codes [items, width] of the same items")
    let whole = codes.map { $0.map(probe.statistic) }
    predictions = Self.predictions(whole, instances: Array(codes.indices))
    accuracy = Self.accuracy(predictions)

    var random = RandomGenerator(seed: 0).stream("topological-rsa/bootstrap")
    let drawn = (0..<probe.settings.bootstraps).map { _ -> Double in
      let chosen = Set((0..<items).map { _ in Int.random(in: 0..<items, using: &random) }).sorted()
      let instances = codes.map { _ in Int.random(in: codes.indices, using: &random) }
      let index = Tensor(chosen.map(Int32.init))
      let vectors = codes.map { $0.map { probe.statistic(of: $0.take(index)) } }
      return Self.accuracy(Self.predictions(vectors, instances: instances))
    }
    interval = drawn.isEmpty ? nil : quantile(0.025, of: drawn)...quantile(0.975, of: drawn)
  }

  /// From vectors by instance and layer, whatever they are; there must be at least two instances.
  public init(_ vectors: [[[Double]]]) {
    precondition(vectors.count > 1, "LayerIdentification", "needs at least 2 instances, got \(vectors.count)")
    predictions = Self.predictions(vectors, instances: Array(vectors.indices))
    accuracy = Self.accuracy(predictions)
    interval = nil
  }

  /// From vectors by instance and layer, for the instances listed, some perhaps more than once.
  static func predictions(_ vectors: [[[Double]]], instances: [Int]) -> [[Int]] {
    instances.map { held in
      // All instances may be copies of the one held out.
      let others = instances.filter { $0 != held }
      let known = others.isEmpty ? vectors.indices.filter { $0 != held } : others
      let centroids = vectors[held].indices.map { layer in
        vectors[held][layer].indices.map { pair in
          known.reduce(0) { $0 + vectors[$1][layer][pair] } / Double(known.count)
        }
      }
      return vectors[held].map { vector in
        let distances = centroids.map { centroid in
          zip(vector, centroid).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        return distances.indices.min { distances[$0] < distances[$1] } ?? 0
      }
    }
  }

  private static func accuracy(_ predictions: [[Int]]) -> Double {
    let right = predictions.reduce(0) { $0 + $1.enumerated().count { $0.offset == $0.element } }
    return Double(right) / Double(predictions.reduce(0) { $0 + $1.count })
  }
}
