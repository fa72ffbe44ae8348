import CallosumContracts

/// What the measurements say of a claim's criterion: the one place where verdicts are computed.
public struct Judgement: Sendable, Equatable, Codable {
  public let verdict: Verdict
  /// A finding for each condition, in order.
  public let findings: [Finding]

  /// What the measurements say of one condition.
  public struct Finding: Sendable, Equatable, Codable {
    /// The condition in words.
    public let condition: String
    public let verdict: Verdict
    /// The quantity for each seed in which it could be computed.
    public let values: [Double]
    /// Mean over the seeds, with its 95 % interval; nil if there is no value.
    public let estimate: Estimate?
    /// Standard error of the mean; nil for fewer than two values.
    public let standardError: Double?
    /// Why nothing can be said, where that is so.
    public let problem: String?
  }

  /// One measured number.
  public struct Measurement: Sendable, Equatable, Codable {
    public let arm: String
    public let seed: UInt64
    public let metric: String
    public let value: Double

    public init(arm: String, seed: UInt64, metric: String, value: Double) {
      self.arm = arm
      self.seed = seed
      self.metric = metric
      self.value = value
    }
  }

  /// Judges `measurements` of `seeds`. Seeds in which something is missing say nothing, and with less
  /// than three seeds that do, the verdict is inconclusive.
  public init(of criterion: Criterion, seeds: [UInt64], _ measurements: [Measurement]) {
    var table: [UInt64: [String: [String: Double]]] = [:]
    for one in measurements { table[one.seed, default: [:]][one.arm, default: [:]][one.metric] = one.value }
    findings = criterion.conditions.map { condition in
      let values = seeds.compactMap { seed in
        condition.quantity.value { metric, arm in table[seed]?[arm]?[metric] }
      }
      return Judgement.finding(condition, values, of: seeds.count)
    }
    let verdicts = findings.map(\.verdict)
    let isContradicted =
      switch criterion.contradiction {
      case .first: verdicts.first == .contradicted
      case .any: verdicts.contains(.contradicted)
      case .all: !verdicts.isEmpty && verdicts.allSatisfy { $0 == .contradicted }
      }
    let holds = !verdicts.isEmpty && verdicts.allSatisfy { $0 == .holds }
    verdict = isContradicted ? .contradicted : holds ? .holds : .inconclusive
  }

  private static func finding(_ condition: Condition, _ values: [Double], of seeds: Int) -> Finding {
    let estimate = Estimate(of: values)
    let error = estimate?.standardDeviation.map { $0 / Double(values.count).squareRoot() }
    var problem: String?
    var verdict = Verdict.inconclusive
    if values.contains(where: { !$0.isFinite }) {
      problem = "a seed yields no finite number"
    } else if values.count < 3 {
      problem = "needs three seeds, has \(values.count) of \(seeds)"
    } else if let estimate, let error {
      verdict = judge(condition.rule, values, mean: estimate.mean, error: error)
    }
    return Finding(
      condition: condition.text, verdict: verdict, values: values, estimate: estimate,
      standardError: error, problem: problem)
  }

  /// The rules as ``Condition/Rule`` states them.
  private static func judge(
    _ rule: Condition.Rule, _ values: [Double], mean: Double, error: Double
  ) -> Verdict {
    func decide(holds: Bool, contradicted: Bool) -> Verdict {
      holds ? .holds : contradicted ? .contradicted : .inconclusive
    }
    let (low, high) = (mean - 2 * error, mean + 2 * error)
    switch rule {
    case .beats(let margin):
      return decide(
        holds: mean >= margin && mean > 2 * error, contradicted: high < margin && mean <= 0)
    case .matches(let margin):
      return decide(holds: low >= -margin, contradicted: high < -margin)
    case .leads(let margin):
      return decide(
        holds: mean >= margin && values.allSatisfy { $0 > 0 },
        contradicted: mean <= -margin && values.allSatisfy { $0 < 0 })
    case .isAtLeast(let bound):
      return decide(holds: mean >= bound, contradicted: high < bound)
    case .isAtMost(let bound):
      return decide(holds: mean <= bound, contradicted: low > bound)
    case .alwaysAtLeast(let bound):
      return decide(
        holds: values.allSatisfy { $0 >= bound }, contradicted: values.allSatisfy { $0 < bound })
    case .alwaysAtMost(let bound):
      return decide(
        holds: values.allSatisfy { $0 <= bound }, contradicted: values.allSatisfy { $0 > bound })
    }
  }
}
