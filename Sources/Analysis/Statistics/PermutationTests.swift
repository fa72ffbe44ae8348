import CallosumTensors

/// The share of ways to exchange what a hypothesis says is exchangeable that give a statistic at least as far
/// from 0 as the one found, to both sides (Fisher 1935). All ways are tried if there are at most `limit` of
/// them; otherwise so many are drawn, of which the one found is one more.
public struct PermutationTest: Sendable, Equatable {
  public let statistic: Double
  /// NaN where the statistic is, as a correlation with what does not vary.
  public let probability: Double
  /// Whether all ways were tried.
  public let isExact: Bool

  /// Whether paired differences are about 0: each may have the other sign. The statistic is their mean.
  /// - Throws: `InvalidInput` without differences, or if they are not finite.
  public init(
    signsOf differences: [Double], limit: Int = 10_000, using generator: inout RandomGenerator
  ) throws {
    try require(
      !differences.isEmpty && differences.allSatisfy(\.isFinite),
      "a test of differences needs at least one, and all finite")
    let count = differences.count
    let ways = count < 62 ? 1 << count : Int.max
    self.init(Statistics.mean(differences), ways, limit) { way in
      var sum = 0.0
      for (place, difference) in differences.enumerated() {
        let turns = way.map { $0 >> place & 1 == 1 } ?? Bool.random(using: &generator)
        sum += turns ? -difference : difference
      }
      return sum / Double(count)
    }
  }

  /// Whether two groups have one mean: values may change groups. The statistic is the mean of `a` minus that
  /// of `b`.
  /// - Throws: `InvalidInput` if a group is empty, or values are not finite.
  public init(
    between a: [Double], _ b: [Double], limit: Int = 10_000, using generator: inout RandomGenerator
  ) throws {
    try require(
      !a.isEmpty && !b.isEmpty && (a + b).allSatisfy(\.isFinite),
      "a test between groups needs a value in each, and all finite")
    let all = a + b, total = all.reduce(0, +)
    func difference(_ chosen: [Int]) -> Double {
      let sum = chosen.reduce(0) { $0 + all[$1] }
      return sum / Double(a.count) - (total - sum) / Double(b.count)
    }
    let ways = Self.choices(of: a.count, from: all.count, upTo: limit)
    var chosen = Array(0..<a.count), places = Array(all.indices)
    self.init(difference(chosen), ways, limit) { way in
      if let way {
        // The combinations in order, the one found being the first.
        if way > 0 { Self.advance(&chosen, all.count) }
        return difference(chosen)
      }
      places.shuffle(using: &generator)
      return difference(Array(places.prefix(a.count)))
    }
  }

  /// Whether two lists belong together pair by pair: `b` may stand in any order. The statistic is a
  /// correlation.
  /// - Throws: `InvalidInput` for fewer than 2 pairs, or values that are not finite.
  public init(
    pairing a: [Double], _ b: [Double], limit: Int = 10_000, using generator: inout RandomGenerator,
    by correlation: ([Double], [Double]) -> Double = pearson
  ) throws {
    precondition(a.count == b.count, "PermutationTest", "\(a.count) and \(b.count) values are not pairs")
    try require(
      a.count > 1 && (a + b).allSatisfy(\.isFinite), "a test of pairs needs at least 2, and all finite")
    var other = b
    self.init(correlation(a, b), Int.max, limit) { _ in
      other.shuffle(using: &generator)
      return correlation(a, other)
    }
  }

  private init(_ found: Double, _ ways: Int, _ limit: Int, _ value: (_ way: Int?) -> Double) {
    // What rounding alone tells apart is as far.
    let bound = abs(found) * (1 - 1e-12)
    (statistic, isExact) = (found, ways <= limit)
    let tried = isExact ? ways : limit
    var far = isExact ? 0 : 1
    // A way without a statistic counts as far; where the one found is NaN, so is the probability.
    for way in 0..<tried where !(abs(value(isExact ? way : nil)) < bound) { far += 1 }
    probability = found.isNaN ? .nan : Double(far) / Double(isExact ? ways : limit + 1)
  }

  /// How many combinations there are, or Int.max if more than `limit`.
  private static func choices(of count: Int, from all: Int, upTo limit: Int) -> Int {
    var ways = 1
    for step in 0..<min(count, all - count) {
      ways = ways * (all - step) / (step + 1)
      if ways > limit { return Int.max }
    }
    return ways
  }

  /// The next combination in lexicographic order; the last one stays.
  private static func advance(_ chosen: inout [Int], _ all: Int) {
    guard let place = chosen.indices.last(where: { chosen[$0] < all - chosen.count + $0 }) else { return }
    let start = chosen[place] + 1
    for offset in place..<chosen.count { chosen[offset] = start + offset - place }
  }
}
