import CallosumMemory
import CallosumTensors
import Foundation
import Testing

@Suite struct FactoidWorldTests {
  /// E[missing mass after n draws] = sum p (1 - p)^n = E[Good-Turing estimate of n + 1 draws].
  @Test func goodTuringIsUnbiased() {
    let world = FactoidWorld(facts: 300, factoids: 10_000, exponent: 1)
    var random = RandomGenerator(seed: 1)
    let (size, worlds) = (200, 4000)
    let estimates = (0..<worlds).map { _ in world.sample(size + 1, using: &random).goodTuring }
    let missing = (0..<worlds).map { _ in world.missingMass(after: world.sample(size, using: &random)) }
    let expected = world.expectedMissingMass(after: size)
    for values in [estimates, missing] {
      let mean = values.reduce(0, +) / Double(worlds)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(worlds - 1)
      #expect(abs(mean - expected) < 4 * (variance / Double(worlds)).squareRoot())
    }
  }

  @Test func drawsFollowTheirProbabilities() {
    let world = FactoidWorld(facts: 5, factoids: 100, exponent: 1.5)
    var random = RandomGenerator(seed: 2)
    let sample = world.sample(200_000, using: &random)
    for (fact, p) in world.probabilities.enumerated() {
      let share = Double(sample.counts[fact] ?? 0) / 200_000
      #expect(abs(share - p) < 5 * (p * (1 - p) / 200_000).squareRoot())
    }
    #expect(abs(world.probabilities.reduce(0, +) - 1) < 1e-12)
  }

  /// Facts A (1/2), B (1/4), C and D (1/8 each); A was seen twice, B once. The unseen 98 of 100 factoids hold
  /// 1/4 of p.
  @Test func miscalibrationByHand() {
    let world = FactoidWorld(facts: 4, factoids: 100, probabilities: [0.5, 0.25, 0.125, 0.125])
    let sample = FactoidSample(size: 3, counts: [0: 2, 1: 1])
    #expect(abs(sample.goodTuring - 1.0 / 3) < 1e-12)
    let memoriser = FactoidGenerator(world, sample, novelty: 0)
    #expect(memoriser.hallucination == 0)
    // Bins of their own: unseen |1/4 - 0|, once |1/4 - 1/3|, twice |1/2 - 2/3|.
    let apart = (0.25 + 1.0 / 12 + 1.0 / 6) / 2
    #expect(abs(memoriser.miscalibration(bins: 100) - apart) < 1e-12)
    #expect(abs(memoriser.miscalibration(bins: 1) - 0.25) < 1e-12)
    let calibrated = FactoidGenerator(world, sample, novelty: 0.25)
    #expect(abs(calibrated.hallucination - 0.25 * 96 / 98) < 1e-12)
    #expect(abs(calibrated.miscalibration(bins: 100)) < 1e-12)
    let sparsity = 3 * (4.0 / 96) / 0.01, sampling = (2 * log(600.0)).squareRoot()
    let expected = 1.0 / 3 - sparsity - sampling
    #expect(abs(calibrated.bound(delta: 0.01, bins: 100) - expected) < 1e-12)
  }

  /// One fact that a generator nearly always says does not share a bin with what it hardly says: with it no
  /// miscalibration would be seen.
  @Test func whatIsNearlyAlwaysSaidHasItsOwnBin() {
    let distance = halfDistance(p: [0.1, 0.3, 0.3, 0.3], g: [0.97, 0.01, 0.01, 0.01], bins: 10)
    #expect(abs(distance - 0.87) < 1e-12)
    // Shares of one tenth each fill a bin each, in spite of rounding errors of their sum.
    let even = (0..<10).map { 0.1 + 1e-6 * (Double($0) - 4.5) }
    let p = [0.2, 0.0] + [Double](repeating: 0.1, count: 8)
    #expect(abs(halfDistance(p: p, g: even, bins: 10) - halfDistance(p: p, g: even)) < 1e-9)
  }
}
