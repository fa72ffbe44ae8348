import CallosumContracts
import CallosumLearning
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The paper's equations in PyTorch, and the learned schedule and the code of the time of yhgon/NoProp, commit
/// 928332455c01d2be0c1a3fc88b48701de6e508ef, in float64 (golden.py).
@Suite struct NoPropReferenceTests {
  private let golden: GoldenTensors

  init() throws { golden = try Golden.tensors(beside: #filePath) }

  private func check(_ actual: Tensor, _ name: String) {
    let allowed = Tolerance(relative: 0, ofLargest: 1e-11, absolute: 1e-14)
    #expect(golden.problem(actual, name, within: allowed) == nil)
  }

  private func network(_ variant: NoProp.Variant) throws -> NoProp {
    var settings = NoProp.Settings(), random = RandomGenerator(seed: 1)
    (settings.variant, settings.blocks, settings.steps, settings.hidden) = (variant, 3, 4, 6)
    (settings.codeWidth, settings.eta, settings.clip) = (4, 0.3, 0.05)
    (settings.timeWidth, settings.scheduleWidth, settings.pathNoise) = (6, 5, 0.1)
    let network = try NoProp(
      settings, in: Slot(width: 5, outputWidth: 3, tokens: 1), using: &random)
    for one in network.parameters() { one.value = golden["\(variant.rawValue).w.\(one.name)"] }
    return network
  }

  @Test(arguments: NoProp.Variant.allCases) func lossesAndGradients(_ variant: NoProp.Variant) throws {
    let network = try network(variant), name = variant.rawValue
    let x = golden["x"], labels = golden["labels"]
    let last = golden["\(name).last"], noise = golden["\(name).noise"]
    let times = variant == .discrete ? nil : golden["\(name).times"]
    func losses() -> Tensor {
      switch (variant, times) {
      case (.continuous, let times?):
        network.continuousLosses(x, labels, last: last, noise: noise[0], times: times)
      case (.flow, let times?):
        network.flowLosses(x, labels, start: last, around: noise[0] * 0.1, times: times)
      default: network.discreteLosses(x, labels, last: last, noise: noise)
      }
    }
    check(losses(), "\(name).losses")
    let parameters = network.parameters()
    #expect(parameters.count == golden.tensors.keys.filter { $0.hasPrefix("\(name).w.") }.count)
    let (_, gradients) = valueAndGradient(by: parameters) { losses().sum() }
    for (parameter, gradient) in zip(parameters, gradients) {
      check(gradient, "\(name).g.\(parameter.name)")
    }
  }

  @Test(arguments: NoProp.Variant.allCases) func courses(_ variant: NoProp.Variant) throws {
    let network = try network(variant), name = variant.rawValue
    var draws = golden["\(name).steps"].split(parts: 5).map { $0.squeezed(axis: 0) }[...]
    let course = network.course(golden["x"]) { draws.popFirst() ?? .zeros([0]) }
    check(stacked(course), "\(name).course")
  }

  /// Through the door, noise and times given.
  @Test(arguments: NoProp.Variant.allCases) func theDoorTakesTheNoise(_ variant: NoProp.Variant) throws {
    let name = variant.rawValue
    var settings = NoProp.Settings(), random = RandomGenerator(seed: 1)
    (settings.variant, settings.blocks, settings.steps, settings.hidden) = (variant, 3, 4, 6)
    (settings.codeWidth, settings.eta, settings.clip) = (4, 0.3, 0.05)
    (settings.timeWidth, settings.scheduleWidth, settings.pathNoise) = (6, 5, 0.1)
    let door = try NoProp.door(settings, in: Slot(width: 5, outputWidth: 3, tokens: 1), using: &random)
    let parameters = door.module?.parameters() ?? []
    for one in parameters { one.value = golden["\(name).w.\(one.name)"] }
    func draws(_ port: String, _ noise: Tensor) throws -> Tensor {
      let count = try #require(door.inputs.first { $0.name == port }?.shape.first)
      guard case .fixed(let size) = count else { return noise }
      return noise.sliced(axis: 0, to: size)
    }
    let last = golden["\(name).last"].expandedDimensions(axis: 0)
    var inputs = [
      "x": golden["x"], "labels": golden["labels"],
      "noise": try draws("noise", golden["\(name).steps"]),
      "lossNoise": try draws("lossNoise", concatenated([last, golden["\(name).noise"]])),
    ]
    if variant != .discrete { inputs["times"] = golden["\(name).times"] }
    let results = try door(inputs, using: &random)
    check(try #require(results["losses"]), "\(name).losses")
    let network = try #require(door.module as? NoProp)
    let course = golden["\(name).course"]
    let expected = network.logits(course[course.dim(0) - 1])
    #expect(abs(try #require(results["logits"]) - expected).max().item() < 1e-11)
  }

  @Test func theLearnedSchedule() throws {
    let schedule = try #require(try network(.continuous).noise)
    let (level, gain) = schedule(golden["continuous.times"])
    check(level.signal, "continuous.signal")
    check(1 - level.rest, "continuous.signal")
    check(gain, "continuous.gain")
  }
}
