import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Hugging Face's Llama (Fixtures/networks/tiny_lm.py): logits, attention and gradients of every weight.
@Suite struct TinyLMTests {
  private func model() -> TinyLM {
    var settings = TinyLM.Settings(vocabulary: 19)
    (settings.width, settings.heads, settings.hidden) = (24, 3, 20)
    var random = RandomGenerator(seed: 1)
    return TinyLM(settings, using: &random)
  }

  /// Hugging Face's name for one of our weights.
  private func theirs(_ name: String) -> String {
    var name = name
    for (own, other) in [
      ("embedding.", "model.embed_tokens."), ("blocks.", "model.layers."), ("norm1.", "input_layernorm."),
      ("norm2.", "post_attention_layernorm."), ("attention.query.", "self_attn.q_proj."),
      ("attention.key.", "self_attn.k_proj."), ("attention.value.", "self_attn.v_proj."),
      ("attention.output.", "self_attn.o_proj."), ("mlp.gate.", "mlp.gate_proj."),
      ("mlp.up.", "mlp.up_proj."), ("mlp.down.", "mlp.down_proj."), ("head.", "lm_head."),
    ] {
      name = name.replacingOccurrences(of: own, with: other)
    }
    return name == "norm.weight" ? "model.norm.weight" : name
  }

  @Test func agreesWithLlama() throws {
    let golden = try Golden.tensors("networks/tiny-lm")
    let model = model()
    for one in model.parameters() { one.value = golden["weight." + theirs(one.name)] }
    let tokens = golden["tokens"], cotangent = golden["cotangent"]
    let tolerance = Tolerance(relative: 1e-5, ofLargest: 1e-5)
    let names = ["blocks.0.attention.weights", "blocks.1.attention.weights"]
    let (logits, read) = model.reading(names) { model(tokens) }
    #expect(CallosumTestSupport.Comparison(logits, golden["logits"], within: tolerance).problem == nil)
    #expect(
      CallosumTestSupport.Comparison(model(tokens), golden["logits"], within: tolerance).problem == nil)
    for (layer, name) in names.enumerated() {
      let weights = try #require(read[name]?.first)
      let expected = golden["attentions.\(layer)"]
      #expect(CallosumTestSupport.Comparison(weights, expected, within: tolerance).problem == nil)
    }
    let parameters = model.parameters()
    let (_, gradients) = valueAndGradient(by: parameters) { (model(tokens) * cotangent).sum() }
    for (one, gradient) in zip(parameters, gradients) {
      let expected = golden["grad." + theirs(one.name)]
      let wrong = CallosumTestSupport.Comparison(gradient, expected, within: tolerance)
      #expect(wrong.problem == nil, "\(one.name)")
    }
  }

  @Test func piecesMakeTheWhole() {
    let model = model()
    var random = RandomGenerator(seed: 2)
    let tokens = random.integers([2, 11], low: 0, high: 19)
    let whole = model(tokens)
    var states = model.initialStates(batch: 2)
    var pieces: [Tensor] = []
    for (from, to) in [(0, 5), (5, 6), (6, 11)] {
      let (logits, after) = model(tokens.sliced(axis: 1, from: from, to: to), states)
      pieces.append(logits)
      states = after
    }
    let wrong = CallosumTestSupport.Comparison(
      concatenated(pieces, axis: 1), whole, within: Tolerance(relative: 1e-5, ofLargest: 1e-5))
    #expect(wrong.problem == nil)
  }

  @Test func aTiedTableIsTheOutputMap() {
    var settings = TinyLM.Settings(vocabulary: 7)
    (settings.width, settings.heads, settings.isTied) = (8, 2, true)
    var random = RandomGenerator(seed: 1)
    let model = TinyLM(settings, using: &random)
    #expect(!model.parameters().contains { $0.name.hasPrefix("head") })
    let x = random.normal([3, 8])
    let expected = matmul(rmsNorm(x, weight: .ones([8])), model.embedding.weight.swappedAxes(0, 1))
    #expect(abs(model.logits(of: x) - expected).max().item() < 1e-5)
  }
}

@Suite struct RotaryTests {
  @Test(
    arguments: ["sequence", "later", "3 x 5", "1 x 4", "4 x 1", "1 x 1", "16 x 9"],
    [DType.float32, .float64])
  func followsComplexNumbers(_ name: String, dtype: DType) throws {
    let golden = try Golden.tensors("networks/rotary")
    let sides = name.split(separator: " x ").compactMap { Int($0) }
    let (values, pullback) = valueAndPullback(at: [golden["\(name).x"].asType(dtype)]) { x in
      switch name {
      case "sequence": [rotaryEmbedding(x[0])]
      case "later": [rotaryEmbedding(x[0], base: 100, offset: 300)]
      default: [rotaryEmbedding(x[0], grid: (sides[0], sides[1]), base: 100)]
      }
    }
    let found = values + pullback([golden["\(name).cotangent"].asType(dtype)])
    let within = Tolerance(relative: 2e-6, ofLargest: 2e-6)
    for (actual, key) in zip(found, ["y", "gradient"]) {
      let problem = CallosumTestSupport.Comparison(
        actual.asType(.float32), golden["\(name).\(key)"], within: within
      ).problem
      #expect(problem == nil, "\(key)")
    }
  }

  /// Products of turned patches depend on both distances alone; a single row or column is a sequence.
  @Test func turnsByRowAndColumn() {
    var random = RandomGenerator(seed: 2)
    let q = random.normal([8], dtype: .float64), k = random.normal([8], dtype: .float64)
    func everywhere(_ x: Tensor) -> Tensor {
      rotaryEmbedding(x.broadcast(to: [6 * 7, 8]), grid: (6, 7), base: 50)
    }
    let products = matmul(everywhere(q), everywhere(k).transposed()).doubles
    func product(_ a: (Int, Int), _ b: (Int, Int)) -> Double {
      products[(a.0 * 7 + a.1) * 42 + b.0 * 7 + b.1]
    }
    #expect(abs(product((0, 1), (2, 5)) - product((3, 2), (5, 6))) < 1e-12)
    #expect(abs(product((0, 1), (2, 5)) - product((0, 1), (3, 5))) > 1e-3)
    #expect(abs(product((0, 1), (2, 5)) - product((0, 1), (2, 4))) > 1e-3)

    let x = random.normal([5, 8], dtype: .float64)
    let row = rotaryEmbedding(x, grid: (1, 5)), column = rotaryEmbedding(x, grid: (5, 1))
    let parts = x.split(parts: 2, axis: -1)
    #expect(row.doubles == concatenated([parts[0], rotaryEmbedding(parts[1])], axis: -1).doubles)
    #expect(column.doubles == concatenated([rotaryEmbedding(parts[0]), parts[1]], axis: -1).doubles)
  }

  /// Products depend on the distance alone, lengths stay, and a later start is a later place.
  @Test func turnsByPlace() {
    var random = RandomGenerator(seed: 1)
    let q = random.normal([1, 6], dtype: .float64), k = random.normal([1, 6], dtype: .float64)
    func product(_ m: Int, _ n: Int) -> Double {
      (rotaryEmbedding(q, base: 100, offset: m) * rotaryEmbedding(k, base: 100, offset: n)).sum().item()
    }
    #expect(abs(product(3, 1) - product(40, 38)) < 1e-12)
    #expect(abs(product(3, 1) - product(3, 2)) > 1e-3)
    let x = random.normal([5, 6], dtype: .float64)
    let y = rotaryEmbedding(x)
    #expect(abs(square(y).sum(axis: 1) - square(x).sum(axis: 1)).max().item() < 1e-12)
    let tail = rotaryEmbedding(x.sliced(axis: 0, from: 2, to: 5), offset: 2)
    #expect(tail.doubles == y.sliced(axis: 0, from: 2, to: 5).doubles)
  }
}

@Suite struct TinyCNNTests {
  @Test func layersAreNamed() throws {
    var random = RandomGenerator(seed: 1)
    let network = TinyCNN(imageShape: [28, 28, 1], classes: 10, using: &random)
    #expect(network.layerNames == ["stages.0", "stages.1", "stages.2", "dense", "output"])
    let images = random.normal([2, 28, 28, 1])
    let (logits, read) = network.reading(network.layerNames) { network(images) }
    #expect(
      network.layerNames.map { read[$0]?.first?.shape } == [
        [2, 14, 14, 16], [2, 7, 7, 32], [2, 3, 3, 64], [2, 128], [2, 10],
      ])
    #expect(read["output"]?.first?.floats == logits.floats)
    let bare = TinyCNN(imageShape: [8, 9, 3], classes: 4, stages: [5, 6], hidden: 0, using: &random)
    #expect(bare(random.normal([3, 8, 9, 3])).shape == [3, 4])
    #expect(bare.layerNames == ["stages.0", "stages.1", "output"])
  }
}
