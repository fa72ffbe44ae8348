import CallosumTensors

/// How far a statistic scatters when the items that it is computed from are drawn anew from themselves (Efron
/// 1979). The interval holds the middle of the drawn values; with `accelerated` its ends are moved for bias
/// and for a scatter that changes with the value (BCa, Efron 1987).
public struct Bootstrap: Sendable {
  /// Of all items, each once.
  public let value: Double
  public let interval: ClosedRange<Double>
  /// The deviation of the drawn values (n - 1).
  public let standardError: Double
  /// Of each resample, in the order drawn.
  public let draws: [Double]

  /// - Parameters:
  ///   - items: how many there are.
  ///   - statistic: of the items with these places, some more than once.
  /// - Throws: `InvalidInput` for fewer than 2 items or resamples, a confidence that is not between 0 and 1, or
  ///   a statistic that is NaN for some resample; and what the statistic throws.
  public init(
    items: Int, resamples: Int = 2000, confidence: Double = 0.95, accelerated: Bool = false,
    using generator: inout RandomGenerator, statistic: ([Int]) throws -> Double
  ) throws {
    try require(
      items > 1 && resamples > 1 && confidence > 0 && confidence < 1,
      "a bootstrap needs at least 2 items and 2 resamples and a confidence between 0 and 1, got \(items), "
        + "\(resamples) and \(confidence)")
    let value = try statistic(Array(0..<items))
    var draws: [Double] = []
    for _ in 0..<resamples {
      draws.append(try statistic((0..<items).map { _ in Int.random(in: 0..<items, using: &generator) }))
    }
    try require(
      !value.isNaN && !draws.contains(where: \.isNaN),
      "a bootstrap needs a statistic that is a number for every resample")
    var ends = ((1 - confidence) / 2, (1 + confidence) / 2)
    let below = draws.reduce(0) { $0 + ($1 < value ? 1 : $1 == value ? 0.5 : 0) } / Double(resamples)
    if accelerated && below > 0 && below < 1 {
      let bias = Statistics.normalQuantile(below)
      let acceleration = try Self.acceleration(items, statistic)
      func moved(_ share: Double) -> Double {
        let z = bias + Statistics.normalQuantile(share)
        return Statistics.normalProbability(bias + z / (1 - acceleration * z))
      }
      ends = (moved(ends.0), moved(ends.1))
    }
    let sorted = draws.sorted()
    interval = quantile(ends.0, ofSorted: sorted)...quantile(ends.1, ofSorted: sorted)
    standardError = Statistics.standardDeviation(draws) ?? 0
    (self.value, self.draws) = (value, draws)
  }

  /// A sixth of the skewness of what leaving out an item changes.
  private static func acceleration(_ items: Int, _ statistic: ([Int]) throws -> Double) rethrows -> Double {
    let without = try (0..<items).map { left in try statistic((0..<items).filter { $0 != left }) }
    let mean = Statistics.mean(without)
    let squares = without.reduce(0) { $0 + (mean - $1) * (mean - $1) }
    let cubes = without.reduce(0) { $0 + (mean - $1) * (mean - $1) * (mean - $1) }
    return squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
  }
}
