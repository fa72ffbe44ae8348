import CallosumContracts
import CallosumMixers
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// flash-linear-attention, commit bc3b101: the recurrence and the chunked form of
/// fla/ops/delta_rule/naive.py, run in float64, and the layer of fla/layers/delta_net.py around the
/// recurrence. Gradients are those of the sum of all outputs times their cotangents.
private struct Reference {
  let tensors: [String: Tensor]

  init() throws {
    let file = Golden.path(beside: #filePath)
    tensors = try Safetensors.load(file).tensors
  }

  func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "\(name)") }

  /// Ours beside theirs in both precisions, for a function of the named inputs and weights.
  func check(
    _ name: String, inputs: [String], weights: [NamedParameter] = [], outputs: [String],
    _ body: ([Tensor]) -> [Tensor]
  ) throws {
    for (dtype, tolerance) in [(DType.float64, 1e-10), (.float32, 1e-4)] {
      let given = try inputs.map { try self("\(name).input.\($0)").asType(dtype) }
      let values = try weights.map { try weight("\(name).weight", $0).asType(dtype) }
      let (found, pullback) = valueAndPullback(at: given + values) { all in
        withParameters(weights, as: Array(all.dropFirst(given.count))) { body(all) }
      }
      let gradients = pullback(try outputs.map { try self("\(name).cotangent.\($0)").asType(dtype) })
      var expected = try outputs.map { try self("\(name).output.\($0)") }
      expected += try inputs.map { try self("\(name).gradient.\($0)") }
      expected += try weights.map { try weight("\(name).gradient.weight", $0) }
      let places = outputs + inputs + weights.map(\.name)
      for (place, (ours, theirs)) in zip(places, zip(found + gradients, expected)) {
        let problem = CallosumTestSupport.Comparison(
          ours.asType(.float64), theirs, within: Tolerance(relative: tolerance, ofLargest: tolerance)
        ).problem
        #expect(problem == nil, "\(name): \(place), \(dtype)")
      }
    }
  }

  /// Their tensors for one of our parameters: queries, keys and values are three maps with a convolution
  /// each, weights [channels, 1, window].
  private func weight(_ prefix: String, _ parameter: NamedParameter) throws -> Tensor {
    func joined(_ name: String) throws -> Tensor {
      concatenated(try ["q", "k", "v"].map { try self("\(prefix).\(name)\($0)") })
    }
    return switch parameter.name {
    case "streams.map.weight": try joined("")
    case "streams.convolution.weight": try joined("conv.").swappedAxes(1, 2)
    case "streams.convolution.bias": try joined("convbias.")
    default: try self("\(prefix).\(parameter.name.split(separator: ".")[0])")
    }
  }
}

@Suite struct DeltaNetTests {
  @Test func theRuleAgreesWithTheAuthorsCode() throws {
    let reference = try Reference()
    try reference.check("rule", inputs: ["q", "k", "v", "beta", "state"], outputs: ["o", "state"]) { x in
      let (output, state) = deltaRule(queries: x[0], keys: x[1], values: x[2], beta: x[3], initial: x[4])
      return [output, state]
    }
  }

  @Test func theRuleAgreesWithTheAuthorsChunks() throws {
    let reference = try Reference()
    for (dtype, tolerance) in [(DType.float64, 1e-10), (.float32, 1e-4)] {
      let x = try ["q", "k", "v", "beta"].map { try reference("rule.input.\($0)").asType(dtype) }
      let (output, state) = deltaRule(queries: x[0], keys: x[1], values: x[2], beta: x[3])
      for (name, ours) in [("o", output), ("state", state)] {
        let problem = CallosumTestSupport.Comparison(
          ours.asType(.float64), try reference("chunk.output.\(name)"),
          within: Tolerance(relative: tolerance, ofLargest: tolerance)
        ).problem
        #expect(problem == nil, "\(name), \(dtype)")
      }
    }
  }

  @Test func theLayerAgreesWithTheAuthorsLayer() throws {
    var plain = DeltaNet.Settings(), full = DeltaNet.Settings(), bare = DeltaNet.Settings()
    plain.streams.heads = 3
    (full.streams.heads, full.streams.keyWidth, full.streams.valueWidth) = (3, 5, 2)
    (full.streams.window, full.streams.bias, full.streams.activation) = (2, true, .relu)
    (full.negativeEigenvalues, full.gate) = (true, true)
    (bare.streams.heads, bare.streams.window, bare.learnedBeta) = (2, 0, false)
    (bare.streams.activation, bare.streams.normalisation) = (.elu, .sum)
    let cases = [
      ("default", plain, Slot(width: 12, tokens: 21)),
      ("full", full, Slot(width: 7, outputWidth: 4, tokens: 19)), ("bare", bare, Slot(width: 6, tokens: 9)),
    ]
    let reference = try Reference()
    for (name, settings, slot) in cases {
      var random = RandomGenerator(seed: 1)
      let layer = try DeltaNet(settings, in: slot, using: &random)
      let states = ["memory"] + (settings.streams.window > 1 ? ["recent"] : [])
      try reference.check(
        name, inputs: ["x"] + states, weights: layer.parameters(), outputs: ["y"] + states
      ) { all in
        let before = State(Dictionary(uniqueKeysWithValues: zip(states, all.dropFirst())))
        let (y, after) = layer(all[0], before)
        return [y] + states.map { after[$0] }
      }
    }
  }

  /// Padding and packed sequences as fla/layers/utils.py unpads and repads them, each sequence by itself.
  @Test func segmentsAgreeWithTheAuthorsUnpadding() throws {
    let reference = try Reference()
    var settings = DeltaNet.Settings(), random = RandomGenerator(seed: 1)
    settings.streams.heads = 3
    let layer = try DeltaNet(settings, in: Slot(width: 12, tokens: 21), using: &random)
    for name in ["padded", "packed"] {
      let segments = try reference("\(name).segments")
      try reference.check(
        name, inputs: ["x", "memory", "recent"], weights: layer.parameters(),
        outputs: ["y", "memory", "recent"]
      ) { all in
        let before = State(["memory": all[1], "recent": all[2]])
        let (y, after) = layer(all[0], before, besides: ["segments": segments])
        return [y, after["memory"], after["recent"]]
      }
    }
  }

  /// With orthonormal keys and beta 1 every key gives the value last written to it, exactly; without the
  /// correction, the sum of all that were.
  @Test func orthonormalKeysAreOverwritten() {
    var random = RandomGenerator(seed: 2)
    let keys = random.orthogonal([8, 8]).asType(.float64)
    let first = random.normal([8, 3], dtype: .float64), second = random.normal([8, 3], dtype: .float64)
    func sequence(_ rows: [Tensor]) -> Tensor { concatenated(rows).reshaped(1, 1, 16, -1) }
    let k = sequence([keys, keys]), v = sequence([first, second])
    func given(_ state: Tensor) -> Tensor { matmul(keys, state.reshaped(8, 3)) }
    // The keys are orthonormal to float32 only.
    let delta = deltaRule(queries: k, keys: k, values: v, beta: .ones([1, 1, 16], dtype: .float64))
    #expect(abs(given(delta.state) - second).max().item() < 1e-5)
    let additive = linearAttention(queries: k, keys: k, values: v)
    #expect(abs(given(additive.state) - (first + second)).max().item() < 1e-5)
  }

  /// beta 2 and value 0 reflect the state: its length stays, and twice is not at all.
  @Test func doubleBetaReflects() {
    var random = RandomGenerator(seed: 3)
    let vector = random.normal([1, 1, 1, 6], dtype: .float64)
    let key = vector / sqrt(square(vector).sum(keepDims: true))
    let state = random.normal([1, 1, 6, 4], dtype: .float64)
    func reflected(_ state: Tensor) -> Tensor {
      deltaRule(
        queries: key, keys: key, values: .zeros([1, 1, 1, 4], dtype: .float64),
        beta: .full([1, 1, 1], 2, dtype: .float64), initial: state
      ).state
    }
    let once = reflected(state)
    #expect(abs(square(once).sum() - square(state).sum()).item() < 1e-12)
    #expect(abs(reflected(once) - state).max().item() < 1e-12)
    #expect(abs(matmul(key, once) + matmul(key, state)).max().item() < 1e-12)
  }
}
