import CallosumContracts
import CallosumLab
import CallosumTensors
import Testing

// Verdicts on made-up results where the right answer is known.

private func judged(_ rule: Condition.Rule, _ values: [Double]) -> Judgement {
  let seeds = (1...UInt64(max(values.count, 1))).map { $0 }
  return Judgement(
    of: Criterion(Condition(.measured("score", of: "a"), rule)), seeds: seeds,
    zip(seeds, values).map { Judgement.Measurement(arm: "a", seed: $0, metric: "score", value: $1) })
}

@Suite struct JudgementTests {
  /// The standard error of 0.18, 0.20, 0.22 is 0.0115.
  @Test(
    arguments: [
      (.beats(by: 0.1), [0.18, 0.20, 0.22], .holds),
      (.beats(by: 0.1875), [0.125, 0.1875, 0.25], .holds),
      (.beats(by: 0.21), [0.18, 0.20, 0.22], .inconclusive),
      (.beats(by: 0.1), [0.9, 0.0, -0.3], .inconclusive),
      (.beats(by: 0.1), [-0.18, -0.20, -0.22], .contradicted),
      (.beats(by: 0), [0, 0, 0], .inconclusive),
      // Better than nothing but not by the margin: neither.
      (.beats(by: 0.5), [0.18, 0.20, 0.22], .inconclusive),
      (.matches(within: 0.01), [0.001, -0.001, 0.0], .holds),
      (.matches(within: 0.01), [0.18, 0.20, 0.22], .holds),
      (.matches(within: 0.01), [-0.009, -0.013, -0.005], .inconclusive),
      (.matches(within: 0.01), [-0.18, -0.20, -0.22], .contradicted),
      (.leads(by: 0.1), [0.3, 0.2, 0.01], .holds),
      (.leads(by: 0.1), [0.5, 0.5, -0.01], .inconclusive),
      (.leads(by: 0.1), [-0.3, -0.2, -0.01], .contradicted),
      (.leads(by: 0.1), [-0.01, -0.02, -0.01], .inconclusive),
      (.isAtLeast(0.95), [0.94, 0.96, 0.97], .holds),
      (.isAtLeast(0.95), [0.90, 0.94, 0.97], .inconclusive),
      (.isAtLeast(0.95), [0.5, 0.51, 0.52], .contradicted),
      (.isAtMost(0.7), [0.6, 0.7, 0.65], .holds),
      (.isAtMost(0.7), [0.9, 0.91, 0.92], .contradicted),
      (.alwaysAtLeast(0.9), [0.9, 0.95, 0.99], .holds),
      (.alwaysAtLeast(0.9), [0.89, 0.95, 0.99], .inconclusive),
      (.alwaysAtLeast(0.9), [0.1, 0.2, 0.3], .contradicted),
      (.alwaysAtMost(0.9), [0.9, 0.1, 0.2], .holds),
      (.alwaysAtMost(0.9), [0.91, 0.95, 0.92], .contradicted),
    ] as [(Condition.Rule, [Double], Verdict)])
  func rules(_ rule: Condition.Rule, _ values: [Double], _ expected: Verdict) {
    #expect(judged(rule, values).verdict == expected)
  }

  @Test func twoSeedsSayNothing() {
    let judgement = judged(.beats(by: 0.1), [5, 6])
    #expect(judgement.verdict == .inconclusive)
    #expect(judgement.findings[0].problem == "needs three seeds, has 2 of 2")
  }

  @Test func aDivergedArmSaysNothing() {
    let judgement = judged(.beats(by: 0.1), [5, .nan, 6, 7])
    #expect(judgement.verdict == .inconclusive)
    #expect(judgement.findings[0].problem == "a seed yields no finite number")
  }

  /// Differences are taken seed by seed, so what both arms owe to the seed cancels.
  @Test func differencesArePaired() {
    let scores: [(String, [Double])] = [("a", [0.5, 0.7, 0.9]), ("b", [0.39, 0.6, 0.81])]
    let measurements = scores.flatMap { arm, values in
      zip([7, 8, 9] as [UInt64], values).map {
        Judgement.Measurement(arm: arm, seed: $0, metric: "score", value: $1)
      }
    }
    let lead = Quantity.measured("score", of: "a") - .measured("score", of: "b")
    let judgement = Judgement(
      of: Criterion(Condition(lead, .beats(by: 0.09))), seeds: [7, 8, 9], measurements)
    #expect(judgement.verdict == .holds)
    #expect(judgement.findings[0].condition == "score(a) − score(b) ≥ 0.09, beyond 2 standard errors")
    // Without seed 9 of b two pairs are left.
    let fewer = Judgement(
      of: Criterion(Condition(lead, .beats(by: 0.09))), seeds: [7, 8, 9],
      measurements.filter { !($0.arm == "b" && $0.seed == 9) })
    #expect(fewer.findings[0].values.count == 2 && fewer.verdict == .inconclusive)
  }

  @Test func conditionsTogether() {
    func verdict(
      _ values: [Double], _ contradiction: Criterion.Contradiction, _ rules: [Condition.Rule]
    ) -> Verdict {
      let score = Quantity.measured("score", of: "a")
      let criterion =
        rules.count == 1
        ? Criterion(Condition(score, rules[0]), contradictedBy: contradiction)
        : Criterion(
          Condition(score, rules[0]), Condition(score, rules[1]), contradictedBy: contradiction)
      return Judgement(
        of: criterion, seeds: [1, 2, 3],
        zip([1, 2, 3] as [UInt64], values).map {
          Judgement.Measurement(arm: "a", seed: $0, metric: "score", value: $1)
        }
      ).verdict
    }
    let low: [Condition.Rule] = [.isAtLeast(0), .isAtLeast(5)]
    let high: [Condition.Rule] = [.isAtLeast(5), .isAtLeast(0)]
    #expect(verdict([6, 7, 8], .first, low) == .holds)
    #expect(verdict([1, 2, 3], .first, low) == .inconclusive)
    #expect(verdict([1, 1.1, 1.2], .first, high) == .contradicted)
    #expect(verdict([1, 1.1, 1.2], .any, low) == .contradicted)
    #expect(verdict([1, 1.1, 1.2], .all, low) == .inconclusive)
    #expect(verdict([-1, -1.1, -1.2], .all, low) == .contradicted)
  }

  /// With no true difference, "beats by 0" holds about as often as Student's t with 2 degrees of freedom
  /// exceeds 2: 9.2 %. With a difference of ten standard deviations it nearly always does.
  @Test func errorRates() {
    var random = RandomGenerator(seed: 1)
    let noise = random.normal([4000, 3]).doubles
    func share(_ shift: Double) -> Double {
      let held = (0..<4000).count { row in
        judged(.beats(by: 0), noise[row * 3..<row * 3 + 3].map { $0 + shift }).verdict == .holds
      }
      return Double(held) / 4000
    }
    #expect(abs(share(0) - 0.0918) < 0.015)
    #expect(share(10) > 0.999)
  }

  @Test func quantities() {
    let table = ["a": 2.0, "b": 5.0, "c": -1.0]
    func value(_ quantity: Quantity) -> Double? { quantity.value { _, arm in table[arm] } }
    func x(_ arm: String) -> Quantity { .measured("x", of: arm) }
    #expect(value(x("a") - x("b") * x("c")) == 7)
    #expect(value(.largest([x("a"), x("b"), x("c")]) - .smallest([x("a"), x("c")])) == 6)
    #expect(value(x("b") / x("a")) == 2.5)
    #expect(value(x("a") - x("missing")) == nil)
    #expect(value(.largest([x("a"), x("missing")])) == nil)
    #expect(((x("a") - x("b")) - (x("c") - 0.5 * x("a"))).text == "x(a) − x(b) − (x(c) − 0.5 × x(a))")
  }
}
