import CallosumAnalysis
import CallosumContracts

// How verdicts are computed, and nothing else computes any.
//
// A condition is a number for each seed, d. A seed speaks for the condition where d is beyond its first bound,
// against it where d is short of its second. Seeds are looked at three times, after 7, 12 and 16: the condition
// *holds* as soon as 7 of 7, 11 of 12 or 13 of 16 speak for it, it is *contradicted* as soon as as many speak
// against it, *smaller than claimed* where both happen at the same look, and *undecided* after the last.
//
// Nothing but the independence of seeds is used. Where d lies on either side of a bound equally often, the
// three looks together cross the line in 1.70 % of cases, whatever the distribution of d: runs that collapse
// or take off late do no harm, which they do to intervals of Student's t from few seeds.

/// The looks at the seeds of a claim.
package enum Looks {
  /// After how many seeds, and how many of them have to agree.
  package static let all: [(seeds: Int, needed: Int)] = [(7, 7), (12, 11), (16, 13)]
  /// Seeds of the first look, with which nothing is decided early.
  package static var fewest: Int { all[0].seeds }
  package static var most: Int { all[all.count - 1].seeds }

  /// The chance that enough seeds agree at some look, if each does with this probability; exact.
  package static func probability(ifEachAgreesWith probability: Double) -> Double {
    // Chances of as many agreeing seeds so far, of the courses that no look has ended.
    var open = [1.0], reached = 0.0, seen = 0
    for look in all {
      for _ in seen..<look.seeds {
        var next = [Double](repeating: 0, count: open.count + 1)
        for (count, chance) in open.enumerated() {
          next[count] += chance * (1 - probability)
          next[count + 1] += chance * probability
        }
        open = next
      }
      seen = look.seeds
      reached += open[look.needed...].reduce(0, +)
      open = Array(open[..<look.needed])
    }
    return reached
  }

  /// The chance of a false *holds*, and of a false *contradicted*, of a condition that is on its bound.
  package static let error = probability(ifEachAgreesWith: 0.5)

  /// By how many standard deviations the mean of normal numbers has to be beyond a bound to be found with 80 %.
  package static let detectable: Double = {
    var (low, high) = (0.5, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if probability(ifEachAgreesWith: middle) < 0.8 { low = middle } else { high = middle }
    }
    return Statistics.normalQuantile(high)
  }()
}

/// What the measurements say of a claim.
public struct Judgement: Sendable, Equatable, Codable {
  public let verdict: Verdict
  /// A finding for each gate, in order.
  public let gates: [Finding]
  /// A finding for each condition, in order.
  public let findings: [Finding]

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

  /// Judges what was measured of the seeds 1, 2, 3, ... A seed counts for a condition where all that the
  /// condition reads was measured.
  public init(of criterion: Criterion, metrics: [Metric], _ measurements: [Measurement]) {
    // An arm that diverged in a seed is at its worst there.
    let worst = Dictionary(
      metrics.map { ($0.name, $0.higherIsBetter ? -Double.infinity : .infinity) }, uniquingKeysWith: { $1 })
    var table: [UInt64: [String: [String: Double]]] = [:]
    var diverged: [String: [String: [UInt64]]] = [:]
    for one in measurements {
      let value = one.value.isFinite ? one.value : worst[one.metric] ?? .nan
      table[one.seed, default: [:]][one.arm, default: [:]][one.metric] = value
      if !one.value.isFinite { diverged[one.arm, default: [:]][one.metric, default: []].append(one.seed) }
    }
    func finding(_ condition: Condition) -> Finding {
      let values = (1...(table.keys.max() ?? 1)).lazy.map { seed in
        condition.quantity.value { metric, arm in table[seed]?[arm]?[metric] }
      }.prefix { $0 != nil }
      var lost: [String: [UInt64]] = [:]
      for (metric, arm) in condition.quantity.inputs {
        if let seeds = diverged[arm]?[metric] { lost[arm] = Set(lost[arm] ?? []).union(seeds).sorted() }
      }
      return Finding(condition, values.compactMap { $0 }, diverged: lost)
    }
    gates = criterion.gates.map(finding)
    findings = criterion.conditions.map(finding)
    verdict = Judgement.verdict(gates, findings)
  }

  /// Reads what older versions stored too, which knew no gates.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    verdict = try container.decode(Verdict.self, forKey: .verdict)
    gates = try container.decodeIfPresent([Finding].self, forKey: .gates) ?? []
    findings = try container.decode([Finding].self, forKey: .findings)
  }

  /// Gates come first. Then the claim holds if all its conditions do, and is contradicted if any is.
  private static func verdict(_ gates: [Finding], _ findings: [Finding]) -> Verdict {
    let verdicts = findings.map(\.verdict)
    if !gates.allSatisfy({ $0.verdict == .holds }) { return .notTested }
    if verdicts.contains(.contradicted) { return .contradicted }
    if verdicts.isEmpty || verdicts.contains(.undecided) { return .undecided }
    return verdicts.contains(.smallerThanClaimed) ? .smallerThanClaimed : .holds
  }

  /// Why the claim was not tested; nil if it was.
  public var failedGate: Finding? { gates.first { $0.verdict != .holds } }

  /// The places of the gates and conditions that more seeds may still decide, and that the verdict waits for.
  package var open: (gates: [Int], conditions: [Int]) {
    let open = gates.indices.filter { gates[$0].verdict == .undecided }
    if gates.contains(where: { $0.verdict != .holds && $0.verdict != .undecided }) { return ([], []) }
    if findings.contains(where: { $0.verdict == .contradicted }) { return (open, []) }
    return (open, findings.indices.filter { findings[$0].verdict == .undecided })
  }
}

extension Judgement {
  /// What the seeds say of one condition.
  public struct Finding: Sendable, Equatable, Codable {
    /// The condition in words.
    public let condition: String
    public let verdict: Verdict
    /// The quantity for each seed, from the first on; infinite where an arm diverged.
    public let values: [Double]
    /// Beyond the first a seed speaks for the condition, short of the second against it; nil in what older
    /// versions stored, as are all that follow from them.
    public let pro: Double?
    public let contra: Double?
    /// Whether smaller values speak for it.
    public let wantsLess: Bool?
    /// Seeds that speak for it, of all.
    public let wins: Int?
    /// Seeds that speak against it, of all.
    public let losses: Int?
    /// After how many seeds it was decided.
    public let decidedAfter: Int?
    /// Mean over the seeds in which nobody diverged, with Student's 95 % interval; nil if there is none.
    public let estimate: Estimate?
    public let median: Double?
    /// How far the mean is beyond the first bound, in standard deviations of the values.
    public let effect: Double?
    /// The value, if it is the mean of normal numbers that scatter as these do, that would have been found in
    /// 80 % of cases.
    public let detectable: Double?
    /// Seeds in which an arm diverged that it reads, by arm.
    public let diverged: [String: [UInt64]]?
    /// Why nothing could be said, in what older versions stored.
    public let problem: String?

    init(_ condition: Condition, _ values: [Double], diverged: [String: [UInt64]]) {
      let (pro, contra) = condition.bounds
      let sign = condition.wantsLess ? -1.0 : 1
      func speaksFor(_ value: Double) -> Bool { sign * value > sign * pro }
      func speaksAgainst(_ value: Double) -> Bool { sign * value < sign * contra }
      (verdict, decidedAfter) = Finding.decide(values, speaksFor, speaksAgainst)
      self.condition = condition.text
      self.values = values
      (self.pro, self.contra, wantsLess) = (pro, contra, condition.wantsLess)
      wins = values.count(where: speaksFor)
      losses = values.count(where: speaksAgainst)
      let finite = values.filter(\.isFinite)
      let estimate = Estimate(of: finite)
      self.estimate = estimate
      median = finite.isEmpty ? nil : Statistics.median(finite)
      let deviation = estimate?.standardDeviation.flatMap { $0 > 0 ? $0 : nil }
      effect = deviation.flatMap { deviation in estimate.map { sign * ($0.mean - pro) / deviation } }
      detectable = deviation.map { pro + sign * Looks.detectable * $0 }
      self.diverged = diverged.isEmpty ? nil : diverged
      problem = nil
    }

    /// The first look at which enough seeds agree, and what they say there.
    private static func decide(
      _ values: [Double], _ speaksFor: (Double) -> Bool, _ speaksAgainst: (Double) -> Bool
    ) -> (Verdict, after: Int?) {
      for look in Looks.all where look.seeds <= values.count {
        let seen = values[..<look.seeds]
        let isFor = seen.count(where: speaksFor) >= look.needed
        let isAgainst = seen.count(where: speaksAgainst) >= look.needed
        if isFor || isAgainst {
          return (isFor && isAgainst ? .smallerThanClaimed : isFor ? .holds : .contradicted, look.seeds)
        }
      }
      return (.undecided, nil)
    }
  }
}
