import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

/// SciPy: Tests/Fixtures/analysis.py.
@Suite struct StatisticTests {
  private func golden(_ name: String) throws -> [String: Tensor] {
    try Golden.tensors("analysis/statistics").group("\(name).")
  }

  @Test(arguments: ["few", "many", "ties"]) func correlationsAgree(_ name: String) throws {
    let golden = try golden(name)
    let a = try tensor(golden, "a").doubles, b = try tensor(golden, "b").doubles
    let values = try tensor(golden, "values").doubles, ends = try tensor(golden, "ends").doubles
    #expect(abs(pearson(a, b) - values[0]) < 1e-12)
    #expect(abs(spearman(a, b) - values[1]) < 1e-12)
    #expect(abs(kendall(a, b) - values[2]) < 1e-12)
    for (place, kind) in Correlation.Kind.allCases.enumerated() {
      let found = try Correlation(kind, a, b, confidence: 0.9)
      #expect(abs(found.value - values[place]) < 1e-12)
      #expect(abs(found.interval.lowerBound - ends[2 * place]) < 1e-12)
      #expect(abs(found.interval.upperBound - ends[2 * place + 1]) < 1e-12)
    }
  }

  @Test func correlationsAtTheEnds() throws {
    let line = [1.0, 2, 3, 4, 5]
    for kind in Correlation.Kind.allCases {
      let perfect = try Correlation(kind, line, line.map { -$0 })
      #expect(abs(perfect.value + 1) < 1e-12 && perfect.interval.contains(perfect.value))
    }
    #expect(throws: InvalidInput("the interval of a correlation needs at least 5 pairs, got 2")) {
      try Correlation(.pearson, [1, 2], [1, 2])
    }
  }

  @Test func normalQuantilesAgree() throws {
    let golden = try golden("normal")
    let quantiles = try tensor(golden, "quantiles").doubles
    for (probability, quantile) in zip(try tensor(golden, "probabilities").doubles, quantiles) {
      let found = Statistics.normalQuantile(probability)
      // 1 - 1e-9 itself is rounded.
      #expect(abs(found - quantile) < 1e-8 * max(abs(quantile), 1e-8), "\(probability): \(found)")
      if probability < 0.9 { #expect(abs(found - quantile) < 1e-12 * max(abs(quantile), 1)) }
    }
  }

  @Test func permutationTestsAgree() throws {
    var random = RandomGenerator(seed: 1)
    let signs = try golden("signs"), groups = try golden("groups")
    let differences = try tensor(signs, "differences").doubles
    let exact = try PermutationTest(signsOf: differences, using: &random)
    let probability = try tensor(signs, "probability").item()
    #expect(exact.isExact && abs(exact.probability - probability) < 1e-12)
    let drawn = try PermutationTest(signsOf: differences, limit: 500, using: &random)
    #expect(!drawn.isExact && abs(drawn.probability - probability) < 0.08)

    let a = try tensor(groups, "a").doubles, b = try tensor(groups, "b").doubles
    let between = try PermutationTest(between: a, b, using: &random)
    let expected = try tensor(groups, "probability").item()
    #expect(between.isExact && abs(between.probability - expected) < 1e-12)
    let some = try PermutationTest(between: a, b, limit: 400, using: &random)
    #expect(!some.isExact && abs(some.probability - expected) < 0.08)

    let order = (0..<12).map(Double.init)
    let paired = try PermutationTest(pairing: order, order, limit: 999, using: &random, by: spearman)
    #expect(paired.statistic == 1 && paired.probability == 0.001)
    let alike = try PermutationTest(signsOf: [0, 0, 0], using: &random)
    #expect(alike.probability == 1)
    #expect(throws: InvalidInput.self) { try PermutationTest(between: [], [1], using: &random) }
  }

  @Test func bootstrapsAgree() throws {
    let golden = try golden("bootstrap")
    let values = try tensor(golden, "values").doubles
    func variance(_ places: [Int]) -> Double {
      let mean = Statistics.mean(places.map { values[$0] })
      return Statistics.mean(places.map { (values[$0] - mean) * (values[$0] - mean) })
    }
    for accelerated in [false, true] {
      var random = RandomGenerator(seed: 3)
      let found = try Bootstrap(
        items: values.count, resamples: 20_000, accelerated: accelerated, using: &random, statistic: variance)
      let ends = try tensor(golden, accelerated ? "accelerated" : "plain").doubles
      // Both draw at random; ends differ by a few percent of the interval.
      let width = ends[1] - ends[0]
      #expect(abs(found.interval.lowerBound - ends[0]) < 0.03 * width)
      #expect(abs(found.interval.upperBound - ends[1]) < 0.03 * width, "\(found.interval), \(ends)")
      let error = try tensor(golden, "error").item()
      #expect(abs(found.standardError - error) < 0.03 * error)
      #expect(found.value == variance(Array(values.indices)))
      #expect(found.draws.count == 20_000)
    }
    var random = RandomGenerator(seed: 3)
    let still = try Bootstrap(items: 3, resamples: 9, accelerated: true, using: &random) { _ in 2 }
    #expect(still.interval == 2...2 && still.standardError == 0)
    #expect(throws: InvalidInput.self) { try Bootstrap(items: 1, using: &random) { _ in 0 } }
  }

  @Test func powerLawsAgree() throws {
    let golden = try golden("law")
    let values = try tensor(golden, "values").doubles
    let given = try tensor(golden, "given").doubles, chosen = try tensor(golden, "chosen").doubles
    let fixed = try PowerLaw(values, least: 1)
    expectClose([fixed.exponent, fixed.distance], given, 1e-12)
    let free = try PowerLaw(values)
    expectClose([free.exponent, free.distance, free.least, Double(free.count)], chosen, 1e-12)
    #expect(abs(free.standardError - (chosen[0] - 1) / chosen[3].squareRoot()) < 1e-12)
    #expect(throws: InvalidInput("a power law needs values and a least value above 0")) {
      try PowerLaw([1, 0])
    }
    #expect(throws: InvalidInput("a power law needs 2 different values from 3.0 on")) {
      try PowerLaw([1, 2], least: 3)
    }
    #expect(throws: InvalidInput.self) { try PowerLaw([Double](repeating: 2, count: 50)) }
  }

  @Test func powerLawCurvesAgree() throws {
    let golden = try golden("curve")
    let x = try tensor(golden, "x").doubles, y = try tensor(golden, "y").doubles
    let found = try PowerLawCurve(x: x, y: y, findsFloor: true)
    expectClose([found.factor, found.exponent, found.floor], try tensor(golden, "found").doubles, 1e-4)
    let line = try PowerLawCurve(x: x, y: y)
    expectClose([line.factor, line.exponent, line.rSquared], try tensor(golden, "line").doubles, 1e-10)
    let exact = try PowerLawCurve(x: [1, 2, 4, 8], y: [1, 2, 4, 8].map { 3 / $0 + 0.5 }, findsFloor: true)
    expectClose([exact.factor, exact.exponent, exact.floor], [3, 1, 0.5], 1e-6)
    #expect(abs(exact(16) - (3.0 / 16 + 0.5)) < 1e-6)
    #expect(throws: InvalidInput.self) { try PowerLawCurve(x: [1, 1], y: [1, 2]) }
  }
}
