import CallosumKernels
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

extension TensorTests {
  @Suite struct Random {
    // MARK: Philox

    @Test func philoxKnownAnswers() {
      // Random123's kat_vectors, philox4x32 with 10 rounds.
      #expect(
        philox(counter: [0, 0, 0, 0], key: [0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
      let ones = UInt32.max
      #expect(
        philox(counter: [ones, ones, ones, ones], key: [ones, ones])
          == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
      #expect(
        philox(
          counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: [0xa409_3822, 0x299f_31d0])
          == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    @Test func kernelsMakePhiloxBits() {
      let key: UInt64 = 0x299f_31d0_a409_3822
      for start in [0, 5, UInt64(UInt32.max) - 3] {
        let expected = (0..<40).flatMap { block -> [UInt32] in
          let counter = start + UInt64(block)
          return philox(
            counter: [UInt32(truncatingIfNeeded: counter), UInt32(counter >> 32), 0, 0],
            key: [UInt32(truncatingIfNeeded: key), UInt32(key >> 32)])
        }
        for setting in Setting.ofKernels {
          for count in [0, 1, 3, 4, 63, 157] {
            var words = [UInt32](repeating: 0, count: count)
            setting.run { callosum_random_bits(key, start, count, &words) }
            #expect(words == Array(expected.prefix(count)), "\(setting), \(count) words from \(start)")
          }
        }
      }
    }

    /// Philox 4x32-10 as Salmon et al. (2011) write it.
    private func philox(counter: [UInt32], key: [UInt32]) -> [UInt32] {
      var (c, k) = (counter, key)
      for _ in 0..<10 {
        let a = UInt64(c[0]) * 0xD251_1F53, b = UInt64(c[2]) * 0xCD9E_8D57
        c = [
          UInt32(b >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: b),
          UInt32(a >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: a),
        ]
        k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
      }
      return c
    }

    // MARK: Distributions

    @Test(arguments: [DType.float32, .float64]) func uniformNumbers(_ dtype: DType) {
      var random = RandomGenerator(seed: 1)
      let sample = random.uniform([500_000], dtype: dtype).doubles.sorted()
      #expect(sample[0] >= 0 && sample[sample.count - 1] < 1)
      expectMoments(sample, mean: 0.5, variance: 1.0 / 12, skewness: 0, kurtosis: 1.8)
      #expect(kolmogorovSmirnov(sample) { $0 } < 1.63)
    }

    @Test(arguments: [DType.float32, .float64]) func normalNumbers(_ dtype: DType) {
      var random = RandomGenerator(seed: 2)
      let sample = random.normal([500_000], dtype: dtype).doubles.sorted()
      expectMoments(sample, mean: 0, variance: 1, skewness: 0, kurtosis: 3)
      #expect(kolmogorovSmirnov(sample) { 0.5 * erfc(-$0 / 2.0.squareRoot()) } < 1.63)
      // The tails are there: of 500 000 about 32 lie beyond 4.
      #expect((10...70).contains(sample.filter { $0.magnitude > 4 }.count))
    }

    /// Each within about 4 standard errors.
    private func expectMoments(
      _ sample: [Double], mean: Double, variance: Double, skewness: Double, kurtosis: Double
    ) {
      let count = Double(sample.count)
      let average = sample.reduce(0, +) / count
      func moment(_ power: Double) -> Double {
        sample.reduce(0) { $0 + pow($1 - average, power) } / count
      }
      let spread = moment(2)
      #expect(abs(average - mean) < 4 * (variance / count).squareRoot())
      #expect(abs(spread / variance - 1) < 4 * (2 / count).squareRoot())
      #expect(abs(moment(3) / pow(spread, 1.5) - skewness) < 4 * (6 / count).squareRoot())
      #expect(abs(moment(4) / (spread * spread) - kurtosis) < 4 * (24 / count).squareRoot())
    }

    /// sqrt(n) times the largest distance between the sample's distribution and `distribution`; above
    /// 1.63 in one of 100 samples.
    private func kolmogorovSmirnov(_ sorted: [Double], _ distribution: (Double) -> Double) -> Double {
      let count = Double(sorted.count)
      var distance = 0.0
      for (index, value) in sorted.enumerated() {
        let p = distribution(value)
        distance = max(distance, p - Double(index) / count, Double(index + 1) / count - p)
      }
      return distance * count.squareRoot()
    }

    @Test func derivedDistributions() {
      var random = RandomGenerator(seed: 4)
      let scaled = random.uniform([10_000], low: -2, high: 6).doubles
      #expect(scaled.allSatisfy { $0 >= -2 && $0 < 6 })
      #expect(abs(scaled.reduce(0, +) / 10_000 - 2) < 0.1)
      // Where rounding could reach the upper end.
      let narrow = random.uniform([400_000], low: 1000, high: 1001).floats
      #expect(narrow.allSatisfy { $0 >= 1000 && $0 < 1001 })
      let shifted = random.normal([10_000], mean: 3, standardDeviation: 0.5).doubles
      #expect(abs(shifted.reduce(0, +) / 10_000 - 3) < 0.02)
      let truncated = random.truncatedNormal([10_000], standardDeviation: 3).doubles
      #expect(truncated.allSatisfy { $0.magnitude <= 6 } && truncated.contains { $0 > 5 })
      // However near the bound, it ends; variances 1 - 2 b φ(b) / (2 Φ(b) - 1).
      for (bound, variance) in [(0.5, 0.080589), (1e-3, 3.33333e-7), (1e-30, 0), (.infinity, 1)] {
        let near = random.truncatedNormal([20_000], bound: bound).doubles
        #expect(near.allSatisfy { $0.magnitude <= bound * (1 + 1e-6) })
        let found = near.reduce(0) { $0 + $1 * $1 } / 20_000
        #expect(abs(found - variance) <= 0.06 * variance + 1e-50)
      }
      for bound in [0, -1, .nan] {
        #expect(throws: InvalidInput.self) {
          try withErrors {
            var random = RandomGenerator(seed: 4)
            return random.truncatedNormal([3], bound: bound)
          }
        }
      }
      let coins = random.bernoulli([10_000], probability: 0.3).doubles
      #expect(abs(coins.reduce(0, +) / 10_000 - 0.3) < 0.02)
      let dice = random.integers([6000], low: -1, high: 5).asArray(Int32.self)
      for side in Int32(-1)..<5 { #expect((880...1120).contains(dice.filter { $0 == side }.count)) }
      for (low, high) in [(3, 3), (0, 1 << 31 + 1), (Int.min, 0)] {
        #expect(throws: InvalidInput.self) {
          try withErrors {
            var random = RandomGenerator(seed: 4)
            return random.integers([3], low: low, high: high)
          }
        }
      }
      let order = random.permutation(100).asArray(Int32.self)
      #expect(order != Array(0..<100) && order.sorted() == Array(0..<100))
    }

    @Test func dropoutScalesWhatItKeeps() {
      var random = RandomGenerator(seed: 5)
      let x = Tensor.ones([10_000])
      let (value, slope) = valueAndGradient(at: x) { dropout($0, rate: 0.25, using: &random).sum() }
      #expect(abs(value.item() / 10_000 - 1) < 0.03)
      #expect(Set(slope.floats) == [0, Float(1 / 0.75)])
      #expect(dropout(x, rate: 0, using: &random).storage === x.storage)
    }

    // MARK: Streams

    @Test func theSameSeedGivesTheSameBitsForAnyThreadCount() {
      func draw() -> [[Double]] {
        var random = RandomGenerator(seed: 7)
        return [
          random.uniform([10_007]).doubles, random.normal([10_007]).doubles,
          random.normal([1001], dtype: .float64).doubles, random.uniform([3], dtype: .float64).doubles,
          random.integers([5], low: 0, high: 1000).doubles, [Double(random.next() >> 12)],
        ]
      }
      let usual = draw()
      let before = callosum_thread_count()
      defer { callosum_set_thread_count(before) }
      for threads in [1, 2, 3, 7] {
        callosum_set_thread_count(Int32(threads))
        #expect(Setting(threadsTinyArrays: true).run(draw) == usual, "\(threads) threads")
      }
    }

    @Test func streamsDiffer() {
      let parent = RandomGenerator(seed: 1)
      var generators = [
        parent, parent.stream("weights"), parent.stream("batches"), parent.stream(""),
        parent.stream("weights").stream("weights"), RandomGenerator(seed: 2), RandomGenerator(seed: 0),
      ]
      let draws = generators.indices.map { generators[$0].normal([4096]).doubles }
      for (i, a) in draws.enumerated() {
        for b in draws[(i + 1)...] {
          let correlation = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / 4096
          #expect(abs(correlation) < 4 / 64)
        }
      }
      #expect(parent.stream("weights") == RandomGenerator(seed: 1).stream("weights"))
    }

    @Test func consecutiveDrawsDoNotOverlap() {
      var random = RandomGenerator(seed: 9)
      let draws = (0..<50).flatMap { random.uniform([$0]).doubles }
      #expect(Set(draws).count > draws.count - 3)
    }

    @Test func aStoredStreamContinues() throws {
      var random = RandomGenerator(seed: 11)
      _ = random.normal([13])
      var restored = try JSONDecoder().decode(
        RandomGenerator.self, from: JSONEncoder().encode(random))
      #expect(restored == random)
      #expect(restored.normal([99]).doubles == random.normal([99]).doubles)
      #expect(restored.next() == random.next())
    }
  }
}
