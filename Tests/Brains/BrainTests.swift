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

private func wrong(_ a: Tensor, _ b: Tensor, _ relative: Double = 1e-5) -> String? {
  CallosumTestSupport.Comparison(a, b, within: Tolerance(relative: relative, ofLargest: relative)).problem
}

@Suite struct BrainTests {
  @Test func parametersHaveTheNamesOfTheirPlaces() throws {
    let names = try Brain(everything, Numbers(shape: [4, 6, 1])).parameters().map(\.name)
    #expect(
      names == [
        "regions.focus.part.up.weight", "regions.focus.part.up.bias", "regions.focus.part.down.weight",
        "regions.focus.part.down.bias", "regions.left.part.bias", "regions.motor.part.weight",
        "regions.motor.part.bias", "regions.right.part.convolution.weight",
        "regions.right.part.convolution.bias", "regions.store.part.key.weight",
        "regions.store.part.query.weight", "regions.store.part.value.weight",
        "regions.store.part.output.weight", "regions.store.part.strength.weight",
        "regions.store.part.strength.bias", "tracts.eye-left+right.route.weight",
        "tracts.eye-left+right.projections.0.weight", "tracts.eye-left+right.projections.1.weight",
        "tracts.eye-motor.weight", "tracts.focus-left.weight", "tracts.right-store.source.weight",
        "tracts.right-store.source.bias", "tracts.right-store.target.weight",
        "tracts.right-store.projection.weight", "tracts.store-focus.weight",
      ])
  }

  private let loop = BrainPlan(steps: 4, output: "b") {
    Region("eye", part: "input")
    Region("a", part: Choice("units", ["activation": "tanh"]), width: 4)
    Region("b", part: "linear")
    Tract("eye", to: "a")
    Tract("a", to: "b")
    Tract("b", to: "a")
  }

  /// A loop of n steps is the computation unrolled by hand, and so are its derivatives.
  @Test(arguments: [1, 2, 7]) func aLoopIsItsUnrolling(extra: Int) throws {
    var plan = loop
    plan.steps = extra + 1
    let brain = try Brain(plan, Numbers())
    var random = RandomGenerator(seed: 3)
    let x = random.normal([2, 5])
    func unrolled() -> Tensor {
      func w(_ name: String) -> Tensor { brain.weight(name) }
      var b = Tensor.zeros([2, 3])
      for _ in 0..<plan.steps {
        let a = tanh(
          linear(x, weight: w("tracts.eye-a.weight")) + linear(b, weight: w("tracts.b-a.weight"))
            + w("regions.a.part.bias"))
        b = linear(
          linear(a, weight: w("tracts.a-b.weight")), weight: w("regions.b.part.weight"),
          bias: w("regions.b.part.bias"))
      }
      return b
    }
    let parameters = brain.parameters()
    let found = valueAndGradient(by: parameters) { square(brain(x)).sum() }
    let expected = valueAndGradient(by: parameters) { square(unrolled()).sum() }
    #expect(wrong(brain(x), unrolled()) == nil)
    for (a, b) in zip(found.gradients, expected.gradients) {
      #expect(wrong(a, b) == nil)
      #expect(b.floats.contains { $0 != 0 })
    }
  }

  /// A delay of n steps brings what was there n steps ago, and nothing before.
  @Test(arguments: [1, 2, 4]) func delaysComeLate(steps: Int) throws {
    let plan = BrainPlan(presentation: .tokenByToken, output: "end") {
      Region("eye", part: "input")
      Region("end", part: Choice("units", ["bias": false]))
      Tract("eye", to: "end", through: "direct", delay: steps)
    }
    let brain = try Brain(plan, Numbers(shape: [6, 3], positions: [6]))
    var random = RandomGenerator(seed: 3)
    let x = random.normal([2, 6, 3])
    let expected = concatenated(
      [.zeros([2, steps, 3]), x.sliced(axis: 1, to: 6 - steps)], axis: 1)
    #expect(wrong(brain(x), expected) == nil)
  }

  @Test func aGateIsItsFormula() throws {
    let plan = BrainPlan(steps: 2, output: "end") {
      Region("eye", part: "input")
      Region("end", part: Choice("units", ["bias": false]))
      Tract("eye", to: "end", through: "gate")
    }
    let brain = try Brain(plan, Numbers())
    var random = RandomGenerator(seed: 3)
    let x = random.normal([2, 5])
    func w(_ name: String) -> Tensor { brain.weight("tracts.eye-end.\(name)") }
    var y = Tensor.zeros([2, 3])
    for _ in 0..<2 {
      let open = sigmoid(
        linear(x, weight: w("source.weight"), bias: w("source.bias")) + linear(y, weight: w("target.weight")))
      y = open * linear(x, weight: w("projection.weight"))
    }
    #expect(wrong(brain(x), y) == nil)
  }

  /// Each token reaches the k best targets and no other, weighted by the softmax over all.
  @Test(arguments: [1, 2, 3]) func aRouterIsItsFormula(k: Int) throws {
    var random = RandomGenerator(seed: 5)
    var settings = Router.Settings()
    settings.k = k
    let router = try Router(settings, sourceWidth: 5, inputs: [2, 3, 4], using: &random)
    let x = random.normal([2, 6, 5])
    let outputs = router(x)
    let p = softmax(linear(x, weight: router.route.weight)).floats
    var reached = 0
    for token in 0..<12 {
      let mine = Array(p[token * 3..<token * 3 + 3])
      let best = Set(mine.indices.sorted { (-mine[$0], $0) < (-mine[$1], $1) }.prefix(k))
      for target in 0..<3 {
        let y = outputs[target].reshaped(12, -1)[token]
        let full = linear(x, weight: router.projections[target].weight).reshaped(12, -1)[token]
        let expected = best.contains(target) ? full * Double(mine[target]) : Tensor.zeros(full.shape)
        #expect(wrong(y, expected) == nil)
        reached += best.contains(target) ? 1 : 0
      }
    }
    #expect(reached == 12 * k)
  }

  @Test(arguments: [2, 5, 8]) func theCallosumIsItsFormula(width: Int) throws {
    var random = RandomGenerator(seed: 5)
    let callosum = try CorpusCallosum(.init(), in: Slot(width: width, tokens: 3), using: &random)
    let x = random.normal([2, 3, width])
    let (values, y) = (x.floats, callosum(x).floats)
    let pairs = width / 2
    for row in 0..<6 {
      for unit in 0..<width {
        let pair = unit - (width - pairs)
        let base = row * width + 2 * pair
        let expected = pair < 0 ? 0 : max(values[base], values[base + 1])
        #expect(y[row * width + unit] == expected)
      }
    }
  }

  /// The whole brain in float64 against central differences, by its input and every parameter.
  @Test func derivatives() throws {
    let brain = try Brain(everything, Numbers(shape: [4, 6, 1]))
    let parameters = brain.parameters()
    for parameter in parameters { parameter.value = parameter.value.asType(.float64) }
    var random = RandomGenerator(seed: 3)
    let x = random.normal([2, 4, 6, 1]).asType(.float64)
    let cotangent = random.normal([2, 3]).asType(.float64)
    func answer(_ all: [Tensor]) -> Tensor {
      withParameters(parameters, as: Array(all.dropFirst())) { brain(all[0]) }
    }
    let inputs = [x] + parameters.map(\.value)
    let (_, gradients) = valueAndGradient(at: inputs) { (answer($0) * cotangent).sum() }
    for (place, gradient) in gradients.enumerated() {
      #expect(gradient.doubles.contains { $0 != 0 }, "\(place == 0 ? "x" : parameters[place - 1].name)")
    }
    let problem = finiteDifferenceProblem(
      at: inputs, gradients: gradients, cotangent: cotangent, elements: 12, of: answer)
    #expect(problem == nil)
  }

  @Test func sameSeedSameBits() throws {
    let task = Numbers(shape: [4, 6, 1])
    let x = task.batch(.training, [1, 2, 3]).inputs
    let (a, b, c) = (
      try Brain(everything, task), try Brain(everything, task), try Brain(everything, task, seed: 2)
    )
    #expect(a(x).floats == b(x).floats)
    #expect(a(x).floats == a(x).floats)
    #expect(a(x).floats != c(x).floats)
    var random = RandomGenerator(seed: 1)
    let first = try Brain(everything, for: task, parts: .all, using: &random)
    let second = try Brain(everything, for: task, parts: .all, using: &random)
    #expect(first(x).floats != second(x).floats)
  }

  /// A sequence in pieces, each with the state that the piece before left, and rows by themselves.
  @Test func piecesMakeTheWhole() throws {
    let plan = BrainPlan(presentation: .tokenByToken, steps: 2, output: "motor") {
      Region("eye", part: "input", width: 5)
      Region("cortex", part: Choice("units", ["activation": "tanh"]), width: 6)
      Region("store", part: "associative-memory", width: 6)
      Region("motor", part: "units")
      Tract("eye", to: "cortex", delay: 3)
      Tract("cortex", to: "store", through: "gate")
      Tract("store", to: "cortex", through: "corpus-callosum")
      Tract("eye", to: "store", through: "associative-memory")
      Tract("store", to: "motor")
      Tract("eye", to: "motor")
    }
    let brain = try Brain(plan, Echo())
    #expect(brain.initialState(batch: 1).names.contains("tracts.eye-store.S"))
    let x = Echo().batch(.training, [1, 2]).inputs
    let whole = brain(x)
    #expect(whole.shape == [2, 6, 4])
    for cut in [1, 4] {
      let (first, state) = brain(x.sliced(axis: 1, to: cut), brain.initialState(batch: 2))
      let (second, _) = brain(x.sliced(axis: 1, from: cut), state)
      #expect(wrong(concatenated([first, second], axis: 1), whole) == nil)
    }
    #expect(wrong(brain(x.sliced(axis: 0, from: 1)), whole.sliced(axis: 0, from: 1)) == nil)
  }

  /// Batches may be shorter than the task's longest, also where regions have a past.
  @Test func shorterSequences() throws {
    let plan = BrainPlan(steps: 3, output: "motor") {
      Region("eye", part: "input")
      Region("cortex", part: "softmax-attention", width: 8)
      Region("motor", part: "units")
      Tract("eye", to: "cortex")
      Tract("cortex", to: "cortex")
      Tract("cortex", to: "motor")
    }
    let brain = try Brain(plan, Echo())
    #expect(brain(Echo(length: 3).batch(.training, [1, 2]).inputs).shape == [2, 3, 4])
    #expect(brain(Echo().batch(.training, [1, 2]).inputs).shape == [2, 6, 4])
  }

  @Test func weightsSurviveAFile() throws {
    try inTemporaryFolder { folder in
      let task = Numbers(shape: [4, 6, 1])
      let (a, b) = (try Brain(everything, task), try Brain(everything, task, seed: 2))
      try a.save(to: folder + "/weights")
      try b.load(from: folder + "/weights")
      let x = task.batch(.training, [1, 2]).inputs
      #expect(a(x).floats == b(x).floats)
    }
  }

  @Test(arguments: TractWeights.allCases) func weightsStartAsTold(_ start: TractWeights) throws {
    for (inputs, outputs) in [(7, 4), (4, 7), (5, 5)] {
      var random = RandomGenerator(seed: 1)
      let w = Projection(inputs, outputs, weights: start, gain: 2, using: &random).weight
      #expect(w.shape == [outputs, inputs])
      let small = outputs < inputs ? matmul(w, w.swappedAxes(0, 1)) : matmul(w.swappedAxes(0, 1), w)
      switch start {
      case .orthogonal, .identity: #expect(wrong(small, Tensor.eye(min(inputs, outputs)) * 4) == nil)
      case .zeros: #expect(w.floats.allSatisfy { $0 == 0 })
      case .fanInUniform:
        #expect(w.floats.allSatisfy { $0.magnitude <= 2 / Float(inputs).squareRoot() })
        #expect(w.floats.contains { $0.magnitude > 1 / Float(inputs).squareRoot() })
      default: #expect(Set(w.floats).count == inputs * outputs)
      }
    }
  }
}
