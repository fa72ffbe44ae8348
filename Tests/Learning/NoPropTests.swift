import CallosumContracts
import CallosumLearning
import CallosumNetworks
import CallosumTensors
import Foundation
import Testing

private func network(_ change: (inout NoProp.Settings) -> Void = { _ in }) throws -> NoProp {
  var settings = NoProp.Settings()
  (settings.blocks, settings.hidden) = (4, 8)
  change(&settings)
  var random = RandomGenerator(seed: 1)
  return try NoProp(settings, in: Slot(width: 6, outputWidth: 3, tokens: 1), using: &random)
}

@Suite struct NoPropTests {
  /// What the formulas of a step must satisfy whatever the schedule: the guess weighs what the ELBO weighs,
  /// and a right guess leads from q(z_(t-1)|y) to q(z_t|y), in mean and in variance.
  @Test(arguments: [1, 2, 10, 37], [1e-6, 0.001, 0.2]) func identities(_ count: Int, _ clip: Double) {
    let schedule = NoPropSchedule(steps: count, clip: clip)
    #expect(abs(schedule.signal[0] - clip) < 1e-15 && abs(schedule.signal[count] - (1 - clip)) < 1e-15)
    for t in 1...count {
      let (guess, kept, noise) = schedule.steps[t - 1]
      let (before, after) = (schedule.signal[t - 1], schedule.signal[t])
      #expect(before < after)
      let gain = schedule.ratio(t) - schedule.ratio(t - 1)
      #expect(abs(guess * guess / noise - gain) < 1e-9 * max(gain, 1))
      #expect(abs(guess + kept * before.squareRoot() - after.squareRoot()) < 1e-12)
      #expect(abs(kept * kept * (1 - before) + noise - (1 - after)) < 1e-12)
    }
  }

  /// The loss puts no gradient of one block's term into another: changing a block changes its own gradients
  /// and nobody else's.
  @Test func blocksAreLocal() throws {
    let own = try network { $0.codeWidth = 5 }
    var random = RandomGenerator(seed: 2)
    let x = random.normal([7, 1, 6]), labels = random.integers([7], low: 0, high: 3)
    let parameters = own.parameters().filter { $0.name.hasPrefix("blocks") }
    func gradients() -> [[Float]] {
      var noise = RandomGenerator(seed: 3)
      return valueAndGradient(by: parameters) { own.losses(x, labels, using: &noise).sum() }.gradients
        .map(\.floats)
    }
    let before = gradients()
    for one in parameters where one.name.hasPrefix("blocks.1.") { one.value = one.value * 1.5 + 0.1 }
    let after = gradients()
    for (place, parameter) in parameters.enumerated() {
      let isChanged = parameter.name.hasPrefix("blocks.1.")
      #expect((before[place] != after[place]) == isChanged, "\(parameter.name)")
    }
  }

  /// If every block knew the class, the course would end at the class's code with the schedule's noise.
  @Test func rightGuessesLeadToTheCode() throws {
    let own = try network { ($0.blocks, $0.clip) = (6, 0.01) }
    for block in own.blocks {
      block.output.weight = .zeros(block.output.weight.shape)
      block.output.bias = Tensor([Float(0), 60, 0])
    }
    var random = RandomGenerator(seed: 4)
    let count = 20_000
    let last = own.course(.zeros([count, 1, 6]), using: &random)[6]
    let mean = last.mean(axis: 0).floats, variance = last.variance(axis: 0).floats
    // Noise at the start has variance 1, where q(z_0|y) has mean sqrt(clip) and variance 1 - clip; what of
    // it is left at the end is the product of the kept shares.
    let kept = own.schedule.steps.reduce(1.0) { $0 * $1.kept }
    let code = 0.99.squareRoot() - kept * 0.01.squareRoot()
    for (place, wanted) in [0, code, 0].enumerated() {
      #expect(abs(Double(mean[place]) - wanted) < 0.005)
      #expect(abs(Double(variance[place]) - (0.01 + kept * kept * 0.01)) < 0.001)
    }
  }

  /// The sum of the loss, written out for fixed codes.
  @Test func theLossWrittenOut() throws {
    let own = try network { ($0.blocks, $0.eta) = (2, 0.3) }
    var random = RandomGenerator(seed: 5)
    let x = random.normal([4, 1, 6]), labels = Tensor([Int32(2), 0, 1, 1])
    var noise = RandomGenerator(seed: 6), same = RandomGenerator(seed: 6)
    let losses = own.losses(x, labels, using: &noise)
    let codes = labels.oneHot(count: 3)
    func noisy(_ step: Int) -> Tensor {
      let signal = own.schedule.signal[step]
      return codes * signal.squareRoot() + same.normal([4, 3]) * (1 - signal).squareRoot()
    }
    var expected = (logSoftmax(own.head(noisy(2))) * codes).sum(axis: 1) * -1
    // Three numbers, one of them 1: KL = 1/2 (abar |u|² - 3 abar - 3 log(1 - abar)).
    let first = own.schedule.signal[0]
    expected = expected + 0.5 * (first - 3 * first - 3 * log(1 - first))
    for t in 1...2 {
      let guess = softmax(own.blocks[t - 1](x, noisy(t - 1)))
      let weight = 0.15 * (own.schedule.ratio(t) - own.schedule.ratio(t - 1))
      expected = expected + square(guess - codes).sum(axis: 1) * weight
    }
    for (a, b) in zip(losses.floats, expected.floats) { #expect(abs(a - b) < 1e-4 * max(1, abs(b))) }
  }

  /// What a learner remembers lets another go on with the same bits.
  @Test func learningGoesOn() throws {
    var random = RandomGenerator(seed: 7)
    let batch = Batch(inputs: random.normal([8, 1, 6]), targets: random.integers([8], low: 0, high: 3))
    func learner() throws -> NoPropLearner {
      NoPropLearner(try network(), sampling: RandomGenerator(seed: 8))
    }
    let first = try learner(), second = try learner()
    var noise = RandomGenerator(seed: 9)
    for _ in 0..<3 { _ = try first.learn(batch, .classes(3), using: &noise) }
    for (to, from) in zip(second.network.parameters(), first.network.parameters()) { to.value = from.value }
    try second.restore(first.state)
    var again = noise
    let a = try first.learn(batch, .classes(3), using: &noise)
    let b = try second.learn(batch, .classes(3), using: &again)
    #expect(a == b)
    #expect(first.predict(batch.inputs).floats == second.predict(batch.inputs).floats)
    #expect(throws: Mistake.self) { try first.learn(batch, .values(3), using: &noise) }
  }
}
