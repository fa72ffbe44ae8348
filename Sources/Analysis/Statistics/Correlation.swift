import CallosumTensors
import Foundation

// A correlation with what has no variance is 0 / 0, so NaN (as in NumPy and SciPy), and so is one with values
// that are NaN.

/// Pearson's correlation, the cosine of the deviations from the means.
public func pearson(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count, "pearson", "\(a.count) and \(b.count) values are not pairs")
  let (meanA, meanB) = (Statistics.mean(a), Statistics.mean(b))
  var (joint, squaresA, squaresB) = (0.0, 0.0, 0.0)
  for (a, b) in zip(a, b) {
    joint += (a - meanA) * (b - meanB)
    squaresA += (a - meanA) * (a - meanA)
    squaresB += (b - meanB) * (b - meanB)
  }
  return joint / (squaresA * squaresB).squareRoot()
}

/// Spearman's correlation: Pearson's of the average ranks.
public func spearman(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count, "spearman", "\(a.count) and \(b.count) values are not pairs")
  return pearson(averageRanks(a), averageRanks(b))
}

/// Kendall's τ_b: of two pairs of values, how much more often both rise together than against each other,
/// ties of either counting in its own half of the root: (C - D) / √((pairs - ties in a)(pairs - ties in b)).
/// n² operations.
public func kendall(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count, "kendall", "\(a.count) and \(b.count) values are not pairs")
  if a.contains(where: \.isNaN) || b.contains(where: \.isNaN) { return .nan }
  var (sum, untiedA, untiedB) = (0, 0, 0)
  for i in a.indices {
    for j in 0..<i {
      let (x, y) = (a[i] - a[j], b[i] - b[j])
      if x != 0 { untiedA += 1 }
      if y != 0 { untiedB += 1 }
      if x != 0 && y != 0 { sum += (x > 0) == (y > 0) ? 1 : -1 }
    }
  }
  return Double(sum) / (Double(untiedA).squareRoot() * Double(untiedB).squareRoot())
}

/// A correlation with the interval that holds the true one with a given confidence: Fisher's z = artanh r is
/// about normal, with variance 1 / (n - 3) for Pearson's r (Fisher 1921), (1 + r² / 2) / (n - 3) for
/// Spearman's (Bonett and Wright 2000) and 0.437 / (n - 4) for Kendall's (Fieller, Hartley and Pearson 1957).
public struct Correlation: Sendable, Equatable {
  public enum Kind: Sendable, CaseIterable { case pearson, spearman, kendall }
  public let value: Double
  public let interval: ClosedRange<Double>

  /// - Throws: `InvalidInput` for fewer than 5 pairs, values that are not finite or do not vary, or a confidence
  ///   that is not between 0 and 1.
  public init(_ kind: Kind, _ a: [Double], _ b: [Double], confidence: Double = 0.95) throws {
    precondition(a.count == b.count, "Correlation", "\(a.count) and \(b.count) values are not pairs")
    try require(a.count > 4, "the interval of a correlation needs at least 5 pairs, got \(a.count)")
    try require(confidence > 0 && confidence < 1, "confidence must lie between 0 and 1, is \(confidence)")
    try require(
      [a, b].allSatisfy { $0.allSatisfy(\.isFinite) && Set($0).count > 1 },
      "the interval of a correlation needs finite values that vary")
    let count = Double(a.count), variance: Double
    switch kind {
    case .pearson: (value, variance) = (CallosumAnalysis.pearson(a, b), 1 / (count - 3))
    case .spearman:
      value = CallosumAnalysis.spearman(a, b)
      variance = (1 + value * value / 2) / (count - 3)
    case .kendall: (value, variance) = (CallosumAnalysis.kendall(a, b), 0.437 / (count - 4))
    }
    let reach = Statistics.normalQuantile((1 + confidence) / 2) * variance.squareRoot()
    // A perfect correlation leaves no room.
    let z = atanh(min(max(value, -1), 1))
    interval = z.isFinite ? tanh(z - reach)...tanh(z + reach) : value...value
  }
}

extension Statistics {
  /// The probability that a standard normal number lies below z.
  public static func normalProbability(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// The z below which the standard normal distribution has the given probability, by Newton's method on
  /// erfc.
  public static func normalQuantile(_ probability: Double) -> Double {
    precondition(probability > 0 && probability < 1, "probability \(probability)")
    if probability > 0.5 { return -normalQuantile(1 - probability) }
    // From the bound exp(-z²/2) / 2 of the tail, on its logarithm, which is concave: no step overshoots.
    var z = -(-2 * log(2 * probability)).squareRoot()
    for _ in 0..<100 {
      let tail = normalProbability(z)
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      let step = (log(tail) - log(probability)) * tail / density
      z -= step
      if abs(step) <= 1e-15 * max(abs(z), 1e-3) { break }
    }
    return z
  }
}
