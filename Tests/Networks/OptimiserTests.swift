import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Parameters given from outside, under the names `values.0`, `values.1`, ...
final class Holder: Module {
  final class Value: Module {
    @Parameter var value: Tensor
    init(_ value: Tensor) { self.value = value }
  }
  let values: [Value]
  init(_ values: [Tensor]) { self.values = values.map { Value($0) } }
}

private let shapes = 7

/// An optimiser with a case in Fixtures/networks/optimisers.safetensors.
struct OptimiserCase: Sendable, CustomStringConvertible {
  let description: String
  let make: @Sendable ([NamedParameter]) -> any Optimiser

  init(_ name: String, _ make: @escaping @Sendable ([NamedParameter]) -> any Optimiser) {
    description = name
    self.make = make
  }

  static let all = [
    OptimiserCase("sgd") { SGD($0, learningRate: 0.1) },
    OptimiserCase("sgd, decay") { SGD($0, learningRate: 0.1, weightDecay: 0.05) },
    OptimiserCase("sgd, momentum") { SGD($0, learningRate: 0.1, momentum: 0.9) },
    OptimiserCase("sgd, nesterov") {
      SGD($0, learningRate: 0.1, momentum: 0.8, nesterov: true, weightDecay: 0.05)
    },
    OptimiserCase("adam") { Adam($0, learningRate: 0.01) },
    OptimiserCase("adam, options") {
      Adam($0, learningRate: 0.02, betas: (0.8, 0.95), epsilon: 1e-3, weightDecay: 0.1)
    },
    OptimiserCase("adamw") { Adam.adamW($0, learningRate: 0.01) },
    OptimiserCase("adamw, decay") { Adam.adamW($0, learningRate: 0.02, weightDecay: 0.3) },
    OptimiserCase("rmsprop") { RMSprop($0, learningRate: 0.01) },
    OptimiserCase("rmsprop, momentum") {
      RMSprop($0, learningRate: 0.02, smoothing: 0.9, epsilon: 1e-3, momentum: 0.8, weightDecay: 0.1)
    },
    OptimiserCase("rmsprop, centered") {
      RMSprop($0, learningRate: 0.01, smoothing: 0.8, epsilon: 1e-3, momentum: 0.5, centered: true)
    },
    OptimiserCase("rprop") { Rprop($0, learningRate: 0.01) },
    OptimiserCase("rprop, options") {
      Rprop($0, learningRate: 0.02, factors: (shrink: 0.4, grow: 1.5), sizes: 0.01...0.04)
    },
    OptimiserCase("lion") { Lion($0, learningRate: 0.01) },
    OptimiserCase("lion, options") { Lion($0, learningRate: 0.02, betas: (0.8, 0.95), weightDecay: 0.3) },
    OptimiserCase("adamw, groups") {
      Adam.adamW(
        $0, learningRate: 0.01,
        groups: [
          ParameterGroup(rate: 0.2, weightDecay: 0.5) { ["values.1.value", "values.3.value"].contains($0) },
          ParameterGroup(isFrozen: true) { $0.hasPrefix("values.5") },
        ])
    },
  ]
}

@Suite struct OptimiserTests {
  @Test(arguments: OptimiserCase.all) func followsPyTorch(_ optimiser: OptimiserCase) throws {
    let golden = try Golden.tensors("networks/optimisers")
    for setting in Setting.ofKernels {
      let parameters = Holder((0..<shapes).map { golden["start.\($0)"] }).parameters()
      let subject = optimiser.make(parameters)
      for step in 0..<12 {
        if step == 2 { subject.learningRate /= 2 }
        setting.run { subject.update((0..<shapes).map { golden["gradient.\(step).\($0)"] }) }
        for (i, parameter) in parameters.enumerated() {
          let wrong = Comparison(
            parameter.value, golden["\(optimiser).\(step).\(i)"],
            within: Tolerance(relative: 1e-6, ofLargest: 1e-6, absolute: 2e-7)
          ).problem
          #expect(wrong == nil, "\(setting), step \(step), \(parameter.name)")
        }
      }
    }
  }

  /// State that was stored and taken up by another optimiser changes nothing.
  @Test(arguments: OptimiserCase.all) func continuesFromItsState(_ optimiser: OptimiserCase) throws {
    let golden = try Golden.tensors("networks/optimisers")
    func gradients(_ step: Int) -> [Tensor] { (0..<shapes).map { golden["gradient.\(step).\($0)"] } }
    let first = Holder((0..<shapes).map { golden["start.\($0)"] })
    let whole = optimiser.make(first.parameters())
    for step in 0..<3 { whole.update(gradients(step)) }

    try inTemporaryFolder { folder in
      try Safetensors.save(whole.state, to: folder + "/state")
      let second = Holder(first.parameters().map(\.value))
      let resumed = optimiser.make(second.parameters())
      try resumed.restore(Safetensors.load(folder + "/state").tensors)
      for step in 3..<5 {
        Setting().run {
          whole.update(gradients(step))
          resumed.update(gradients(step))
        }
      }
      for (a, b) in zip(first.parameters(), second.parameters()) {
        #expect(a.value.floats == b.value.floats, "\(a.name)")
      }
    }
  }

  @Test func refusesAnotherNetworksState() throws {
    let one = Adam(Holder([.zeros([2, 3])]).parameters())
    let other = Adam(Holder([.zeros([3, 2])]).parameters())
    let third = Adam(Holder([.zeros([2, 3]), .zeros([1])]).parameters())
    #expect(
      message { try one.restore(other.state) }
        == "mean.values.0.value must be float32 [2, 3], is float32 [3, 2]")
    #expect(
      message { try one.restore(third.state) }
        == "optimiser state hold mean.values.1.value, square.values.1.value, steps.values.1.value, "
        + "which this network does not have"
    )
    #expect(
      message { try third.restore(one.state) }
        == "optimiser state lack mean.values.1.value, square.values.1.value, steps.values.1.value")
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch { return "\(error)" }
  }

  @Test(arguments: ["above", "below"]) func clippingFollowsPyTorch(_ name: String) throws {
    let golden = try Golden.tensors("networks/clipping")
    let (after, norm) = clipped(
      (0..<shapes).map { golden["\(name).before.\($0)"] }, toNorm: golden["\(name).limit"].item())
    #expect(abs(norm - golden["\(name).norm"].item()) < 1e-6 * norm)
    for (i, gradient) in after.enumerated() {
      // PyTorch adds 1e-6 to the norm before it divides by it.
      let wrong = Comparison(gradient, golden["\(name).after.\(i)"], within: Tolerance(relative: 1e-6))
        .problem
      #expect(wrong == nil, "gradient \(i)")
    }
  }

  @Test func anUpdateLeavesSharedValuesAlone() {
    let start = Tensor([1, 2, 3] as [Float])
    let parameters = Holder([start]).parameters()
    let optimiser = Adam(parameters)
    let before = parameters[0].value
    optimiser.update([.ones([3])])
    #expect(start.floats == [1, 2, 3] && before.floats == [1, 2, 3])
    #expect(parameters[0].value.floats != [1, 2, 3])
  }
}

@Suite struct ScheduleTests {
  @Test func factors() {
    func factors(_ schedule: Schedule) -> [Double] { (0..<10).map { schedule.factor(step: $0, of: 10) } }
    #expect(factors(.constant) == [Double](repeating: 1, count: 10))
    #expect(factors(.staircase(every: 4, factor: 0.5)) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    require(
      factors(.linear(warmup: 4, final: 0.4)),
      [0.25, 0.5, 0.75, 1, 1, 0.9, 0.8, 0.7, 0.6, 0.5])
    let waves = (0..<6).map { 0.1 + 0.45 * (1 + cosine(.pi * Double($0) / 6)) }
    require(factors(.cosine(warmup: 4, final: 0.1)), [0.25, 0.5, 0.75, 1] + waves)
    // Past the end nothing rises again.
    #expect(Schedule.cosine().factor(step: 25, of: 10) < 1e-12)
    #expect(Schedule.linear(final: 0.2).factor(step: 25, of: 10) == 0.2)
  }

  private func cosine(_ x: Double) -> Double { cos(Tensor(x, .float64)).item() }

  private func require(_ actual: [Double], _ expected: [Double]) {
    #expect(zip(actual, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "\(actual) instead of \(expected)")
  }
}
