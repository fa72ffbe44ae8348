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
    let parameters = own.blocks.parameters()
    /// Of each parameter, that of each block.
    func gradients() -> [[[Float]]] {
      var noise = RandomGenerator(seed: 3)
      return valueAndGradient(by: parameters) { own.losses(x, labels, using: &noise).sum() }.gradients
        .map { $0.split(parts: 4).map(\.floats) }
    }
    let before = gradients()
    for one in parameters {
      var slices = one.value.split(parts: 4)
      slices[1] = slices[1] * 1.5 + 0.1
      one.value = concatenated(slices)
    }
    let after = gradients()
    for (place, parameter) in parameters.enumerated() {
      for block in 0..<4 {
        #expect(
          (before[place][block] != after[place][block]) == (block == 1), "\(parameter.name) \(block)")
      }
    }
  }

  /// If every block knew the class, the course would end at the class's code with the schedule's noise.
  @Test func rightGuessesLeadToTheCode() throws {
    let own = try network { ($0.blocks, $0.clip) = (6, 0.01) }
    let output = own.blocks.output
    output.weight = .zeros(output.weight.shape)
    output.bias = Tensor([Float(0), 60, 0]).broadcast(to: [6, 3])
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

  /// What descent through all blocks learns by: the last block's logits on a course, on which every block has
  /// a say.
  @Test func theLastBlockNamesTheClass() throws {
    let own = try network()
    var random = RandomGenerator(seed: 2)
    let x = random.normal([5, 1, 6])
    var noise = random, same = random
    let named = own.named(x, using: &noise)
    let expected = own.guesses(x, along: own.course(x, using: &same))[3]
    #expect(abs(named - expected).max().item() < 1e-5)
    var drawn = random
    let parameters = own.blocks.parameters()
    let (_, gradients) = valueAndGradient(by: parameters) { square(own.named(x, using: &drawn)).sum() }
    for (parameter, gradient) in zip(parameters, gradients) {
      for (block, own) in gradient.split(parts: 4).enumerated() {
        #expect(own.floats.contains { $0 != 0 }, "\(parameter.name) \(block)")
      }
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
    var expected = (logSoftmax(own.logits(noisy(2))) * codes).sum(axis: 1) * -1
    // Three numbers, one of them 1: KL = 1/2 (abar |u|² - 3 abar - 3 log(1 - abar)).
    let first = own.schedule.signal[0]
    expected = expected + 0.5 * (first - 3 * first - 3 * log(1 - first))
    let guesses = own.guesses(x, along: [noisy(0), noisy(1)]).map { softmax($0) }
    for (t, guess) in zip(1...2, guesses) {
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
    #expect(throws: InvalidInput.self) { try first.learn(batch, .values(3), using: &noise) }
  }

  // MARK: Continuous time

  /// The learned schedule rises from one end to the other, and its gain is the derivative of the
  /// signal-to-noise ratio: the limit of what the discrete loss weighs a step by, times the steps.
  @Test func theLearnedSchedule() throws {
    let own = try network { ($0.variant, $0.scheduleWidth, $0.clip) = (.continuous, 7, 0.02) }
    let schedule = try #require(own.noise)
    for one in schedule.parameters() { one.value = one.value.asType(.float64) }
    let signals = schedule.steps(1000).signal.doubles
    #expect(abs(signals[0] - 0.02) < 1e-6 && abs(signals[1000] - 0.98) < 1e-6)
    #expect(zip(signals, signals.dropFirst()).allSatisfy { $0 < $1 })
    let ratios = signals.map { $0 / (1 - $0) }
    let middles = (0..<1000).map { (Double($0) + 0.5) / 1000 }
    let gains = schedule(Tensor(middles)).gain.doubles
    for t in 0..<1000 {
      #expect(abs((ratios[t + 1] - ratios[t]) * 1000 - gains[t]) < 1e-4 * gains[t])
    }
    // The identities of a step.
    let steps = schedule.steps(1000)
    let (guess, kept, noise) = (steps.guess.doubles, steps.kept.doubles, steps.noise.doubles)
    for t in 0..<1000 {
      let (before, after) = (signals[t], signals[t + 1])
      let gain = ratios[t + 1] - ratios[t]
      #expect(abs(guess[t] * guess[t] / noise[t] - gain) < 1e-9 * max(gain, 1))
      #expect(abs(guess[t] + kept[t] * before.squareRoot() - after.squareRoot()) < 1e-12)
      #expect(abs(kept[t] * kept[t] * (1 - before) + noise[t] - (1 - after)) < 1e-12)
    }
  }

  /// However fine the steps are: if the block knows the class, codes end at the class's code, with the
  /// schedule's noise.
  @Test func finerStepsEndAlike() throws {
    let own = try network { ($0.variant, $0.steps, $0.clip) = (.continuous, 200, 0.01) }
    let output = own.blocks.output
    output.weight = .zeros(output.weight.shape)
    output.bias = Tensor([Float(0), 60, 0]).reshaped(1, 3)
    var random = RandomGenerator(seed: 4)
    let last = own.course(.zeros([20_000, 1, 6]), using: &random)[200]
    let schedule = try #require(own.noise)
    let steps = schedule.steps(200)
    let kept = steps.kept.doubles.reduce(1, *)
    let code = 0.99.squareRoot() - kept * 0.01.squareRoot()
    for (mean, wanted) in zip(last.mean(axis: 0).doubles, [0, code, 0]) {
      #expect(abs(mean - wanted) < 0.005)
    }
    for variance in last.variance(axis: 0).doubles {
      #expect(abs(variance - (0.01 + kept * kept * 0.01)) < 0.001)
    }
  }

  /// A block that always says u_y - z_0 for one z_0 leads exactly there, and its loss there is nil.
  @Test func theFlowArrives() throws {
    let own = try network { ($0.variant, $0.steps) = (.flow, 7) }
    #expect(own.head == nil)
    let output = own.blocks.output
    output.weight = .zeros(output.weight.shape)
    output.bias = Tensor([Float(0.5), 1.25, -0.75]).reshaped(1, 3)
    let x = Tensor.zeros([2, 1, 6]), start = Tensor([Float(-0.5), -0.25, 0.75]).broadcast(to: [2, 3])
    let course = own.course(x) { start }
    #expect(course.count == 8)
    #expect(abs(course[7] - Tensor([Float(0), 1, 0])).max().item() < 1e-6)
    #expect(own.logits(course[7]).argMax(axis: 1).doubles == [1, 1])
    let labels = Tensor([Int32(1), 0]), times = Tensor([Float(0.3), 0.9])
    let losses = own.flowLosses(x, labels, start: start, times: times).floats
    // For class 0 the code is off by 1 in two places.
    #expect(abs(losses[0]) < 1e-6 && abs(losses[1] - 2) < 1e-5)
  }

  @Test(arguments: [NoProp.Variant.continuous, .flow], [0, 4])
  func continuousVariantsLearn(_ variant: NoProp.Variant, _ width: Int) throws {
    let own = try network {
      ($0.variant, $0.hidden, $0.steps, $0.codeWidth, $0.eta) = (variant, 24, 30, width, 1)
    }
    var random = RandomGenerator(seed: 11)
    let centres = random.normal([3, 1, 6]) * 2
    let labels = random.integers([300], low: 0, high: 3)
    let batch = Batch(inputs: centres.take(labels) + random.normal([300, 1, 6]) * 0.5, targets: labels)
    let learner = NoPropLearner(own, learningRate: 0.01, sampling: RandomGenerator(seed: 12))
    var noise = RandomGenerator(seed: 13)
    for _ in 0..<200 { _ = try learner.learn(batch, .classes(3), using: &noise) }
    let right = (learner.predict(batch.inputs).argMax(axis: 1) .== labels).asType(.float32).mean().item()
    #expect(right > 0.9, "\(variant) with codes of \(width): \(right)")
  }
}
