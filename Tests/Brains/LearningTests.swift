import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLearning
import CallosumMixers
import CallosumModularity
import CallosumNetworks
import CallosumNeurons
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Testing

/// A retina with a rule of its own before a cortex that learns by gradients.
private func plan(rule: Choice?, passes: Bool? = nil, optimiser: Choice? = nil) -> BrainPlan {
  BrainPlan(output: "motor") {
    Region("eye", part: "input")
    Region("lens", part: "linear", width: 6)
    Region(
      "retina", part: Choice("linear", ["bias": false]), width: 4, rule: rule, optimiser: optimiser,
      passesGradient: passes)
    Region("motor", part: "units")
    Tract("eye", to: "lens", through: "direct")
    Tract("lens", to: "retina", through: "direct")
    Tract("retina", to: "motor")
  }
}

private func retina(rule: Choice?, optimiser: Choice? = nil) -> BrainPlan {
  BrainPlan(output: "motor") {
    Region("eye", part: "input")
    Region("retina", part: Choice("linear", ["bias": false]), width: 4, rule: rule, optimiser: optimiser)
    Region("motor", part: "units")
    Tract("eye", to: "retina", through: "direct")
    Tract("retina", to: "motor")
  }
}

/// Feedback alignment without its idea: errors go back through the forward weights.
private final class Mirrored: LearningRuleMechanism {
  struct Settings: Configuration {}
  static let card = Card(
    id: "mirrored", name: "Mirrored", family: .learning,
    paper: Paper("None", by: ["Nobody"], year: 2000, link: nil), summary: "For a test.",
    verification: "None")
  static var trials: [Trial<Settings>] { [] }
  let needs = LearningNeeds.outputError
  let passesErrors = true
  init(_ settings: Settings, using generator: inout RandomGenerator) throws {}

  func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    let error = try #require(signals.outputError).reshaped(-1, signals.output.dim(-1))
    return [matmul(error.swappedAxes(0, 1), signals.input.reshaped(-1, signals.input.dim(-1)))]
  }

  func inputError(_ outputError: Tensor, for parameters: [NamedParameter]) -> Tensor? {
    matmul(outputError, parameters[0].value)
  }

  static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    Door(inputs: [], outputs: []) { _, _ in [:] }
  }
}

@Suite struct BrainLearnerTests {
  private let task = Numbers()

  /// A local region moves by its rule alone, whatever the loss.
  @Test func aLocalRegionFollowsItsRule() throws {
    let brain = try Brain(retina(rule: "oja", optimiser: Choice("sgd", ["learningRate": 0.1])), task)
    let learner = try BrainLearner(brain)
    let before = brain.weight("regions.retina.part.weight")
    let x = task.batch(.training, Array(0..<8)).inputs
    let y = linear(x, weight: before)
    let yT = y.swappedAxes(0, 1)
    let change = (matmul(yT, x) - matmul(matmul(yT, y), before)) * (1.0 / 8)
    try learner.learn(x) { ($0 * 1000).sum() }
    let expected = before + change * 0.1
    let problem = CallosumTestSupport.Comparison(
      brain.weight("regions.retina.part.weight"), expected, within: Tolerance(relative: 1e-5, ofLargest: 1e-6)
    ).problem
    #expect(problem == nil)
  }

  /// Below a local region nothing learns by gradients, unless it lets them pass.
  @Test func gradientsPassOnlyWhereTheyMay() throws {
    #expect(
      problem(plan(rule: "oja"), task)
        == "region 'lens' cannot learn: no derivative of the answer of 'motor' reaches it; a tract that leads"
        + " there, or a rule that needs none, would do")
    let brain = try Brain(plan(rule: "oja", passes: true), task)
    let learner = try BrainLearner(brain)
    let lens = brain.weight("regions.lens.part.weight").floats
    let batch = task.batch(.training, Array(0..<8))
    var random = RandomGenerator(seed: 1)
    try learner.learn(batch, task.objective, using: &random)
    #expect(brain.weight("regions.lens.part.weight").floats != lens)
  }

  /// The delta rule is told its output's error, over all steps, and gives what backpropagation does.
  @Test func theDeltaRuleEqualsBackpropagation() throws {
    func learned(_ rule: Choice?) throws -> [Float] {
      var plan = retina(rule: rule, optimiser: Choice("sgd", ["learningRate": 0.1]))
      plan.steps = 3
      plan.tracts[1] = Tract("retina", to: "motor", weights: .orthogonal)
      plan.tracts.append(Tract("motor", to: "motor"))
      let brain = try Brain(plan, task)
      let learner = try BrainLearner(brain)
      learner.clipNorm = 0
      let batch = task.batch(.training, Array(0..<8))
      var random = RandomGenerator(seed: 1)
      try learner.learn(batch, task.objective, using: &random)
      return brain.weight("regions.retina.part.weight").floats
    }
    let start = try Brain(retina(rule: nil), task).weight("regions.retina.part.weight").floats
    let (delta, gradient) = (try learned("delta-rule"), try learned("backpropagation"))
    for (a, b) in zip(delta, gradient) { #expect((a - b).magnitude < 1e-6) }
    #expect(try learned(nil) == gradient)
    #expect(zip(delta, start).contains { ($0 - $1).magnitude > 1e-4 })
  }

  /// Without anything that learns by gradients there is still a loss, and the local region learns.
  @Test func aBrainMayLearnByLocalRulesAlone() throws {
    let plan = BrainPlan(output: "retina") {
      Region("eye", part: "input")
      Region("retina", part: Choice("linear", ["bias": false]), rule: "soft-hebb")
      Tract("eye", to: "retina", through: "direct")
    }
    let brain = try Brain(plan, task)
    let learner = try BrainLearner(brain)
    let before = brain.weight("regions.retina.part.weight").floats
    let batch = task.batch(.training, Array(0..<8))
    let expected = task.objective.loss(brain(batch.inputs), batch).item()
    var random = RandomGenerator(seed: 1)
    let any: any Learner = learner
    #expect(try any.predict(batch.inputs).floats == brain(batch.inputs).floats)
    #expect(try any.learn(batch, task.objective, using: &random) == expected)
    #expect(brain.weight("regions.retina.part.weight").floats != before)
  }

  private func deep(_ rule: Choice?) -> BrainPlan {
    BrainPlan(output: "motor") {
      Region("eye", part: "input")
      for (name, width) in [("low", 20), ("motor", 10)] {
        let rate = Choice("sgd", ["learningRate": 0.5])
        Region(name, part: Choice("linear", ["bias": false]), width: width, rule: rule, optimiser: rate)
      }
      Tract("eye", to: "low", through: "direct")
      Tract("low", to: "motor", through: "direct")
    }
  }

  /// With the forward weights for feedback, passing errors on by the rule is passing derivatives on.
  @Test func errorsArePassedOnByTheRule() throws {
    func learned(_ rule: Choice?) throws -> [String: Tensor] {
      var plan = deep(rule)
      plan.regions.insert(Region("bend", part: Choice("units", ["activation": "tanh"]), width: 20), at: 2)
      plan.tracts[1] = Tract("low", to: "bend", through: "direct")
      plan.tracts.append(Tract("bend", to: "motor", through: "direct"))
      let parts = Catalogue(Catalogue.all.parts, [Part(Mirrored.self)])
      let task = Numbers(shape: [30], width: 10)
      var random = RandomGenerator(seed: 1)
      let learner = try BrainLearner(try Brain(plan, for: task, parts: parts, using: &random))
      learner.clipNorm = 0
      let batch = task.batch(.training, Array(0..<8))
      for _ in 0..<3 { try learner.learn(batch.inputs) { task.objective.loss($0, batch) } }
      return learner.brain.weights()
    }
    let (mirrored, gradient) = (try learned("mirrored"), try learned(nil))
    for (name, value) in gradient {
      let problem = CallosumTestSupport.Comparison(
        mirrored[name] ?? .zeros([0]), value, within: Tolerance(relative: 1e-4, ofLargest: 1e-5)
      ).problem
      #expect(problem == nil, "\(name)")
    }
    let aligned = try learned("feedback-alignment")
    let low = "regions.low.part.weight"
    #expect(aligned[low]?.floats != gradient[low]?.floats)
  }

  /// What reaches a layer under feedback alignment is no derivative, but comes to point the same way; the
  /// top layer, whose error is the loss's, learns as by backpropagation.
  @Test func feedbackAlignmentAligns() throws {
    let task = Numbers(shape: [30], width: 10)
    let brain = try Brain(deep("feedback-alignment"), task)
    let learner = try BrainLearner(brain)
    learner.clipNorm = 0
    let low = "regions.low.part.weight", motor = "regions.motor.part.weight"
    let parameters = brain.parameters()
    /// The cosine between what a step changes and the gradient, in a layer.
    func cosine(_ batch: Batch, _ name: String) throws -> Double {
      let (_, gradients) = valueAndGradient(by: parameters) {
        task.objective.loss(brain(batch.inputs), batch)
      }
      let place = try #require(parameters.firstIndex { $0.name == name })
      let before = parameters.map(\.value)
      try learner.learn(batch.inputs) { task.objective.loss($0, batch) }
      let change = before[place] - parameters[place].value, gradient = gradients[place]
      for (parameter, value) in zip(parameters, before) { parameter.value = value }
      return (change * gradient).sum().item() / sqrt(square(change).sum() * square(gradient).sum()).item()
    }
    let batch = task.batch(.training, Array(0..<50))
    #expect(try cosine(batch, motor) > 0.9999)
    let first = task.objective.loss(brain(batch.inputs), batch).item()
    // It starts at a right angle.
    #expect(try cosine(batch, low).magnitude < 0.2)
    for _ in 0..<400 { try learner.learn(batch.inputs) { task.objective.loss($0, batch) } }
    // 60 degrees and less.
    #expect(try cosine(batch, low) > 0.5)
    #expect(task.objective.loss(brain(batch.inputs), batch).item() < first / 3)
  }

  @Test func frozenTractsStay() throws {
    var plan = retina(rule: nil)
    plan.tracts[1].learnable = false
    let brain = try Brain(plan, task)
    let before = brain.weights().mapValues(\.floats)
    let learner = try BrainLearner(brain)
    var random = RandomGenerator(seed: 1)
    for _ in 0..<3 { try learner.learn(task.batch(.training, [1, 2]), task.objective, using: &random) }
    for (name, value) in brain.weights() {
      #expect((value.floats == before[name]) == (name == "tracts.retina-motor.weight"), "\(name)")
    }
  }

  /// Each region's own optimiser and rate; the plan's for the others.
  @Test func optimisersAreEachRegionsOwn() throws {
    var plan = retina(rule: nil, optimiser: Choice("sgd", ["learningRate": 0.5]))
    plan.optimiser = Choice("sgd", ["learningRate": 0.25])
    let brain = try Brain(plan, task)
    let learner = try BrainLearner(brain)
    learner.clipNorm = 0
    learner.rateFactor = 0.5
    let batch = task.batch(.training, Array(0..<8))
    let parameters = brain.parameters()
    let before = parameters.map(\.value)
    let (_, gradients) = valueAndGradient(by: parameters) {
      task.objective.loss(brain(batch.inputs), batch)
    }
    var random = RandomGenerator(seed: 1)
    try learner.learn(batch, task.objective, using: &random)
    for (index, parameter) in parameters.enumerated() {
      let rate = parameter.name.hasPrefix("regions.retina.") ? 0.25 : 0.125
      let expected = before[index] - gradients[index] * rate
      let problem = CallosumTestSupport.Comparison(
        parameter.value, expected, within: Tolerance(relative: 1e-5, ofLargest: 1e-6)
      ).problem
      #expect(problem == nil, "\(parameter.name)")
    }
    plan.regions[1].optimiser = Choice("sgd", ["rate": 1])
    let wrong = try Brain(plan, task)
    let error = #expect(throws: BrainError.self) { try BrainLearner(wrong) }
    #expect(error?.place == .region(1))
    #expect(error?.description.contains("unknown key 'rate'") == true)
  }

  /// In one run or in two with a file between: the same bits.
  @Test func resumedTrainingHasTheSameBits() throws {
    try inTemporaryFolder { folder in
      try Setting().run {
        var plan = retina(rule: Choice("soft-hebb", ["temperature": 0.5]))
        plan.regions[1].optimiser = Choice("sgd", ["momentum": 0.9])
        func train(_ file: String, stopAfter: Int? = nil) throws -> (brain: Brain, outcome: Trainer.Outcome) {
          try trained(
            plan, on: task, seed: 5, steps: 12, batch: 8, checkpoint: folder + "/" + file,
            stopAfter: stopAfter)
        }
        let whole = try train("whole")
        #expect(try train("half", stopAfter: 5).outcome.steps == 5)
        let second = try train("half")
        #expect(second.outcome.points.map(\.value) == whole.outcome.points.map(\.value))
        #expect(second.brain.weights().mapValues(\.floats) == whole.brain.weights().mapValues(\.floats))
        _ = try train("other", stopAfter: 5)
        #expect(throws: InvalidInput.self) {
          try trained(plan, on: task, seed: 6, steps: 12, batch: 8, checkpoint: folder + "/other")
        }
      }
    }
  }
}

@Suite struct ExampleTests {
  /// Learned vectors in, an answer to each token out, from examples that never end: what was shown two
  /// tokens ago can be known only through the delay.
  @Test func tokensAreLearnedToo() throws {
    let plan = BrainPlan(
      presentation: .tokenByToken, output: "motor", optimiser: Choice("adam", ["learningRate": 0.02])
    ) {
      Region("eye", part: "input", width: 8)
      Region("motor", part: "units")
      Tract("eye", to: "motor", delay: 2)
    }
    #expect(try trained(plan, on: Echo(lag: 2), steps: 150, batch: 16).outcome.score == 1)
  }

  /// What each learns in a small run on Fashion-MNIST; chance is 0.1.
  @Test(arguments: [
    ("two-hemispheres", 120, 0.72), ("one-hemisphere", 120, 0.72), ("local-eye", 200, 0.5),
    ("memory-loop", 160, 0.45),
  ]) func composedNetworksLearn(_ name: String, _ steps: Int, _ accuracy: Double) throws {
    let plan = try BrainFile(path: exampleFile(name)).plan
    let score = try #require(try trained(plan, on: try FashionMNISTTask(), steps: steps).outcome.score)
    #expect(score > accuracy, "\(score)")
  }

  /// The hemispheres that are compared have the same size.
  @Test func hemispheresAreOfEqualSize() throws {
    let task = try FashionMNISTTask()
    let counts = try ["two-hemispheres", "one-hemisphere"].map {
      Double(try Brain(try BrainFile(path: exampleFile($0)).plan, task).parameterCount)
    }
    #expect((counts[0] / counts[1] - 1).magnitude < 0.01, "\(counts)")
  }

  /// The retina finds the components of the image patches that it sees.
  @Test func theLocalRetinaFindsComponents() throws {
    let plan = try BrainFile(path: exampleFile("local-eye")).plan
    let task = try FashionMNISTTask()
    let brain = try trained(plan, on: task, steps: 200, schedule: .constant).brain
    let images = task.batch(.training, Array(0..<500)).inputs
    let patches = images.reshaped(500, 7, 4, 7, 4).transposed(0, 1, 3, 2, 4).reshaped(-1, 16)
    let (_, vectors) = eigh(matmul(patches.swappedAxes(0, 1), patches))
    let first = vectors.swappedAxes(0, 1).sliced(axis: 0, from: 15)
    let w = brain.weight("regions.retina.part.weight").sliced(axis: 0, to: 1)
    let cosine = (w * first).sum().item() / sqrt(square(w).sum()).item()
    #expect(cosine.magnitude > 0.99, "\(cosine)")
  }
}
