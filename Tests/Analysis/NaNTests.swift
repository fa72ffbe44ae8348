import CallosumAnalysis
import CallosumTensors
import Testing

/// What is not a number never becomes one: methods throw, statistics are NaN, choices stop.
@Suite struct NaNTests {
  private static let values = [1.0, .nan, 3, 4, 2, 6], plain = [2.0, 1, 5, 4, 3, 7]

  /// Nothing here is a number where one of six values is NaN, wherever it stands (in SciPy and NumPy too).
  @Test(arguments: 0..<6) func statisticsAreNaN(_ place: Int) throws {
    var x = Self.plain.map { $0 * 1.5 }
    x[place] = .nan
    let y = Self.plain
    #expect(pearson(x, y).isNaN && pearson(y, x).isNaN)
    #expect(spearman(x, y).isNaN && spearman(y, x).isNaN)
    #expect(kendall(x, y).isNaN && kendall(y, x).isNaN)
    #expect(Statistics.mean(x).isNaN && Statistics.median(x).isNaN)
    #expect(try #require(Statistics.standardDeviation(x)).isNaN)
    for share in [0, 0.2, 0.5, 0.9, 1] { #expect(quantile(share, of: x).isNaN) }
    #expect(averageRanks(x).allSatisfy { $0.isNaN } && minMaxScaled(x).allSatisfy { $0.isNaN })
    let table = Tensor(x, [6, 1]), other = Tensor(y, [6, 1])
    #expect(rSquared(of: table, by: other)[0].isNaN && rSquared(of: other, by: table)[0].isNaN)
    var moments = try ExponentialMoments(weight: 0.5)
    moments.update([1])
    #expect(moments.standardised([.nan])[0].isNaN)
    moments.update([.nan])
    #expect(moments.standardised([1])[0].isNaN)
  }

  /// What does not vary has no correlation, also where its mean is rounded.
  @Test(arguments: [0.1, 3, 1e-3 / 7, 20000.3]) func equalValuesHaveNoCorrelation(_ value: Double) throws {
    var random = RandomGenerator(seed: 1)
    for count in [3, 6, 7, 19] {
      let same = [Double](repeating: value, count: count), line = (0..<count).map(Double.init)
      #expect(pearson(same, line).isNaN && pearson(line, same).isNaN && pearson(same, same).isNaN)
      #expect(spearman(same, line).isNaN && kendall(same, line).isNaN)
      #expect(Statistics.mean(same) == value && Statistics.standardDeviation(same) == 0)
      let test = try PermutationTest(pairing: same, line, limit: 20, using: &random)
      #expect(test.statistic.isNaN && test.probability.isNaN)
    }
    let same = [Double](repeating: value, count: 7)
    for kind in Correlation.Kind.allCases {
      #expect(throws: InvalidInput.self) { try Correlation(kind, same, (0..<7).map(Double.init)) }
    }
  }

  @Test func probabilitiesAreNaN() {
    #expect(Statistics.studentProbability(beyond: .nan, degreesOfFreedom: 3).isNaN)
    #expect(Statistics.studentProbability(beyond: .infinity, degreesOfFreedom: 3) == 0)
    #expect(Statistics.normalProbability(.nan).isNaN)
  }

  /// Everything that learns from data, or works on signals.
  @Test(arguments: [Double.nan, .infinity]) func methodsThrow(_ bad: Double) throws {
    var random = RandomGenerator(seed: 2)
    let good = random.normal([12, 3], dtype: .float64), targets = random.normal([12, 2], dtype: .float64)
    var numbers = good.doubles
    numbers[7] = bad
    let x = Tensor(numbers, [12, 3]), row = x.swappedAxes(0, 1)
    let labels = (0..<12).map { $0 % 2 }
    let symmetric = Tensor((0..<144).map { $0 == 17 ? bad : Double($0 / 12 == $0 % 12 ? 0 : 1) }, [12, 12])
    let list = Self.plain + [bad], other = Self.plain + [1]
    func throwing(_ name: String, _ body: () throws -> Any) {
      #expect(throws: InvalidInput.self, "\(name)") { _ = try body() }
    }
    throwing("PCA") { try PCA(x) }
    throwing("ridge") { try RidgeRegression(x, targets, penalties: [1, 1]) }
    throwing("ridge's targets") { try RidgeRegression(good, x, penalties: [1, 1, 1]) }
    throwing("lasso") { try Lasso.largestPenalty(x, targets) }
    throwing("partial least squares") { try PLSRegression(x, targets, components: 1) }
    throwing("logistic") { try LogisticRegression(x, labels: labels, classes: 2, penalty: 1) }
    throwing("non-negative") { try nonNegativeLeastSquares(x, [Double](repeating: 1, count: 12)) }
    throwing("k-means") { try KMeans(x, clusters: 2, using: &random) }
    throwing("balanced k-means") { try KMeans(balanced: x, clusters: 2, using: &random) }
    throwing("k-medoids") { try KMedoids(distances: symmetric, clusters: 2) }
    throwing("spectral") { try SpectralClustering(affinities: symmetric, clusters: 2, using: &random) }
    throwing("scaling") { try ClassicalScaling(distances: symmetric) }
    throwing("joint probabilities") { try TSNE.jointProbabilities(x, perplexity: 2) }
    throwing("permuted pairs") { try PermutationTest(pairing: list, other, using: &random) }
    throwing("permuted groups") { try PermutationTest(between: list, other, using: &random) }
    throwing("permuted signs") { try PermutationTest(signsOf: list, using: &random) }
    throwing("correlation") { try Correlation(.pearson, list, other) }
    throwing("power law") { try PowerLaw(list) }
    throwing("power law curve") { try PowerLawCurve(x: list, y: other) }
    throwing("autocorrelation") { try autocorrelation(row, lags: 2) }
    throwing("analytic signal") { try analyticSignal(row) }
    throwing("robust scaling") { try robustlyScaled(row) }
    throwing("total variation") { try totalVariationDenoised(x, fidelity: 1) }
    throwing("linear resampling") {
      try resampledLinearly(row, times: (0..<12).map(Double.init), at: [1.5])
    }
    throwing("Fourier resampling") { try resampledByFourier(row, count: 5) }
    throwing("polyphase resampling") { try resampledPolyphase(row, up: 2, down: 1) }
    throwing("Welch's spectrum") { try welchSpectrum(row, rate: 1, segments: Segments(length: 4)) }
    throwing("coherence") { try coherence(row, row, rate: 1, segments: Segments(length: 4)) }
    if bad.isNaN {
      throwing("bootstrap") {
        try Bootstrap(items: 5, using: &random) { $0.contains(3) ? .nan : Double($0[0]) }
      }
    }
  }

  /// A fitted model answers NaN with NaN, row by row.
  @Test func predictionsAreNaN() throws {
    var random = RandomGenerator(seed: 3)
    let x = random.normal([9, 3], dtype: .float64), y = random.normal([9, 2], dtype: .float64)
    var numbers = x.doubles
    numbers[4] = .nan
    let bad = Tensor(numbers, [9, 3])
    func lostRows(_ x: Tensor) -> [Bool] { x.doubles.map(\.isNaN) }
    let row1 = (0..<18).map { $0 / 2 == 1 }
    #expect(lostRows(try RidgeRegression(x, y, penalties: [1, 1]).predict(bad)) == row1)
    #expect(lostRows(try PLSRegression(x, y, components: 2).predict(bad)) == row1)
    #expect(lostRows(try PCA(x, components: 2).transform(bad)) == row1)
  }

  /// The nearest and the likeliest are not the first.
  @Test(arguments: [0, 1]) func choicesStop(_ which: Int) async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [which] in
      var random = RandomGenerator(seed: 4)
      let x = random.normal([8, 2], dtype: .float64)
      if which == 0 {
        _ = try KMeans(x, clusters: 2, using: &random).assign(Tensor([Double.nan, 1], [1, 2]))
      } else {
        _ = try LogisticRegression(x, labels: [0, 1, 0, 1, 0, 1, 0, 1], classes: 2, penalty: 1)
          .classify(Tensor([Double.nan, 1], [1, 2]))
      }
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("hold numbers that are not finite"), "\(text.prefix(300))")
  }
}
