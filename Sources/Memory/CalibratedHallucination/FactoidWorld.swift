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
    var counts = [Int: Int](minimumCapacity: min(count, facts))
    for _ in 0..<count { counts[alias.draw(using: &random), default: 0] += 1 }
    return FactoidSample(size: count, counts: counts)
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
  /// theorem holds; with a number of `bins`, values are put together at about equal shares of g, and what
  /// is never said stays apart.
  public func miscalibration(bins: Int? = nil) -> Double {
    // Factoids of equal g: the unseen, and the seen by how often.
    var groups: [Int: MassGroup] = [
      0: MassGroup(each: novelty / Double(unseen), p: world.missingMass(after: sample), g: novelty)
    ]
    for (fact, count) in sample.counts {
      let each = (1 - novelty) * Double(count) / Double(sample.size)
      var group = groups[count] ?? MassGroup(each: each, p: 0, g: 0)
      group.p += world.probabilities[fact]
      group.g += each
      groups[count] = group
    }
    return halfDistance(of: Array(groups.values), bins: bins)
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
  var groups: [Double: MassGroup] = [:]
  for (one, other) in zip(p, g) {
    var group = groups[other] ?? MassGroup(each: other, p: 0, g: 0)
    group.p += one
    group.g += other
    groups[other] = group
  }
  return halfDistance(of: Array(groups.values), bins: bins)
}

/// Factoids that a generator treats alike: g of each, and the mass of all under p and g.
private struct MassGroup {
  let each: Double
  var p, g: Double
}

private func halfDistance(of groups: [MassGroup], bins: Int?) -> Double {
  let ordered = groups.sorted { $0.each < $1.each }
  var sum = 0.0, bin = (p: 0.0, g: 0.0), filled = 0.0, boundary = 1.0
  for (place, group) in ordered.enumerated() {
    bin.p += group.p
    bin.g += group.g
    filled += group.g
    // What a generator never says is a bin of its own, as it has no mass to be cut by.
    let parts = Double(bins ?? 0)
    let isFull = bins == nil || group.each == 0 || filled * parts >= boundary
    guard isFull || place == ordered.count - 1 else { continue }
    sum += abs(bin.p - bin.g)
    bin = (0, 0)
    boundary = (filled * parts).rounded(.down) + 1
  }
  return sum / 2
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

  package func draw(using random: inout RandomGenerator) -> Int {
    let place = Int.random(in: threshold.indices, using: &random)
    return Double.random(in: 0..<1, using: &random) < threshold[place] ? place : alias[place]
  }
}
