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
    require(0 < facts && facts < factoids, "FactoidWorld", "needs 0 < facts < factoids")
    (self.facts, self.factoids) = (facts, factoids)
    let weights = (1...facts).map { pow(Double($0), -exponent) }
    let sum = weights.reduce(0, +)
    probabilities = weights.map { $0 / sum }
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

  /// Mis_b: half the sum over bins of |p(B) - g(B)|, where bins group factoids of similar g. Equal g belongs
  /// in one bin; `bins` cuts between different values at about equal shares of g.
  public func miscalibration(bins: Int) -> Double {
    // Groups of equal g: the unseen, and the seen by count.
    var groups: [Int: (p: Double, g: Double)] = [0: (world.missingMass(after: sample), novelty)]
    for (fact, count) in sample.counts {
      let share = (1 - novelty) * Double(count) / Double(sample.size)
      groups[count, default: (0, 0)].p += world.probabilities[fact]
      groups[count, default: (0, 0)].g += share
    }
    func probability(_ count: Int) -> Double {
      count == 0 ? novelty / Double(unseen) : (1 - novelty) * Double(count) / Double(sample.size)
    }
    let ordered = groups.sorted { (probability($0.key), $0.key) < (probability($1.key), $1.key) }.map(\.value)
    var sum = 0.0, bin = (p: 0.0, g: 0.0), filled = 0.0, boundary = 1.0
    for (place, group) in ordered.enumerated() {
      bin.p += group.p
      bin.g += group.g
      filled += group.g
      guard filled * Double(bins) >= boundary || place == ordered.count - 1 else { continue }
      sum += abs(bin.p - bin.g)
      bin = (0, 0)
      boundary = (filled * Double(bins)).rounded(.down) + 1
    }
    return sum / 2
  }

  /// The lower bound on ``hallucination`` that holds with probability 1 - delta (theorem 1):
  /// MF - Mis - 3 e^-s / delta - sqrt(6 ln(6 / delta) / n), with e^-s = facts / falsehoods.
  public func bound(delta: Double, bins: Int) -> Double {
    let sparsity = Double(world.facts) / Double(world.falsehoods)
    return sample.goodTuring - miscalibration(bins: bins) - 3 * sparsity / delta
      - (6 * log(6 / delta) / Double(sample.size)).squareRoot()
  }
}

/// Draws from a discrete distribution in constant time (Walker 1977, Vose 1991).
struct AliasTable: Sendable {
  private let threshold: [Double]
  private let alias: [Int]

  init(_ probabilities: [Double]) {
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

  func draw(using random: inout RandomGenerator) -> Int {
    let place = Int.random(in: threshold.indices, using: &random)
    return Double.random(in: 0..<1, using: &random) < threshold[place] ? place : alias[place]
  }
}
