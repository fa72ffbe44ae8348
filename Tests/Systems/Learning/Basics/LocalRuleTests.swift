import CallosumContracts
import CallosumLearning
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// One matrix of weights.
private final class Weights: Module {
  @Parameter var weight: Tensor
  init(_ weight: Tensor) { self.weight = weight }
}

private func teach(
  _ rule: any LearningRule, _ weights: Weights, on x: Tensor, rate: Double, steps: Int
) throws {
  for _ in 0..<steps {
    let signals = LearningSignals(input: x, output: linear(x, weight: weights.weight))
    let directions = try rule.directions(for: weights.parameters(), signals)
    weights.weight = weights.weight - directions[0] * rate
  }
}

/// Centred samples [400, 6] whose components have clearly different variances, in mixed directions.
private func samples() -> Tensor {
  var random = RandomGenerator(seed: 3)
  let scales = Tensor([2.0, 1.5, 1.0, 0.6, 0.4, 0.2])
  let rotation = qr(random.normal([6, 6]).asType(.float64)).q
  let x = matmul(random.normal([400, 6]).asType(.float64) * scales, rotation)
  return x - x.mean(axis: 0, keepDims: true)
}

/// The eigenvectors of the samples' covariance as rows, largest first.
private func components(_ x: Tensor) -> Tensor {
  eigh(matmul(x.swappedAxes(0, 1), x) * (1 / Double(x.dim(0)))).vectors.swappedAxes(0, 1)
    .flipped(axes: [0])
}

@Suite struct OjaTests {
  private func rule(ordered: Bool) throws -> Oja {
    var random = RandomGenerator(seed: 1)
    var settings = Oja.Settings()
    settings.ordered = ordered
    return try Oja(settings, using: &random)
  }

  private func start() -> Weights {
    var random = RandomGenerator(seed: 4)
    return Weights(random.normal([3, 6], standardDeviation: 0.3).asType(.float64))
  }

  /// Oja's rows become orthonormal and span what the three largest components do.
  @Test func ojaFindsThePrincipalSubspace() throws {
    let x = samples(), weights = start()
    try teach(try rule(ordered: false), weights, on: x, rate: 0.05, steps: 4000)
    let w = weights.weight, principal = components(x).sliced(axis: 0, to: 3)
    let gram = matmul(w, w.swappedAxes(0, 1))
    #expect((gram - .eye(3, dtype: .float64)).doubles.allSatisfy { $0.magnitude < 1e-9 })
    let projector = matmul(w.swappedAxes(0, 1), w)
    let expected = matmul(principal.swappedAxes(0, 1), principal)
    #expect((projector - expected).doubles.allSatisfy { $0.magnitude < 1e-9 })
  }

  /// Sanger's rows become the components themselves, in order, up to sign; Oja's do not.
  @Test func sangerFindsTheComponents() throws {
    let x = samples()
    func worst(_ ordered: Bool) throws -> Double {
      let weights = start()
      try teach(try rule(ordered: ordered), weights, on: x, rate: 0.05, steps: 4000)
      let agreement = abs((weights.weight * components(x).sliced(axis: 0, to: 3)).sum(axis: 1))
      return agreement.doubles.map { (1 - $0).magnitude }.max() ?? 1
    }
    #expect(try worst(true) < 1e-9)
    #expect(try worst(false) > 1e-3)
  }

  /// The sums written out, number by number.
  @Test(arguments: [false, true]) func isTheFormula(ordered: Bool) throws {
    let x = samples().sliced(axis: 0, to: 5).reshaped(1, 5, 6), weights = start()
    let y = linear(x, weight: weights.weight)
    let signals = LearningSignals(input: x, output: y)
    let found = try rule(ordered: ordered).directions(for: weights.parameters(), signals)[0].doubles
    let (xs, ys, w) = (x.doubles, y.doubles, weights.weight.doubles)
    for k in 0..<3 {
      for j in 0..<6 {
        var sum = 0.0
        for n in 0..<5 {
          var explained = 0.0
          for l in 0..<3 where !ordered || l <= k { explained += ys[n * 3 + l] * w[l * 6 + j] }
          sum += ys[n * 3 + k] * (xs[n * 6 + j] - explained)
        }
        #expect((found[k * 6 + j] + sum / 5).magnitude < 1e-12)
      }
    }
  }

  @Test func refusesWhatIsNotOneMatrix() throws {
    final class Two: Module {
      @Parameter var weight = Tensor.zeros([3, 6])
      @Parameter var bias = Tensor.zeros([3])
    }
    let rule = try rule(ordered: false)
    let signals = LearningSignals(input: .zeros([2, 6]), output: .zeros([2, 3]))
    let error = #expect(throws: InvalidInput.self) { try rule.directions(for: Two().parameters(), signals) }
    #expect(
      error?.description
        == "oja teaches one matrix of weights [outputs, inputs] and nothing else, but here is weight [3, 6],"
        + " bias [3]")
    let narrow = LearningSignals(input: .zeros([2, 5]), output: .zeros([2, 3]))
    let other = #expect(throws: InvalidInput.self) {
      try rule.directions(for: Weights(.zeros([3, 6])).parameters(), narrow)
    }
    #expect(
      other?.description
        == "oja needs weights [3, 5] between its input and output, but here is weight [3, 6]")
  }
}

@Suite struct SoftHebbTests {
  private func rule(_ temperature: Double) throws -> SoftHebb {
    var random = RandomGenerator(seed: 1)
    var settings = SoftHebb.Settings()
    settings.temperature = temperature
    return try SoftHebb(settings, using: &random)
  }

  @Test(arguments: [1.0, 0.3]) func isTheFormula(temperature: Double) throws {
    var random = RandomGenerator(seed: 6)
    let x = random.normal([4, 5]).asType(.float64), weights = Weights(random.normal([3, 5]).asType(.float64))
    let signals = LearningSignals(input: x, output: linear(x, weight: weights.weight))
    let found = try rule(temperature).directions(for: weights.parameters(), signals)[0].doubles
    let (xs, w) = (x.doubles, weights.weight.doubles)
    var sums = [Double](repeating: 0, count: 15)
    for n in 0..<4 {
      let u: [Double] = (0..<3).map { k in
        let products: [Double] = (0..<5).map { j in w[k * 5 + j] * xs[n * 5 + j] }
        return products.reduce(0, +)
      }
      let weight = u.map { (CallosumTensors.exp(Tensor($0 / temperature, .float64))).item() }
      let total = weight.reduce(0, +)
      for k in 0..<3 {
        let y = weight[k] / total
        for j in 0..<5 { sums[k * 5 + j] += y * (xs[n * 5 + j] - u[k] * w[k * 5 + j]) }
      }
    }
    for (value, sum) in zip(found, sums) { #expect((value + sum / 4).magnitude < 1e-12) }
  }

  /// Each of three clusters on the unit sphere gets a unit of its own, with weights of norm 1.
  @Test func unitsDivideTheClusters() throws {
    var random = RandomGenerator(seed: 8)
    let centres = Tensor.eye(6, dtype: .float64).sliced(axis: 0, to: 3)
    let places = Tensor((0..<300).map { Int32($0 % 3) })
    var x = centres.take(places) + random.normal([300, 6], standardDeviation: 0.1).asType(.float64)
    x = x * rsqrt(square(x).sum(axis: 1, keepDims: true))
    let weights = Weights(centres * 0.2 + random.uniform([3, 6], low: 0, high: 0.2).asType(.float64))
    try teach(try rule(0.05), weights, on: x, rate: 0.5, steps: 500)
    let winners = linear(x, weight: weights.weight).argMax(axis: 1)
    #expect((winners .== places).all().item() == 1)
    let norms = sqrt(square(weights.weight).sum(axis: 1)).doubles
    #expect(norms.allSatisfy { ($0 - 1).magnitude < 0.02 }, "\(norms)")
  }
}

@Suite struct ErrorRuleTests {
  /// For linear units the delta rule is backpropagation.
  @Test func deltaRuleIsTheGradient() throws {
    var random = RandomGenerator(seed: 2)
    let x = random.normal([2, 7, 5]), target = random.normal([2, 7, 3])
    let weights = Weights(random.normal([3, 5]))
    let rule = try DeltaRule(.init(), using: &random)
    let (_, gradients) = valueAndGradient(by: weights.parameters()) {
      mseLoss(predictions: linear(x, weight: weights.weight), targets: target)
    }
    let y = linear(x, weight: weights.weight)
    let signals = LearningSignals(
      input: x, output: y, outputError: gradient(at: y) { mseLoss(predictions: $0, targets: target) })
    let found = try rule.directions(for: weights.parameters(), signals)
    let problem = Comparison(found[0], gradients[0], within: Tolerance(relative: 1e-5, ofLargest: 1e-6))
      .problem
    #expect(problem == nil)
    #expect(throws: InvalidInput.self) {
      try rule.directions(for: weights.parameters(), LearningSignals(input: x, output: y))
    }
  }

  /// Weights learn from the error at the output as by the delta rule; the error goes back through fixed
  /// weights, the same for the same seed, in the strength asked for.
  @Test func feedbackAlignmentKeepsItsFeedback() throws {
    var settings = FeedbackAlignment.Settings()
    settings.gain = 2
    func rule(_ seed: UInt64) throws -> FeedbackAlignment {
      var random = RandomGenerator(seed: seed)
      return try FeedbackAlignment(settings, using: &random)
    }
    var random = RandomGenerator(seed: 2)
    let weights = Weights(random.normal([3, 5])), unit = Tensor.eye(3)
    let one = try rule(1), same = try rule(1), other = try rule(2)
    let feedback = try #require(one.inputError(unit, for: weights.parameters()))
    #expect(feedback.shape == [3, 5])
    #expect(feedback.floats.allSatisfy { $0.magnitude <= 2 / Float(5).squareRoot() })
    #expect(feedback.floats.contains { $0.magnitude > 1 / Float(5).squareRoot() })
    #expect(same.inputError(unit, for: weights.parameters())?.floats == feedback.floats)
    #expect(other.inputError(unit, for: weights.parameters())?.floats != feedback.floats)
    let error = random.normal([2, 7, 3]), x = random.normal([2, 7, 5])
    let told = try #require(one.inputError(error, for: weights.parameters()))
    let problem = Comparison(
      told, matmul(error, feedback), within: Tolerance(relative: 1e-5, ofLargest: 1e-6)
    ).problem
    #expect(problem == nil)
    let signals = LearningSignals(input: x, output: .zeros([2, 7, 3]), outputError: error)
    let delta = try DeltaRule(.init(), using: &random)
    #expect(
      try one.directions(for: weights.parameters(), signals)[0].floats
        == delta.directions(for: weights.parameters(), signals)[0].floats)
  }

  @Test func backpropagationHandsOnGradients() throws {
    var random = RandomGenerator(seed: 2)
    let weights = Weights(random.normal([3, 5])), gradients = [random.normal([3, 5])]
    let rule = try Backpropagation(.init(), using: &random)
    let (x, y) = (Tensor.zeros([1, 5]), Tensor.zeros([1, 3]))
    let found = try rule.directions(
      for: weights.parameters(), LearningSignals(input: x, output: y, gradients: gradients))
    #expect(found[0].floats == gradients[0].floats)
    #expect(throws: InvalidInput.self) {
      try rule.directions(for: weights.parameters(), LearningSignals(input: x, output: y))
    }
  }
}
