import CallosumAnalysis

/// A mean over independent runs with its 95 % confidence interval.
///
/// The interval is Student's: mean ± t(0.975, n - 1) s / √n. It assumes that results scatter around
/// the mean about normally from seed to seed.
public struct Estimate: Codable, Sendable, Equatable {
  /// Number of runs.
  public let count: Int
  public let mean: Double
  /// Sample standard deviation (n - 1 in the denominator); nil for one run.
  public let standardDeviation: Double?
  /// Half the width of the 95 % interval; nil for one run, which says nothing about scatter.
  public let halfWidth: Double?

  /// Nil for no values at all.
  public init?(of values: [Double]) {
    guard !values.isEmpty else { return nil }
    count = values.count
    mean = Statistics.mean(values)
    standardDeviation = Statistics.standardDeviation(values)
    halfWidth = standardDeviation.map { deviation in
      let count = Double(values.count)
      return Statistics.studentQuantile(0.975, degreesOfFreedom: count - 1) * deviation
        / count.squareRoot()
    }
  }

  /// The mean of `first - second`, run by run: what the two share (a seed, a batch order) cancels.
  /// Nil for no pairs; both lists must have the same length.
  public init?(ofPairedDifference first: [Double], minus second: [Double]) {
    precondition(first.count == second.count, "paired values: \(first.count) and \(second.count)")
    self.init(of: zip(first, second).map { $0 - $1 })
  }

  /// The interval, or nil for one run.
  public var interval: ClosedRange<Double>? {
    halfWidth.flatMap { $0.isFinite ? mean - $0...mean + $0 : nil }
  }
}
