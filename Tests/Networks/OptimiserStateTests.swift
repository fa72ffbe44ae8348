import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Masks, resets, groups, averages and what happens to gradients before a step.
@Suite struct OptimiserStateTests {
  private var random = RandomGenerator(seed: 3)
  private let optimisers: [@Sendable ([NamedParameter]) -> ElementwiseOptimiser] = [
    { SGD($0, learningRate: 0.1, momentum: 0.9) }, { Adam($0, learningRate: 0.1, weightDecay: 0.1) },
    { RMSprop($0, learningRate: 0.1, momentum: 0.5, centered: true) }, { Lion($0, learningRate: 0.1) },
    { Rprop($0, learningRate: 0.1) },
  ]

  @Test func maskedElementsRestAndForget() throws {
    let mask = Tensor([true, false, true, false, true, true], [2, 3])
    for make in optimisers {
      let holder = Holder([.ones([2, 3])]), free = Holder([.ones([2, 3])])
      let masked = make(holder.parameters()), plain = make(free.parameters())
      let fresh = masked.state
      // Trained before it was masked, so that there is state to forget.
      for optimiser in [masked, plain] { optimiser.update([.full([2, 3], 0.5)]) }
      let before = holder.values[0].value.floats
      masked.mask("values.0.value", mask)
      for step in 0..<3 {
        for optimiser in [masked, plain] { optimiser.update([.full([2, 3], Double(step) - 0.7)]) }
      }
      let after = holder.values[0].value.floats, other = free.values[0].value.floats
      for (i, learns) in mask.asArray(Bool.self).enumerated() {
        #expect(learns ? after[i] == other[i] && after[i] != before[i] : after[i] == before[i])
        for (name, tensor) in masked.state where tensor.shape == [2, 3] && tensor.dtype == .float32 {
          let expected = learns ? plain.state[name] : fresh[name]
          #expect(tensor.floats[i] == expected?.floats[i], "\(name) \(i)")
        }
      }
      // A mask is part of the state.
      let resumed = make(Holder([holder.values[0].value]).parameters())
      try resumed.restore(masked.state)
      resumed.update([.ones([2, 3])])
      masked.update([.ones([2, 3])])
      #expect(resumed.parameters[0].value.floats == holder.values[0].value.floats)
      // Lifted, all learn again.
      masked.mask("values.0.value", nil)
      masked.update([.full([2, 3], 2)])
      #expect(zip(holder.values[0].value.floats, before).allSatisfy { $0 != $1 })
      #expect(masked.state["mask.values.0.value"] == nil)
    }
  }

  @Test func resetsForget() {
    for make in optimisers {
      let holder = Holder([.ones([4]), .ones([2])])
      let optimiser = make(holder.parameters())
      let start = optimiser.state
      optimiser.update([.ones([4]), .ones([2])])
      let after = optimiser.state
      optimiser.reset("values.0.value", where: Tensor([false, true, false, true]))
      for (name, tensor) in optimiser.state where tensor.shape == [4] {
        let old = start[name]?.floats ?? [], new = after[name]?.floats ?? []
        #expect(tensor.floats == [new[0], old[1], new[2], old[3]], "\(name)")
      }
      #expect(optimiser.state["steps.values.0.value"]?.item() == 1)
      optimiser.reset("values.0.value")
      for (name, tensor) in optimiser.state {
        let expected = name.contains("values.0") ? start[name] : after[name]
        #expect(tensor.floats == expected?.floats, "\(name)")
      }
    }
  }

  @Test func aResetParameterStartsLikeNew() {
    let old = Holder([.ones([3])]), new = Holder([.ones([3])])
    let optimiser = Adam(old.parameters(), learningRate: 0.1),
      other = Adam(new.parameters(), learningRate: 0.1)
    for _ in 0..<5 { optimiser.update([.full([3], 3)]) }
    old.values[0].value = .ones([3])
    optimiser.reset("values.0.value")
    optimiser.update([.full([3], -0.25)])
    other.update([.full([3], -0.25)])
    #expect(old.values[0].value.floats == new.values[0].value.floats)
  }

  @Test func frozenParametersKeepValuesAndState() {
    let holder = Holder([.ones([2]), .ones([2])])
    let optimiser = Adam(
      holder.parameters(), weightDecay: 0.5,
      groups: [ParameterGroup(isFrozen: true) { $0.hasPrefix("values.1") }, ParameterGroup { _ in true }])
    let state = optimiser.state
    optimiser.update([.ones([2]), .ones([2])])
    #expect(holder.values[1].value.floats == [1, 1] && holder.values[0].value.floats != [1, 1])
    for (name, tensor) in state where name.contains("values.1") {
      #expect(optimiser.state[name]?.floats == tensor.floats)
    }
  }

  @Test func aGroupsRateMultipliesRpropsSteps() {
    let holder = Holder([.ones([2]), .ones([2])])
    let optimiser = Rprop(
      holder.parameters(), learningRate: 0.25, groups: [ParameterGroup(rate: 2) { $0.hasPrefix("values.1") }])
    optimiser.update([.ones([2]), .ones([2])])
    #expect(holder.values[0].value.floats == [0.75, 0.75] && holder.values[1].value.floats == [0.5, 0.5])
  }

  // MARK: Averages

  @Test func averagesFollowPyTorch() throws {
    let golden = try Golden.tensors("networks/optimisers")
    for setting in Setting.ofKernels {
      let parameters = Holder((0..<7).map { golden["start.\($0)"] }).parameters()
      let optimiser = SGD(parameters, learningRate: 0.1), average = MovingAverage(parameters, decay: 0.9)
      for step in 0..<12 {
        optimiser.update((0..<7).map { golden["gradient.\(step).\($0)"] })
        setting.run { average.update() }
        for (i, value) in average.averages.enumerated() {
          let wrong = Comparison(
            value, golden["average.\(step).\(i)"],
            within: Tolerance(relative: 1e-6, ofLargest: 1e-6, absolute: 2e-7)
          ).problem
          #expect(wrong == nil, "\(setting), step \(step), \(i)")
        }
      }
    }
  }

  @Test func averagesStandInAndStepBack() throws {
    struct Stop: Error {}
    let holder = Holder([Tensor([1, 2] as [Float])]), average = MovingAverage(holder.parameters(), decay: 0.5)
    holder.values[0].value = Tensor([3, 4] as [Float])
    average.update()
    #expect(average.withAverages { holder.values[0].value.floats } == [2, 3])
    #expect(throws: Stop.self) { try average.withAverages { throw Stop() } }
    #expect(holder.values[0].value.floats == [3, 4])
    average.swap()
    #expect(holder.values[0].value.floats == [2, 3] && average.averages[0].floats == [3, 4])
    average.swap()
    let other = MovingAverage(Holder([.zeros([2])]).parameters(), decay: 0.5)
    try other.restore(average.state)
    #expect(other.averages[0].floats == [2, 3])
    let error = #expect(throws: WeightsError.self) { try other.restore([:]) }
    #expect(error?.description == "averages lack values.0.value")
  }

  // MARK: Gradients

  @Test(arguments: [("sam", 0.3, nil), ("asam", 2.0, 0.01)] as [(String, Double, Double?)])
  func sharpnessAwareGradients(_ name: String, _ radius: Double, _ offset: Double?) throws {
    let golden = try Golden.tensors("networks/sharpnessAware")
    let holder = Holder([golden["w"], golden["b"]])
    let (value, gradients) = valueAndSharpnessAwareGradient(
      by: holder.parameters(), radius: radius, adaptiveOffset: offset
    ) { square(tanh(matmul(golden["x"], holder.values[0].value) + holder.values[1].value)).mean() }
    #expect(abs(value.item() - golden["\(name).loss"].item()) < 1e-6)
    for (gradient, key) in zip(gradients, ["w", "b"]) {
      let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-6)
      #expect(Comparison(gradient, golden["\(name).\(key)"], within: allowed).problem == nil)
    }
    #expect(holder.values[0].value.floats == golden["w"].floats)
    // Where there is no slope there is nowhere to climb.
    let flat = valueAndSharpnessAwareGradient(by: holder.parameters()) { (holder.values[0].value * 0).sum() }
    #expect(flat.gradients[0].floats.allSatisfy { $0 == 0 })
  }

  @Test mutating func gradientsBetweenBackwardAndStep() {
    let a = [Tensor([1, -2] as [Float]), Tensor([3] as [Float])]
    #expect(clipped(a, toValue: 1.5).map(\.floats) == [[1, -1.5], [1.5]])
    let against = [Tensor([-1, 0] as [Float]), Tensor([-1] as [Float])]
    // a · r = -4, r · r = 2: a + 2 r.
    #expect(projected(a, besides: against).map(\.floats) == [[-1, -2], [1]])
    #expect(projected(a, besides: a).map(\.floats) == a.map(\.floats))
    let noise = noised([.zeros([100, 100])], standardDeviation: 0.5, using: &random)[0]
    #expect(abs(noise.variance().item() - 0.25) < 0.015)
  }

  // MARK: Messages

  enum InvalidInput: String, CaseIterable, Codable, Sendable {
    case group, parameter, mask, decay, type, average

    func make() {
      let parameters = Holder([.ones([2, 3])]).parameters()
      switch self {
      case .group: _ = SGD(parameters, learningRate: 1, groups: [ParameterGroup { $0 == "a" }])
      case .parameter: Adam(parameters).reset("value")
      case .mask: Adam(parameters).mask("values.0.value", .ones([2, 3]))
      case .decay: _ = Rprop(parameters, groups: [ParameterGroup(weightDecay: 0.1) { _ in true }])
      case .type: Lion(parameters).update([.ones([2, 3], dtype: .float64)])
      case .average: _ = MovingAverage(parameters, decay: 1.5)
      }
    }

    var message: String {
      switch self {
      case .group: "SGD: group 0 holds none of the 1 parameters"
      case .parameter: "reset: Adam has no parameter value; it has values.0.value"
      case .mask: "mask: values.0.value needs bool [2, 3], got float32 [2, 3]"
      case .decay: "Rprop: has no weight decay, but a group asks for one"
      case .type: "Lion: values.0.value is float32, its gradient float64, not both float32"
      case .average: "MovingAverage: decay must lie in 0...1, is 1.5"
      }
    }
  }

  @Test(arguments: InvalidInput.allCases) func text(_ mistake: InvalidInput) async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      [mistake] in
      mistake.make()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(mistake.message))
  }
}
