import CallosumAnalysis
import CallosumContracts
import Foundation

/// Two arms of a comparison beside each other, paired over the seeds that both completed.
public struct Difference: Codable, Sendable, Equatable {
  /// Ids of the arms.
  public let first, second: String
  /// The first's test score minus the second's.
  public let estimate: Estimate
  /// The probability of a difference as large or larger if there were none: Student's paired test, both sides;
  /// nil for a single seed.
  public let probability: Double?
  /// The same, corrected for how many pairs are looked at (Holm 1979).
  public let corrected: Double?
  /// Whether the corrected probability is below 5 %.
  public var isToldApart: Bool { corrected.map { $0 < 0.05 } ?? false }
}

extension Comparison {
  /// All pairs of arms that share a seed, in the order of the arms.
  public var differences: [Difference] {
    let arms = summaries
    var pairs: [(first: ArmSummary, second: ArmSummary, estimate: Estimate)] = []
    for (place, first) in arms.enumerated() {
      for second in arms[(place + 1)...] {
        guard let estimate = first.difference(from: second) else { continue }
        pairs.append((first, second, estimate))
      }
    }
    let probabilities = pairs.map { $0.estimate.probabilityOfNoDifference }
    let corrected = holm(probabilities)
    return pairs.indices.map { place in
      Difference(
        first: pairs[place].first.id, second: pairs[place].second.id, estimate: pairs[place].estimate,
        probability: probabilities[place], corrected: corrected[place])
    }
  }

  /// The difference of two arms, if they share a seed.
  func difference(_ one: String, _ other: String) -> Difference? {
    differences.first { ($0.first, $0.second) == (one, other) || ($0.first, $0.second) == (other, one) }
  }

  /// A line for each pair, of many arms for those with the best alone.
  var differenceLines: [String] {
    let all = differences, best = best?.id
    let shown = all.count > 10 ? all.filter { $0.first == best || $0.second == best } : all
    guard shown.contains(where: { $0.corrected != nil }) else { return [] }
    let names = Dictionary(arms.map { ($0.id, $0.name) }) { first, _ in first }
    return [
      "Differences, paired by seed; p corrected for \(Format.count(all.count, "pair")) (Holm):"
    ]
      + shown.map { difference in
        let p = difference.corrected.map { "p \(Format.probability($0))" } ?? "one seed"
        return
          "  \(names[difference.first] ?? difference.first) − \(names[difference.second] ?? difference.second): "
          + "\(Format.difference(difference.estimate, task.metric)), \(p)"
          + (difference.isToldApart ? "" : ", not told apart")
      }
  }
}

extension Estimate {
  /// The probability of a mean as far from 0 or farther if the true one is 0: Student's test, both sides; nil
  /// for one value.
  var probabilityOfNoDifference: Double? {
    guard let deviation = standardDeviation, count > 1, mean.isFinite, deviation.isFinite else { return nil }
    // Scores that are shares of few examples can differ by exactly the same in all seeds; then signs are counted.
    if deviation == 0 { return mean == 0 ? 1 : min(1, 2 * pow(0.5, Double(count))) }
    let t = mean / (deviation / Double(count).squareRoot())
    return Statistics.studentProbability(beyond: abs(t), degreesOfFreedom: Double(count - 1))
  }
}

/// Probabilities corrected for their number (Holm 1979): the smallest is multiplied by how many there are, the
/// next by one less, and so on, never falling and never above 1. What is nil stays nil and does not count.
package func holm(_ probabilities: [Double?]) -> [Double?] {
  let known = probabilities.indices.filter { probabilities[$0] != nil }
    .sorted { (probabilities[$0] ?? 1) < (probabilities[$1] ?? 1) }
  var corrected = probabilities
  var largest = 0.0
  for (rank, place) in known.enumerated() {
    largest = max(largest, min(1, (probabilities[place] ?? 1) * Double(known.count - rank)))
    corrected[place] = largest
  }
  return corrected
}
