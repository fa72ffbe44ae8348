import CallosumKernels
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

extension TensorTests {
  /// Drawn numbers against the quantiles and probabilities of SciPy (Tests/Fixtures/distributions.py)
  /// and against exact distributions. Seeds are fixed: a test that passes once passes always.
  @Suite struct Distributions {
    // MARK: Measures

    /// Pearson's statistic of counts; below freedom + 4 sqrt(2 freedom) in all but about one of 2000.
    private func expectFit(
      _ counts: [Int], _ probabilities: [Double], _ name: String,
      at location: SourceLocation = #_sourceLocation
    ) {
      let total = Double(counts.reduce(0, +)), freedom = Double(counts.count - 1)
      let statistic = zip(counts, probabilities).reduce(0.0) {
        $0 + pow(Double($1.0) - total * $1.1, 2) / (total * $1.1)
      }
      #expect(
        statistic < freedom + 4 * (2 * freedom).squareRoot(),
        "\(name): chi-square \(statistic) of \(freedom)",
        sourceLocation: location)
    }

    /// How many values lie up to each of the ascending cuts and above all of them.
    private func counts(_ values: [Double], upTo cuts: [Double]) -> [Int] {
      var counts = [Int](repeating: 0, count: cuts.count + 1)
      for value in values {
        var (low, high) = (0, cuts.count)
        while low < high {
          let middle = (low + high) / 2
          if value <= cuts[middle] { high = middle } else { low = middle + 1 }
        }
        counts[low] += 1
      }
      return counts
    }

    private func expectQuantiles(_ values: Tensor, _ name: String) throws {
      let quantiles = try Golden.tensors("distributions")[name].doubles
      let fiftieth = [Double](repeating: 0.02, count: 50)
      expectFit(counts(values.doubles, upTo: quantiles), fiftieth, "\(name), \(values.dtype)")
    }

    /// Kolmogorov and Smirnov: above 1.63 in one of 100 samples, above 1.95 in one of 1000.
    private func expectDistribution(_ sample: [Double], _ name: String, _ distribution: (Double) -> Double) {
      let count = Double(sample.count)
      let distance = sample.sorted().enumerated().reduce(0.0) { largest, entry in
        let p = distribution(entry.element)
        return max(largest, p - Double(entry.offset) / count, Double(entry.offset + 1) / count - p)
      }
      #expect(distance * count.squareRoot() < 1.95, "\(name)")
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    // MARK: Continuous

    @Test(arguments: [DType.float32, .float64]) func gammaNumbers(_ dtype: DType) throws {
      var random = RandomGenerator(seed: 1)
      for shape in ["0.1", "1", "3.5", "50", "1e6"] {
        // A float32 of 1e6 has steps of 1/16: too coarse to count by.
        if shape == "1e6" && dtype == .float32 { continue }
        let concentration = try #require(Double(shape))
        try expectQuantiles(
          random.gamma([200_000], concentration: concentration, dtype: dtype), "gamma \(shape)")
      }
      let scaled = random.gamma([100_000], concentration: 4, scale: 0.5, dtype: dtype).doubles
      #expect(abs(mean(scaled) - 2) < 4 * (1 / 100_000.0).squareRoot())
      #expect(abs(mean(scaled.map { pow($0 - 2, 2) }) - 1) < 0.03)
      // Each element has a parameter of its own.
      let rows = random.gamma(
        Tensor([0.1, 50]).asType(dtype).reshaped(2, 1).broadcast(to: [2, 100_000]))
      #expect(rows.dtype == dtype && rows.shape == [2, 100_000])
      try expectQuantiles(rows.sliced(axis: 0, from: 0, to: 1), "gamma 0.1")
      try expectQuantiles(rows.sliced(axis: 0, from: 1, to: 2), "gamma 50")
    }

    @Test func tinyGammaNumbersAreZeroAndNotWrong() {
      var random = RandomGenerator(seed: 2)
      let tiny = random.gamma([1000], concentration: 1e-5, dtype: .float64).doubles
      #expect(tiny.allSatisfy { $0 >= 0 && $0.isFinite } && tiny.filter { $0 == 0 }.count > 980)
      // Probabilities are made from logarithms, so they add up even there.
      let rows = random.dirichlet(Tensor([Double](repeating: 1e-5, count: 3000), [1000, 3])).doubles
      let sums = (0..<1000).map { row in rows[3 * row..<3 * row + 3].reduce(0, +) }
      #expect(sums.allSatisfy { abs($0 - 1) < 1e-12 })
      let fair = (0..<3).map { (which: Int) -> Int in
        (0..<1000).filter { (row: Int) -> Bool in rows[3 * row + which] > 0.5 }.count
      }
      expectFit(fair, [1 / 3.0, 1 / 3.0, 1 / 3.0], "corners")
    }

    @Test(arguments: [DType.float32, .float64]) func betaNumbers(_ dtype: DType) throws {
      var random = RandomGenerator(seed: 3)
      for (alpha, beta) in [("0.5", "0.5"), ("2", "5"), ("0.1", "3"), ("80", "60")] {
        let (a, b) = (try #require(Double(alpha)), try #require(Double(beta)))
        let sample = random.beta([200_000], alpha: a, beta: b, dtype: dtype)
        try expectQuantiles(sample, "beta \(alpha) \(beta)")
        #expect(sample.doubles.allSatisfy { $0 >= 0 && $0 <= 1 })
      }
      let broadcast = random.beta(.full([3, 1], 2, dtype: dtype), .full([4], 5, dtype: dtype))
      #expect(broadcast.shape == [3, 4] && broadcast.dtype == dtype)
    }

    @Test(arguments: [DType.float32, .float64]) func dirichletRows(_ dtype: DType) throws {
      var random = RandomGenerator(seed: 4)
      let concentration = Tensor([2.0, 1, 4]).asType(dtype)
      let rows = random.dirichlet(concentration.broadcast(to: [100_000, 3]))
      #expect(rows.dtype == dtype && rows.shape == [100_000, 3])
      #expect(rows.sum(axis: 1).doubles.allSatisfy { abs($0 - 1) < 1e-6 })
      // A share has the beta distribution of its parameter against all others.
      try expectQuantiles(rows.sliced(axis: 1, from: 0, to: 1), "beta 2 5")
      let means = rows.mean(axis: 0).doubles
      for (found, wanted) in zip(means, [2 / 7.0, 1 / 7.0, 4 / 7.0]) { #expect(abs(found - wanted) < 0.003) }
      let products = (rows.sliced(axis: 1, from: 0, to: 1) * rows.sliced(axis: 1, from: 2, to: 3)).doubles
      // E[p q] = a b / (n (n + 1)) for the sum n of all.
      #expect(abs(mean(products) - 8 / 56.0) < 0.002)
    }

    @Test(arguments: [DType.float32, .float64]) func waitingTimes(_ dtype: DType) throws {
      var random = RandomGenerator(seed: 5)
      let waits = random.exponential([200_000], dtype: dtype)
      try expectQuantiles(waits, "exponential")
      expectDistribution(waits.doubles, "exponential") { 1 - exp(-$0) }
      expectDistribution(random.exponential([50_000], rate: 40, dtype: dtype).doubles, "rate 40") {
        1 - exp(-40 * $0)
      }
      let noise = random.gumbel([200_000], dtype: dtype)
      try expectQuantiles(noise, "gumbel")
      expectDistribution(noise.doubles, "gumbel") { exp(-exp(-$0)) }
      #expect(noise.doubles.allSatisfy { $0.isFinite })
    }

    // MARK: Discrete

    @Test func poissonCounts() throws {
      var random = RandomGenerator(seed: 6)
      let golden = try Golden.tensors("distributions")
      for text in ["0.1", "3", "5", "9.99", "10", "40", "1e4", "1e8"] {
        let rate = try #require(Double(text)), count = 200_000
        let sample = random.poisson([count], rate: rate)
        #expect(sample.dtype == .int32)
        let values = sample.doubles
        expectFit(
          counts(values, upTo: golden["poisson \(text).cuts"].doubles),
          golden["poisson \(text).probabilities"].doubles, "poisson \(text)")
        let average = mean(values), spread = mean(values.map { pow($0 - average, 2) })
        #expect(abs(average - rate) < 4 * (rate / Double(count)).squareRoot(), "poisson \(text)")
        // The fourth moment about the mean is rate (1 + 3 rate).
        let error = ((rate + 2 * rate * rate) / Double(count)).squareRoot()
        #expect(abs(spread - rate) < 4 * error, "poisson \(text)")
      }
      #expect(random.poisson([1000], rate: 0).doubles.allSatisfy { $0 == 0 })
      // Each element has a rate of its own.
      let rows = random.poisson(Tensor([0, 5, 1e4] as [Float]).reshaped(3, 1).broadcast(to: [3, 1000]))
      for (found, rate) in zip(rows.asType(.float64).mean(axis: 1).doubles, [0, 5, 1e4]) {
        #expect(abs(found - rate) <= 4 * (rate / 1000).squareRoot())
      }
    }

    private let probabilities = [0.5, 0.2, 0.15, 0.1, 0.05]

    @Test(arguments: [DType.float32, .float64]) func classes(_ dtype: DType) {
      var random = RandomGenerator(seed: 7)
      // Impossible classes between the others, and logits that are no logarithms of probabilities.
      let logits = Tensor(probabilities.flatMap { [log($0) + 3, -.infinity] }).asType(dtype)
      func fit(_ drawn: Tensor, _ name: String) {
        var counts = [Int](repeating: 0, count: 10)
        for value in drawn.asArray(Int32.self) { counts[Int(value)] += 1 }
        expectFit((0..<5).map { counts[2 * $0] }, probabilities, name)
        #expect((0..<5).allSatisfy { counts[2 * $0 + 1] == 0 })
      }
      fit(random.categorical(logits.broadcast(to: [100_000, 10])), "one for each row")
      fit(random.categorical(logits, count: 100_000), "many of one row")
      let columns = logits.reshaped(10, 1, 1).broadcast(to: [10, 3, 2])
      #expect(random.categorical(columns, axis: 0).shape == [3, 2])
      #expect(random.categorical(columns, axis: 0, count: 7).shape == [3, 2, 7])
      #expect(random.categorical(columns, axis: 0, count: 0).shape == [3, 2, 0])
    }

    @Test func classesWithoutReplacement() {
      var random = RandomGenerator(seed: 8)
      let logits = Tensor(probabilities.map { log($0) }).broadcast(to: [100_000, 5])
      let pairs = random.categorical(logits, count: 2, replacement: false).asArray(Int32.self)
      var found = [Int](repeating: 0, count: 25)
      for row in 0..<100_000 { found[5 * Int(pairs[2 * row]) + Int(pairs[2 * row + 1])] += 1 }
      #expect((0..<5).allSatisfy { found[6 * $0] == 0 })
      let places = (0..<25).filter { $0 / 5 != $0 % 5 }
      // The second is drawn from what the first left.
      expectFit(
        places.map { found[$0] },
        places.map { probabilities[$0 / 5] * probabilities[$0 % 5] / (1 - probabilities[$0 / 5]) }, "pairs")
      let all = random.categorical(Tensor.zeros([50, 9]), count: 9, replacement: false).asArray(Int32.self)
      for row in 0..<50 { #expect(Set(all[9 * row..<9 * row + 9]).count == 9) }
    }

    // MARK: Vectors and matrices

    @Test(arguments: [DType.float32, .float64]) func normalVectors(_ dtype: DType) {
      var random = RandomGenerator(seed: 9)
      let mean = Tensor([1.0, -2]).asType(dtype)
      let covariance = Tensor([2, 0.6, 0.6, 0.5] as [Double], [2, 2]).asType(dtype)
      let sample = random.multivariateNormal([50_000], mean: mean, covariance: covariance)
      #expect(sample.shape == [50_000, 2] && sample.dtype == dtype)
      let off = sample - mean
      let products = matmul(off.transposed(), off).doubles.map { $0 / 50_000 }
      for (found, wanted) in zip(products, [2, 0.6, 0.6, 0.5]) { #expect(abs(found - wanted) < 0.04) }
      // Half the squared distance in terms of the covariance is exponential in two dimensions.
      let distances = (off * matmul(off, inverse(covariance))).sum(axis: 1) / 2
      expectDistribution(distances.doubles, "distances") { 1 - exp(-$0) }
      let batch = random.multivariateNormal(
        mean: .zeros([3, 1, 2], dtype: dtype), covariance: covariance.broadcast(to: [4, 2, 2]))
      #expect(batch.shape == [3, 4, 2])
      // A function of mean and covariance: its derivative by the mean is 1.
      let slope = gradient(at: mean) {
        random.multivariateNormal([7], mean: $0, covariance: covariance).sum()
      }
      #expect(slope.doubles == [7, 7])
    }

    @Test(arguments: [DType.float32, .float64]) func orthogonalMatrices(_ dtype: DType) {
      var random = RandomGenerator(seed: 10)
      for (rows, columns) in [(5, 5), (9, 4), (3, 8), (1, 6), (33, 1), (70, 64)] {
        let q = random.orthogonal([2, rows, columns], gain: 1.5, dtype: dtype)
        #expect(q.shape == [2, rows, columns] && q.dtype == dtype)
        let turned = q.swappedAxes(-1, -2)
        let square = rows < columns ? matmul(q, turned) : matmul(turned, q)
        let error = abs(square - Tensor.eye(min(rows, columns), dtype: dtype) * 2.25).max().item()
        #expect(error < (dtype == .float32 ? 1e-5 : 1e-13), "\(rows) x \(columns)")
      }
      #expect(random.orthogonal([2, 0, 3]).shape == [2, 0, 3])
      // Uniform: the trace has mean 0 and variance 1, an entry the fourth moment 3 / (n (n + 2)).
      let many = random.orthogonal([20_000, 3, 3], dtype: dtype)
      let traces = (many * Tensor.eye(3, dtype: dtype)).sum(axes: [1, 2]).doubles
      #expect(abs(mean(traces)) < 4 / 20_000.0.squareRoot())
      #expect(abs(mean(traces.map { $0 * $0 }) - 1) < 0.04)
      #expect(abs(mean(many.doubles.map { pow($0, 4) }) - 0.2) < 0.005)
    }

    // MARK: Streams

    @Test func theSameSeedGivesTheSameBitsForAnyThreadCount() {
      let rates = exp(Tensor.linspace(-4, 12, count: 5003)), small = Tensor.linspace(0.01, 3, count: 3000)
      func draw() -> [[Double]] {
        var random = RandomGenerator(seed: 12)
        return [
          random.poisson(rates).doubles, random.gamma(small).doubles,
          random.beta(small, small).doubles, random.dirichlet(small.reshaped(1000, 3)).doubles,
          random.exponential([3001], dtype: .float64).doubles, random.gumbel([3001]).doubles,
          random.categorical(small.reshaped(100, 30), count: 20).doubles,
          random.categorical(small.reshaped(100, 30), count: 20, replacement: false).doubles,
          random.multivariateNormal([50], mean: .zeros([3]), covariance: .eye(3)).doubles,
          random.orthogonal([6, 7]).doubles, [Double(random.next() >> 12)],
        ]
      }
      let usual = draw()
      let before = callosum_thread_count()
      defer { callosum_set_thread_count(before) }
      for threads in [1, 2, 3, 7] {
        callosum_set_thread_count(Int32(threads))
        for level in 0...Int(callosum_best_instruction_set()) {
          let found = Setting(instructionSet: level, threadsTinyArrays: true).run { Array(draw()[0...1]) }
          #expect(found == Array(usual[0...1]), "\(threads) threads, instruction set \(level)")
        }
        #expect(Setting(threadsTinyArrays: true).run(draw) == usual, "\(threads) threads")
      }
    }

    /// An element's numbers depend on its place in the stream, not on how many are drawn with it, and
    /// nothing is drawn twice.
    @Test func everyElementHasAStreamOfItsOwn() {
      var (long, short) = (RandomGenerator(seed: 13), RandomGenerator(seed: 13))
      let whole = long.gamma([100], concentration: 0.5).doubles
      let pieces =
        short.gamma([37], concentration: 0.5).doubles + short.gamma([63], concentration: 0.5).doubles
      #expect(whole == pieces && long == short)
      #expect(Set(whole).count == 100)
      // Draws of other kinds from the same blocks share nothing either.
      var (a, b) = (RandomGenerator(seed: 13), RandomGenerator(seed: 13))
      let x = a.exponential([4096], dtype: .float64).doubles, y = b.uniform([16384]).doubles
      var correlation = 0.0
      for i in 0..<4096 { correlation += (x[i] - 1) * (y[4 * i] - 0.5) / 4096 }
      #expect(abs(correlation) < 4 * (1 / 12.0).squareRoot() / 64)
    }

    @Test func splitStreamsDiffer() {
      var parent = RandomGenerator(seed: 14)
      var same = RandomGenerator(seed: 14)
      let first = parent.split(into: 3), second = parent.split()
      #expect(first == same.split(into: 3) && second == same.split())
      var generators = first + second + [parent]
      let draws = generators.indices.map { generators[$0].normal([4096]).doubles }
      for (i, a) in draws.enumerated() {
        for b in draws[(i + 1)...] {
          #expect(abs(zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / 4096) < 4 / 64)
        }
      }
      #expect(draws.count == 6)
    }
  }
}
