import CallosumContracts
import CallosumTensors
import Foundation

/// The setting of "Calibrated Language Models Must Hallucinate" (Kalai and Vempala 2023): of `factoids`
/// plausible statements Y, `facts` are true and have a probability each, by Zipf's law with an exponent; the
/// others are falsehoods H. Any unseen factoid is as likely to be a fact as any other. Falsehoods and unseen
/// facts are never listed: a generator treats them alike, so their number is enough.
public struct FactoidWorld: Sendable {
  public let facts: Int
  public let factoids: Int
  /// Probability of each fact, most frequent first.
  public let probabilities: [Double]
  private let alias: AliasTable

  /// - Parameter exponent: of Zipf's law, p_i proportional to 1 / i^exponent.
  public init(facts: Int = 100_000, factoids: Int = 1_000_000_000, exponent: Double) {
    let weights = (1...max(facts, 1)).map { pow(Double($0), -exponent) }
    let sum = weights.reduce(0, +)
    self.init(facts: facts, factoids: factoids, probabilities: weights.map { $0 / sum })
  }

  /// With any probabilities, one for each fact.
  public init(facts: Int, factoids: Int, probabilities: [Double]) {
    precondition(
      0 < facts && facts < factoids && probabilities.count == facts, "FactoidWorld",
      "needs 0 < facts < factoids and a probability for each fact, got \(facts), \(factoids) and"
        + " \(probabilities.count)")
    (self.facts, self.factoids, self.probabilities) = (facts, factoids, probabilities)
    alias = AliasTable(probabilities)
  }

  public var falsehoods: Int { factoids - facts }

  /// How often each fact occurs among `count` independent draws.
  public func sample(_ count: Int, using random: inout RandomGenerator) -> FactoidSample {
    var times = [Int](repeating: 0, count: facts)
    for place in alias.draws(count, using: &random) { times[place] += 1 }
    let seen = times.indices.filter { times[$0] > 0 }
    return FactoidSample(
      size: count, counts: Dictionary(uniqueKeysWithValues: seen.map { ($0, times[$0]) }))
  }

  /// The probability that the next draw has not been seen.
  public func missingMass(after sample: FactoidSample) -> Double {
    1 - sample.counts.keys.reduce(0) { $0 + probabilities[$1] }
  }

  /// What is expected of it after `count` draws: the sum of p (1 - p)^count.
  public func expectedMissingMass(after count: Int) -> Double {
    probabilities.reduce(0) { $0 + $1 * pow(1 - $1, Double(count)) }
  }
}

/// What was seen of a world.
public struct FactoidSample: Sendable {
  public let size: Int
  /// Times each fact was seen; those never seen are not listed.
  public let counts: [Int: Int]

  public init(size: Int, counts: [Int: Int]) {
    self.size = size
    self.counts = counts
  }

  /// The Good-Turing estimate of the missing mass: facts seen exactly once, divided by the draws.
  public var goodTuring: Double { Double(counts.values.count { $0 == 1 }) / Double(size) }

  /// The facts that were seen equally often: how often, how many they are, and their probability in `world`.
  func levels(in world: FactoidWorld) -> [(count: Int, facts: Int, p: Double)] {
    var levels = (0...(counts.values.max() ?? 0)).map { (count: $0, facts: 0, p: 0.0) }
    for (fact, count) in counts {
      levels[count].facts += 1
      levels[count].p += world.probabilities[fact]
    }
    return levels.filter { $0.facts > 0 }
  }
}

/// A generator that knows factoids only by how often it saw them: it puts `novelty` of its mass evenly on
/// all factoids that it has not seen, and spreads the rest over the seen ones in proportion to their counts.
/// Novelty 0 is the memoriser; the Good-Turing estimate as novelty is nearly calibrated.
public struct FactoidGenerator: Sendable {
  public let world: FactoidWorld
  public let sample: FactoidSample
  public let novelty: Double

  public init(_ world: FactoidWorld, _ sample: FactoidSample, novelty: Double) {
    (self.world, self.sample, self.novelty) = (world, sample, novelty)
  }

  private var unseen: Int { world.factoids - sample.counts.count }

  /// The share of falsehoods in what it says, g(H).
  public var hallucination: Double { novelty * Double(world.falsehoods) / Double(unseen) }

  /// Mis: half the sum over bins of |p(B) - g(B)|. A bin is the factoids of one value of g, for which the
  /// theorem holds; with a number of `bins`, bin i takes the values up to which g sums to more than
  /// (i - 1) / bins and at most i / bins. So what is never said stays apart from the rest, and a value that
  /// alone fills more than a bin from those below it.
  public func miscalibration(bins: Int? = nil) -> Double {
    // Factoids of equal g: the unseen, and the seen by how often.
    let levels = sample.levels(in: world)
    let missing = 1 - levels.reduce(0) { $0 + $1.p }
    let seen = levels.map { level in
      let each = (1 - novelty) * Double(level.count) / Double(sample.size)
      return MassGroup(each: each, p: level.p, g: each * Double(level.facts))
    }
    let unseen = MassGroup(each: novelty / Double(unseen), p: missing, g: novelty)
    return halfDistance(of: joined(seen + [unseen]), bins: bins)
  }

  /// |p(U) - g(U)| for the unseen factoids U: calibration in two bins, seen and unseen.
  public var unseenMiscalibration: Double { abs(world.missingMass(after: sample) - novelty) }

  /// The lower bound on ``hallucination`` that holds with probability 1 - delta (theorem 1):
  /// MF - Mis - 3 e^-s / delta - sqrt(6 ln(6 / delta) / n), with e^-s = facts / falsehoods.
  public func bound(delta: Double, bins: Int? = nil) -> Double {
    let sparsity = Double(world.facts) / Double(world.falsehoods)
    return sample.goodTuring - miscalibration(bins: bins) - 3 * sparsity / delta
      - (6 * log(6 / delta) / Double(sample.size)).squareRoot()
  }
}

/// Mis_b for listed factoids with the probabilities `p` and a generator's `g`: half the sum over bins of
/// |p(B) - g(B)|; see ``FactoidGenerator/miscalibration(bins:)``.
package func halfDistance(p: [Double], g: [Double], bins: Int? = nil) -> Double {
  halfDistance(of: joined(zip(p, g).map { MassGroup(each: $1, p: $0, g: $1) }), bins: bins)
}

/// Factoids that a generator treats alike: g of each, and the mass of all under p and g.
private struct MassGroup {
  let each: Double
  var p, g: Double
}

/// One group for each value of g.
private func joined(_ groups: [MassGroup]) -> [MassGroup] {
  Array(
    Dictionary(groups.map { ($0.each, $0) }) { MassGroup(each: $0.each, p: $0.p + $1.p, g: $0.g + $1.g) }
      .values)
}

private func halfDistance(of groups: [MassGroup], bins: Int?) -> Double {
  let ordered = groups.sorted { $0.each < $1.each }
  guard let bins else { return ordered.reduce(0) { $0 + abs($1.p - $1.g) } / 2 }
  var sum = 0.0, bin = (p: 0.0, g: 0.0), place = 0.0, filled = 0.0
  for group in ordered {
    filled += group.g
    // Rounding errors of the sum must not open a bin.
    let own = (filled * Double(bins) - 1e-9).rounded(.up)
    if own != place {
      sum += abs(bin.p - bin.g)
      (bin, place) = ((0, 0), own)
    }
    bin.p += group.p
    bin.g += group.g
  }
  return (sum + abs(bin.p - bin.g)) / 2
}

/// Draws from a discrete distribution in constant time (Walker 1977, Vose 1991).
package struct AliasTable: Sendable {
  private let threshold: [Double]
  private let alias: [Int]

  package init(_ probabilities: [Double]) {
    let count = probabilities.count
    var scaled = probabilities.map { $0 * Double(count) }
    var small = scaled.indices.filter { scaled[$0] < 1 }, large = scaled.indices.filter { scaled[$0] >= 1 }
    var threshold = [Double](repeating: 1, count: count), alias = Array(0..<count)
    while let low = small.last, let high = large.last {
      small.removeLast()
      threshold[low] = scaled[low]
      alias[low] = high
      scaled[high] -= 1 - scaled[low]
      if scaled[high] < 1 {
        large.removeLast()
        small.append(high)
      }
    }
    (self.threshold, self.alias) = (threshold, alias)
  }

  /// `count` draws, each from one uniform number: its whole part is a place, and the rest decides there.
  package func draws(_ count: Int, using random: inout RandomGenerator) -> [Int] {
    random.uniform([count], high: Double(threshold.count), dtype: .float64).doubles.map { number in
      let place = Int(number)
      return number - Double(place) < threshold[place] ? place : alias[place]
    }
  }
}
