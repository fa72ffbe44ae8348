import CallosumContracts
import CallosumLab
import CallosumTensors
import Foundation
import Testing

// Verdicts on made-up results where the right answer is known.

private let score = Quantity.measured("score", of: "a")

private func judged(_ rule: Condition.Rule, _ values: [Double], gates: [Condition.Rule] = []) -> Judgement {
  Judgement(
    of: Criterion(Condition(score, rule), gates: gates.map { Condition(score, $0) }),
    metrics: [Metric("score")],
    values.enumerated().map {
      Judgement.Measurement(arm: "a", seed: UInt64($0 + 1), metric: "score", value: $1)
    })
}

/// As many seeds above the bound as told, then as many on the other side.
private func seeds(_ above: Int, _ below: Int) -> [Double] {
  [Double](repeating: 1, count: above) + [Double](repeating: -1, count: below)
}

@Suite struct JudgementTests {
  /// All courses of sixteen fair coins, each judged by the code that judges claims: 1,114 of 65,536 hold, which
  /// plain counting in another language gives too, and as many are contradicted.
  @Test func fairCoinsErrInOnePointSevenPercent() {
    var held = 0, contradicted = 0
    for course in 0..<(1 << 16) {
      switch judged(.isAtLeast(0), (0..<16).map { course >> $0 & 1 == 1 ? 1 : -1 }).verdict {
      case .holds: held += 1
      case .contradicted: contradicted += 1
      default: break
      }
    }
    #expect(held == 1114 && contradicted == 1114)
    #expect(abs(Looks.error - 1114.0 / 65536) < 1e-15)
    #expect(Looks.probability(ifEachAgreesWith: 1) == 1 && Looks.probability(ifEachAgreesWith: 0) == 0)
  }

  /// The looks: 7 of 7, 11 of 12, 13 of 16, and the first that is reached decides.
  @Test(
    arguments: [
      ([], .undecided, nil),
      (seeds(6, 0), .undecided, nil),
      (seeds(7, 0), .holds, 7),
      (seeds(7, 9), .holds, 7),
      (seeds(0, 7) + seeds(9, 0), .contradicted, 7),
      (seeds(6, 1), .undecided, nil),
      (seeds(6, 1) + seeds(5, 0), .holds, 12),
      (seeds(6, 1) + seeds(4, 0), .undecided, nil),
      (seeds(5, 2) + seeds(5, 0), .undecided, nil),
      (seeds(5, 2) + seeds(8, 1), .holds, 16),
      (seeds(5, 2) + seeds(7, 2), .undecided, nil),
      (seeds(5, 2) + seeds(7, 2) + seeds(20, 0), .undecided, nil),
      // A tie speaks for nobody.
      ([0] + seeds(6, 0), .undecided, nil),
      ([0] + seeds(11, 0), .holds, 12),
    ] as [([Double], Verdict, Int?)])
  func looks(_ values: [Double], _ verdict: Verdict, _ decidedAfter: Int?) {
    let judgement = judged(.isAtLeast(0), values)
    #expect(judgement.verdict == verdict && judgement.findings[0].decidedAfter == decidedAfter)
  }

  /// What the rules take for a seed that speaks for them, or against them.
  @Test(
    arguments: [
      (.leads(by: 0.5), 0.7, .holds), (.leads(by: 0.5), 0.2, .smallerThanClaimed),
      (.leads(by: 0.5), -0.1, .contradicted), (.leads(by: 0.5), 0, .contradicted),
      (.leads(by: 0.5), 0.5, .holds), (.leads(by: 0), 0.1, .holds), (.leads(by: 0), -0.1, .contradicted),
      (.leads(by: 0), 0, .undecided), (.matches(within: 0.1), -0.05, .holds),
      (.matches(within: 0.1), -0.2, .contradicted), (.matches(within: 0.1), 5, .holds),
      (.isAtLeast(0.9), 0.95, .holds), (.isAtLeast(0.9), 0.85, .contradicted),
      (.isAtMost(0.9), 0.85, .holds), (.isAtMost(0.9), 0.95, .contradicted),
      (.isAtMost(0.9), 0.9, .undecided),
    ] as [(Condition.Rule, Double, Verdict)])
  func rules(_ rule: Condition.Rule, _ value: Double, _ verdict: Verdict) {
    #expect(judged(rule, [Double](repeating: value, count: 16)).verdict == verdict)
  }

  /// Rates of verdicts on a lead by m = 1 whose median is 0, m/2, m or 2 m, for scores that scatter in four ways
  /// by about half of m. At a true lead of 0 it holds, and at m it is contradicted, in no more than the 1.70 % of
  /// a fair coin; in the middle *smaller than claimed* is the commonest of the verdicts that decide.
  @Test(arguments: Scatter.allCases) func errorRates(_ scatter: Scatter) {
    let courses = 4000
    let noise = scatter.draw(courses * 16)
    func rates(_ truth: Double) -> [Verdict: Double] {
      var counts: [Verdict: Int] = [:]
      for course in 0..<courses {
        let values = noise[course * 16..<course * 16 + 16].map { $0 + truth }
        counts[judged(.leads(by: 1), values).verdict, default: 0] += 1
      }
      return counts.mapValues { Double($0) / Double(courses) }
    }
    // Four standard errors of a rate of 1.70 %.
    let most = Looks.error + 4 * sqrt(Looks.error / Double(courses))
    let none = rates(0), half = rates(0.5), whole = rates(1), double = rates(2)
    #expect(none[.holds, default: 0] + none[.smallerThanClaimed, default: 0] <= most)
    #expect(whole[.contradicted, default: 0] + whole[.smallerThanClaimed, default: 0] <= most)
    #expect(double[.contradicted, default: 0] + double[.smallerThanClaimed, default: 0] <= Looks.error)
    #expect(double[.holds, default: 0] > 0.75)
    if scatter == .normal {
      #expect(half[.smallerThanClaimed, default: 0] > 0.1 && double[.holds, default: 0] > 0.99)
      // Most of what is not there is found not to be.
      #expect(none[.contradicted, default: 0] > 0.95)
    }
  }

  enum Scatter: CaseIterable {
    case normal, logNormal, cauchy
    /// One run in four does not take off: it is far below the others.
    case takeOff

    /// Numbers with the median 0.
    func draw(_ count: Int) -> [Double] {
      var random = RandomGenerator(seed: 3)
      let z = random.normal([count], dtype: .float64).doubles
      switch self {
      case .normal: return z.map { $0 / 2 }
      case .logNormal: return z.map { (exp($0) - 1) / 2 }
      case .cauchy:
        let other = random.normal([count], dtype: .float64).doubles
        return zip(z, other).map { $0 / $1 / 4 }
      case .takeOff:
        // The median of the mixture is the point that a third of those that take off are below.
        let share = random.uniform([count], dtype: .float64).doubles
        return zip(z, share).map { $1 < 0.25 ? $0 / 10 - 1.5 : $0 / 10 + 0.0430727 }
      }
    }
  }

  /// A lead of one standard deviation is found in 77 % of cases, of two nearly always, and the lead that is
  /// found in 80 % lies where the exact chance says.
  @Test func power() {
    func chance(_ deviations: Double) -> Double {
      Looks.probability(ifEachAgreesWith: 0.5 * erfc(-deviations / 2.0.squareRoot()))
    }
    #expect(abs(chance(1) - 0.77) < 0.01 && chance(2) > 0.995)
    #expect(abs(chance(Looks.detectable) - 0.8) < 1e-6)
  }

  @Test func conditionsTogether() {
    func verdict(_ rules: (Condition.Rule, Condition.Rule), _ value: Double) -> Verdict {
      Judgement(
        of: Criterion(Condition(score, rules.0), Condition(score, rules.1)), metrics: [Metric("score")],
        (1...16).map { Judgement.Measurement(arm: "a", seed: $0, metric: "score", value: value) }
      ).verdict
    }
    #expect(verdict((.isAtLeast(0), .isAtLeast(5)), 6) == .holds)
    #expect(verdict((.isAtLeast(0), .isAtLeast(5)), 1) == .contradicted)
    #expect(verdict((.isAtLeast(5), .isAtLeast(0)), 1) == .contradicted)
    #expect(verdict((.isAtLeast(0), .isAtLeast(1)), 1) == .undecided)
    #expect(verdict((.isAtLeast(0), .leads(by: 2)), 1) == .smallerThanClaimed)
    #expect(verdict((.isAtLeast(3), .leads(by: 2)), 1) == .contradicted)
    #expect(verdict((.isAtLeast(1), .leads(by: 2)), 1) == .undecided)
  }

  /// Nothing is said of a claim whose gate fails, or never becomes plain; and what stays open is what more
  /// seeds are run for.
  @Test func gatesComeFirst() throws {
    #expect(judged(.isAtLeast(0), seeds(7, 0), gates: [.isAtLeast(0.5)]).verdict == .holds)
    let closed = judged(.isAtLeast(0), seeds(7, 0), gates: [.isAtLeast(2)])
    #expect(closed.verdict == .notTested)
    #expect(closed.failedGate?.condition == "score(a): at least 2.0")
    #expect(closed.open == ([], []))
    let unclear = judged(.isAtLeast(0), seeds(7, 0), gates: [.isAtLeast(1)])
    #expect(unclear.verdict == .notTested && unclear.open == ([0], []))
    #expect(judged(.isAtLeast(0), seeds(6, 1)).open == ([], [0]))
    #expect(judged(.isAtLeast(0), seeds(7, 0)).open == ([], []))
    // What is contradicted waits for its gate alone.
    #expect(judged(.isAtLeast(5), seeds(6, 1), gates: [.isAtLeast(0)]).open == ([0], []))
  }

  /// Differences are taken seed by seed, so what both arms owe to the seed cancels; a seed counts where all
  /// was measured.
  @Test func differencesArePaired() {
    let base = [0.5, 0.7, 0.9, 0.1, 0.3, 0.8, 0.2]
    func judged(without missing: UInt64?) -> Judgement {
      let measurements = base.enumerated().flatMap { place, value in
        [("a", value + 0.1), ("b", value)].map {
          Judgement.Measurement(arm: $0, seed: UInt64(place + 1), metric: "score", value: $1)
        }
      }
      return Judgement(
        of: Criterion(Condition(score - .measured("score", of: "b"), .leads(by: 0.09))),
        metrics: [Metric("score")], measurements.filter { !($0.arm == "b" && $0.seed == missing) })
    }
    let whole = judged(without: nil)
    #expect(whole.verdict == .holds && whole.findings[0].wins == 7 && whole.findings[0].losses == 0)
    #expect(whole.findings[0].condition == "score(a) − score(b): a lead of at least 0.09")
    let fewer = judged(without: 6)
    #expect(fewer.verdict == .undecided && fewer.findings[0].values.count == 5)
  }

  /// A seed in which an arm diverged counts against that arm; one in which both did, for nobody.
  @Test(arguments: [true, false]) func divergenceCountsAgainstWhoDiverged(_ higherIsBetter: Bool) {
    func judged(_ a: Double, _ b: Double) -> Judgement {
      let lead =
        higherIsBetter ? score - .measured("score", of: "b") : .measured("score", of: "b") - score
      return Judgement(
        of: Criterion(Condition(lead, .leads(by: 0))),
        metrics: [Metric("score", higherIsBetter: higherIsBetter)],
        (1...7).flatMap { seed in
          [("a", a), ("b", b)].map {
            Judgement.Measurement(arm: $0, seed: seed, metric: "score", value: $1)
          }
        })
    }
    for bad in [Double.nan, .infinity, -.infinity] {
      #expect(judged(bad, 1).verdict == .contradicted && judged(1, bad).verdict == .holds)
      #expect(judged(bad, bad).verdict == .undecided)
      let finding = judged(1, bad).findings[0]
      #expect(finding.diverged == ["b": [1, 2, 3, 4, 5, 6, 7]] && finding.estimate == nil)
    }
  }

  /// Everything that is printed beside a verdict.
  @Test func figures() throws {
    let finding = judged(.leads(by: 0.5), [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, -0.2]).findings[0]
    #expect(finding.verdict == .undecided && finding.wins == 6 && finding.losses == 5)
    #expect(abs((finding.estimate?.mean ?? 0) - 0.3) < 1e-12 && finding.median == 0.3)
    let deviation = try #require(finding.estimate?.standardDeviation)
    #expect(abs(deviation - 0.3055050463303894) < 1e-12)
    #expect(abs((finding.effect ?? 0) - 0.3 / deviation) < 1e-12)
    #expect(abs((finding.detectable ?? 0) - Looks.detectable * deviation) < 1e-12)
    let less = judged(.isAtMost(1), [0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.3]).findings[0]
    #expect((less.effect ?? 0) > 0 && (less.detectable ?? 1) < 1 && less.wins == 7)
  }

  /// What 0.1.0 and 0.2.0 stored.
  @Test func olderJudgementsStayReadable() throws {
    let text = """
      {"verdict": "inconclusive", "findings": [{"condition": "x", "verdict": "inconclusive", "values": [1, 2],
      "standardError": 0.5, "problem": "needs three seeds, has 2 of 2"}]}
      """
    let judgement = try JSONDecoder().decode(Judgement.self, from: Data(text.utf8))
    #expect(judgement.verdict == .undecided && judgement.gates.isEmpty)
    #expect(judgement.findings[0].details == ["needs three seeds, has 2 of 2"])
  }

  @Test func quantities() {
    let table = ["a": 2.0, "b": 5.0, "c": -1.0]
    func value(_ quantity: Quantity) -> Double? { quantity.value { _, arm in table[arm] } }
    func x(_ arm: String) -> Quantity { .measured("x", of: arm) }
    #expect(value(x("a") - x("b") * x("c")) == 7)
    #expect(value(x("b") / x("a")) == 2.5)
    #expect(value(x("a") - x("missing")) == nil)
    #expect(((x("a") - x("b")) - (x("c") - 0.5 * x("a"))).text == "x(a) − x(b) − (x(c) − 0.5 × x(a))")
  }
}
