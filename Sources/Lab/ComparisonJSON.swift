import CallosumContracts

extension Comparison {
  /// The result as one JSON document: all of this value and, as `summary`, what tables and reports make of
  /// it. A number that is none is written as the string "nan", "inf" or "-inf".
  public func json() throws -> String {
    try ResultCoding.text(Document(comparison: self), pretty: true)
  }

  /// Reads what `json()` wrote.
  public init(json: String) throws { self = try ResultCoding.value(json) }

  /// A comparison with its summary beside the rest.
  private struct Document: Encodable {
    let comparison: Comparison
    private enum Key: String, CodingKey { case summary }

    func encode(to encoder: any Encoder) throws {
      try comparison.encode(to: encoder)
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(Summary(comparison), forKey: .summary)
    }
  }

  /// The finding in words and, for each arm, means with their 95 % intervals.
  private struct Summary: Encodable {
    let finding: String
    let arms: [Arm]

    struct Arm: Encodable {
      let partID: String
      let completeRuns: Int
      /// Over the complete runs.
      let testAccuracy: Interval?
      /// This arm minus the one with the highest mean, over the seeds that both completed.
      let againstTheBest: Interval?
      let medianImagesPerSecond: Double?
      let meanTrainingSeconds: Double?
    }

    struct Interval: Encodable {
      let mean: Double
      /// Of the 95 % interval; missing for a single run.
      let low, high: Double?
      let seeds: Int

      init(_ estimate: Estimate) {
        mean = estimate.mean
        low = estimate.interval?.lowerBound
        high = estimate.interval?.upperBound
        seeds = estimate.count
      }
    }

    init(_ comparison: Comparison) {
      finding = Finding(comparison).headline
      let summaries = comparison.summaries
      let best = summaries.filter { $0.accuracy != nil }
        .max { ($0.accuracy?.mean ?? 0) < ($1.accuracy?.mean ?? 0) }
      arms = zip(comparison.arms, summaries).map { arm, summary in
        Arm(
          partID: arm.partID, completeRuns: summary.accuracies.count,
          testAccuracy: summary.accuracy.map(Interval.init),
          againstTheBest: best.flatMap { summary.lead(over: $0) }.map(Interval.init),
          medianImagesPerSecond: summary.imagesPerSecond, meanTrainingSeconds: summary.seconds)
      }
    }
  }
}
