import CallosumContracts
import CallosumNetworks
import CallosumNeurons
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

private func elm(
  inputs: Int, outputs: Int, _ change: (inout ElmNeuron.Settings) -> Void
) throws -> ElmNeuron {
  var settings = ElmNeuron.Settings(), random = RandomGenerator(seed: 1)
  change(&settings)
  try settings.validate()
  return try ElmNeuron(
    settings, in: Slot(width: inputs, outputWidth: outputs, tokens: 9), using: &random)
}

/// One of the neurons that the authors' code was run with.
struct ElmCase: Sendable, CustomTestStringConvertible {
  let name: String
  let inputs, outputs: Int
  let change: @Sendable (inout ElmNeuron.Settings) -> Void
  var testDescription: String { name }

  static let all = [
    ElmCase(name: "v1", inputs: 6, outputs: 2) { $0.memories = 4 },
    ElmCase(name: "v1.branches", inputs: 6, outputs: 3) {
      ($0.memories, $0.branches, $0.synapsesPerBranch, $0.hidden) = (3, 3, 2, 5)
      ($0.timeStep, $0.lambda) = (2, 3)
    },
    ElmCase(name: "v1.interleaved", inputs: 7, outputs: 2) {
      ($0.memories, $0.branches, $0.synapsesPerBranch, $0.routing) = (5, 3, 4, .interleaved)
      ($0.learnsTimescales, $0.longestTau) = (true, 50)
    },
    ElmCase(name: "v2", inputs: 5, outputs: 2) {
      ($0.version, $0.memories, $0.activation, $0.longestTau) = (.v2, 4, .silu, 150)
    },
    ElmCase(name: "v2.random", inputs: 5, outputs: 1) {
      ($0.version, $0.memories, $0.branches, $0.synapsesPerBranch) = (.v2, 3, 4, 3)
      ($0.routing, $0.learnsTimescales, $0.synapseTau) = (.random, true, 3)
    },
  ]
}

/// The authors' elmneuron, commit 52e68a6d39523ac6613a586699b116e8e606dda3, in float64.
@Suite struct ElmNeuronTests {
  private func reference() throws -> [String: Tensor] {
    let file = Golden.path(beside: #filePath)
    return try Safetensors.load(file).tensors
  }

  @Test(arguments: ElmCase.all) func agreesWithTheAuthorsCode(_ one: ElmCase) throws {
    try check(one, .float64, 1e-10)
    try check(one, .float32, 1e-5)
  }

  private func check(_ one: ElmCase, _ dtype: DType, _ tolerance: Double) throws {
    let tensors = try reference()
    func given(_ name: String) throws -> Tensor { try #require(tensors["\(one.name).\(name)"], "\(name)") }
    let neuron = try elm(inputs: one.inputs, outputs: one.outputs, one.change)
    if neuron.routes != nil {
      (neuron.routes, neuron.valid) = (try given("routes"), try given("valid").asType(dtype))
    }
    let parameters = neuron.parameters()
    for place in parameters { place.value = try given("weight.\(place.name)").asType(dtype) }
    if neuron.fixedTimescales != nil {
      neuron.fixedTimescales = try given("weight.fixedTimescales").asType(dtype)
    }
    let (x, g) = (try given("x").asType(dtype), try given("g").asType(dtype))
    let start = neuron.initialState(batch: 3).mapped { $0.asType(dtype) }
    for stepwise in [false, true] {
      let (outputs, pullback) = valueAndPullback(at: [x] + parameters.map(\.value)) { all in
        withParameters(parameters, as: Array(all.dropFirst())) {
          [stepwise ? neuron.stepByStep(all[0], start).output : neuron.forward(all[0], start).output]
        }
      }
      func compare(_ actual: Tensor, _ expected: Tensor, _ what: String) {
        let wrong = CallosumTestSupport.Comparison(
          actual.asType(.float64), expected, within: Tolerance(relative: tolerance, ofLargest: tolerance))
        #expect(wrong.problem == nil, "\(what), \(dtype), step by step: \(stepwise)")
      }
      compare(outputs[0], try given("y"), "y")
      let gradients = pullback([g])
      for (name, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
        compare(gradient, try given("grad.\(name)"), name)
      }
    }
  }

  @Test(arguments: ElmCase.all) func startsAsTheAuthorsDo(_ one: ElmCase) throws {
    let tensors = try reference()
    let neuron = try elm(inputs: one.inputs, outputs: one.outputs, one.change)
    var settings = ElmNeuron.Settings()
    one.change(&settings)
    let theirs = try #require(tensors["\(one.name).start.tau"])
    let expected =
      sigmoid(theirs) * (settings.longestTau - settings.shortestTau) + settings.shortestTau
    // Their logarithms are float32.
    for (ours, theirs) in zip(neuron.taus.floats, expected.floats) {
      #expect(abs(ours - theirs) <= 1e-4 * theirs)
    }
    if settings.routing == .interleaved {
      #expect(neuron.routes?.doubles == tensors["\(one.name).routes"]?.doubles)
      #expect(neuron.valid?.doubles == tensors["\(one.name).valid"]?.doubles)
    }
  }

  private func largest(memories: Int) throws -> ElmNeuron {
    try elm(inputs: 1278, outputs: 2) {
      ($0.memories, $0.branches, $0.synapsesPerBranch, $0.routing) = (memories, 45, 100, .interleaved)
      $0.longestTau = 150
    }
  }

  @Test(arguments: [(1, 4601), (20, 8002), (100, 54002)])
  func parameterCounts(_ memories: Int, _ count: Int) throws {
    #expect(try largest(memories: memories).parameterCount == count)
  }

  /// Their trained neuron of 20 memories on 500 steps of a pattern of input.
  @Test func thePublishedWeightsGiveTheirOutputs() throws {
    let tensors = try reference()
    let neuron = try largest(memories: 20)
    for place in neuron.parameters() {
      place.value = try #require(tensors["published.weight.\(place.name)"])
    }
    neuron.fixedTimescales = tensors["published.weight.fixedTimescales"]
    var values: [Float] = []
    for t in 0..<500 {
      for i in 0..<1278 {
        let isActive = (t * 7919 + i * 104_729 + t * i * 31) % 97 < 2
        values.append(isActive ? (i < 639 ? 1 : -1) : 0)
      }
    }
    let y = neuron.forward(Tensor(values, [1, 500, 1278]), neuron.initialState(batch: 1)).output
    let expected = try #require(tensors["published.y"])
    #expect(abs(y.squeezed(axis: 0) - expected).max().item() < 1e-4)
  }

  /// Without anything coming in, a memory that nothing is written to decays by its own time constant.
  @Test func memoriesDecayByTheirTimeConstants() throws {
    for version in ElmNeuron.Version.allCases {
      let neuron = try elm(inputs: 3, outputs: 1) { ($0.version, $0.memories) = (version, 4) }
      for part in [neuron.writing.parameters(), neuron.hidden.parameters()].joined() {
        part.value = .zeros(part.value.shape)
      }
      var state = neuron.initialState(batch: 1)
      state["memory"] = .ones([1, 4])
      let after = neuron.forward(.zeros([1, 10, 3]), state).state["memory"]
      for (value, tau) in zip(after.floats, neuron.taus.floats) {
        #expect(abs(value - Float(exp(-10 / Double(tau)))) < 1e-5)
      }
    }
  }

  @Test func refusesWhatDoesNotFit() {
    #expect(throws: InvalidInput.self) { try elm(inputs: 5, outputs: 1) { $0.branches = 2 } }
    #expect(throws: InvalidInput.self) {
      try elm(inputs: 50, outputs: 1) { ($0.branches, $0.routing) = (2, .interleaved) }
    }
    #expect(throws: InvalidInput.self) { try elm(inputs: 5, outputs: 1) { $0.longestTau = 1 } }
  }
}
