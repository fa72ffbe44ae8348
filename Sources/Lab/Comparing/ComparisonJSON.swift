import CallosumContracts

extension Comparison {
  /// The result as one JSON document: all of this value and, as `summary`, what tables and reports make of
  /// it. A number that is none is written as the string "nan", "inf" or "-inf".
  public func json() throws -> String {
    try ResultCoding.text(Document(comparison: self), pretty: true)
  }

  /// Reads what `json()` wrote, now or in version 0.1.0.
  public init(json: String) throws {
    self = try ResultCoding.value(Self.renewed(try ResultCoding.value(json)))
  }

  /// Version 0.1.0 knew images and accuracy only, and gave each part one arm in a network called MetaFormer.
  private static func renewed(_ json: JSONValue) -> JSONValue {
    guard case .object(var document) = json, case .object(var task)? = document["task"],
      case .integer(let classes)? = task["classes"]
    else { return json }
    let accuracy = Objective.classes(classes).metric
    task["metric"] = (try? JSONValue(encoding: accuracy)) ?? .null
    document["task"] = .object(task)
    document["matching"] = (try? JSONValue(encoding: Matching(.none))) ?? .null
    if case .array(let arms)? = document["arms"] {
      document["arms"] = .array(
        arms.map { arm in
          guard case .object(var arm) = arm else { return arm }
          arm["id"] = arm["partID"]
          (arm["skeleton"], arm["tuned"]) = ("backbone", [:])
          return .object(arm)
        })
    }
    return renamed(.object(document))
  }

  private static func renamed(_ json: JSONValue) -> JSONValue {
    let names = [
      "trainingImages": "trainingExamples", "validationImages": "validationExamples",
      "testImages": "testExamples", "multiplyAccumulatesPerImage": "multiplyAccumulates",
      "testAccuracy": "testScore", "validationAccuracy": "validationScore",
      "imagesPerSecond": "examplesPerSecond",
    ]
    switch json {
    case .object(var table):
      // A run that had no score had not come to its end.
      if table["curve"] != nil, table["status"] == nil {
        table["status"] = table["testAccuracy"] == nil ? "interrupted" : "complete"
      }
      return .object(
        Dictionary(table.map { (names[$0.key] ?? $0.key, renamed($0.value)) }) { first, _ in first })
    case .array(let values): return .array(values.map(renamed))
    default: return json
    }
  }

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

  /// The finding in words, for each arm means with their 95 % intervals, and which arms are told apart.
  private struct Summary: Encodable {
    let finding: String
    let arms: [Arm]
    let differences: [Difference]

    struct Arm: Encodable {
      let id: String
      let completeRuns, divergedRuns: Int
      /// Over the complete runs.
      let testScore: Interval?
      /// This arm minus the one with the best mean, over the seeds that both completed.
      let againstTheBest: Interval?
      let medianExamplesPerSecond: Double?
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
      differences = comparison.differences
      let summaries = comparison.summaries, best = comparison.best
      arms = summaries.map { arm in
        Arm(
          id: arm.id, completeRuns: arm.scores.count, divergedRuns: arm.diverged,
          testScore: arm.score.map(Interval.init),
          againstTheBest: best.flatMap { arm.difference(from: $0) }.map(Interval.init),
          medianExamplesPerSecond: arm.examplesPerSecond, meanTrainingSeconds: arm.seconds)
      }
    }
  }
}
