import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct HookTests {
  private let network: Sequential
  private let x: Tensor

  init() {
    var random = RandomGenerator(seed: 4)
    network = Sequential(
      Linear(3, 5, using: &random), Lambda { tanh($0) }, Sequential(Linear(5, 2, using: &random)))
    x = random.normal([4, 3])
  }

  @Test func reads() {
    let names = ["layers.0", "layers.1.input", "layers.2.layers.0", ""]
    let (y, activations) = network.reading(names) { network(x) }
    #expect(y.floats == network(x).floats)
    #expect(activations["layers.0"]?.map(\.floats) == [network.layers[0](x).floats])
    #expect(activations["layers.1.input"]?.map(\.floats) == activations["layers.0"]?.map(\.floats))
    #expect(activations["layers.2.layers.0"]?.map(\.floats) == [y.floats])
    #expect(activations[""]?.map(\.floats) == [y.floats])
    // Every call, in order; nothing after the scope.
    let twice = network.reading(["layers.1"]) { (network(x), network(x * 2)) }
    #expect(twice.activations["layers.1"]?.count == 2)
    #expect(twice.activations["layers.1"]?[1].floats == tanh(network.layers[0](x * 2)).floats)
  }

  @Test func replacesAndPatches() {
    let zeroed = network.withHooks(["layers.1": { $0 * 0 }]) { network(x) }
    let bias = network.parameters()[3].value
    #expect(zeroed.floats == bias.broadcast(to: [4, 2]).floats)
    // One run's activation inside another.
    let other = network.reading(["layers.1"]) { network(x * 3) }
    let patched = network.withHooks(["layers.1": { _ in other.activations["layers.1"]?[0] ?? x }]) {
      network(x)
    }
    #expect(patched.floats == other.result.floats)
    #expect(network(x).floats != zeroed.floats)
  }

  @Test func aLayerWithAStatePublishesInputAndOutput() {
    final class Reader: Module {
      let memory: GRU
      let head: Linear
      init() {
        var random = RandomGenerator(seed: 9)
        (memory, head) = (GRU(3, 4, using: &random), Linear(4, 2, using: &random))
      }
      func callAsFunction(_ x: Tensor) -> Tensor {
        running { head(memory(x, memory.initialState(batch: x.dim(0))).output) }
      }
    }
    let reader = Reader(), sequence = x.reshaped(2, 2, 3)
    let (y, seen) = reader.reading(["memory.input", "memory"]) { reader(sequence) }
    let states = reader.memory(sequence, reader.memory.initialState(batch: 2)).output
    #expect(seen["memory.input"]?.map(\.floats) == [sequence.floats])
    #expect(seen["memory"]?.map(\.floats) == [states.floats])
    #expect(y.floats == reader(sequence).floats)
    let changed = reader.withHooks(["memory": { $0 * 2 }]) { reader(sequence) }
    #expect(changed.floats == reader.head(states * 2).floats)
  }

  @Test func scopesCompose() {
    // Outer hooks come first: (a + 1) · 2.
    let composed = network.withHooks(["layers.1": { $0 + 1 }]) {
      network.withHooks(["layers.1": { $0 * 2 }, "layers.2.layers.0": { $0 - 3 }]) { network(x) }
    }
    let inner = (tanh(network.layers[0](x)) + 1) * 2
    #expect(composed.floats == (network.layers[2](inner) - 3).floats)
    struct Stop: Error {}
    #expect(throws: Stop.self) { try network.withHooks(["layers.0": { $0 * 0 }]) { throw Stop() } }
    #expect(
      network.reading(["layers.0"]) { network(x) }.activations["layers.0"]?[0].floats.contains(0) == false)
  }

  @Test func derivativesPass() {
    // Doubling an activation doubles the slope of a linear readout.
    let doubled = gradient(at: x) { x in
      network.withHooks(["layers.2": { $0 * 2 }]) { network(x).sum() }
    }
    let plain = gradient(at: x) { network($0).sum() }
    #expect(Comparison(doubled, plain * 2, within: Tolerance(relative: 1e-6)).problem == nil)
  }

  @Test func gradientsByNamedActivations() {
    let (value, activations, gradients) = network.gradients(byActivations: ["layers.0", "layers.1"]) {
      square(network(x)).sum()
    }
    #expect(value.item() == square(network(x)).sum().item())
    let h = network.layers[0](x), a = tanh(h)
    let byA = gradient(at: a) { square(network.layers[2]($0)).sum() }
    let byH = gradient(at: h) { square(network.layers[2](tanh($0))).sum() }
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-6)
    #expect(activations["layers.1"]?[0].floats == a.floats)
    // The later one does not cut off the earlier.
    for (name, expected) in [("layers.1", byA), ("layers.0", byH)] {
      #expect(gradients[name]?.count == 1)
      #expect(Comparison(gradients[name]?[0] ?? x, expected, within: allowed).problem == nil, "\(name)")
    }
  }

  @Test func gradientsByActivationsAreDifferentiated() {
    // d/dx of the squared gradient by an activation: attribution penalties need it.
    let x = x
    func penalty(_ x: Tensor) -> Tensor {
      let found = network.gradients(byActivations: ["layers.0"]) { square(network(x)).sum() }.gradients
      return square(found["layers.0"]?[0] ?? x).sum()
    }
    func direct(_ x: Tensor) -> Tensor {
      let h = network.layers[0](x)
      return square(gradient(at: h) { square(network.layers[2](tanh($0))).sum() }).sum()
    }
    let allowed = Tolerance(relative: 1e-4, ofLargest: 1e-5)
    #expect(
      Comparison(gradient(at: x, of: penalty), gradient(at: x, of: direct), within: allowed).problem == nil)
  }

  @Test func attentionPublishesItsWeights() {
    var random = RandomGenerator(seed: 8)
    let attention = MultiHeadAttention(12, heads: 3, causal: true, using: &random)
    let x = random.normal([2, 5, 12])
    let (y, activations) = attention.reading(["weights"]) { attention(x) }
    let weights = activations["weights"]?[0] ?? x
    #expect(weights.shape == [2, 3, 5, 5])
    let rows = weights.sum(axis: -1).floats
    #expect(rows.allSatisfy { abs($0 - 1) < 1e-6 })
    #expect(weights.triu(k: 1).floats.allSatisfy { $0 == 0 })
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-6)
    #expect(Comparison(y, attention(x), within: allowed).problem == nil)
    // Every query looks at the first token alone: all outputs are those of the first.
    let first = (Tensor.arange(5) .== 0).asType(.float32).broadcast(to: [2, 3, 5, 5])
    let fixed = attention.withHooks(["weights": { _ in first }]) { attention(x) }
    #expect(
      Comparison(fixed.sliced(axis: 1, from: 4), attention(x).sliced(axis: 1, to: 1), within: allowed).problem
        == nil)
  }

  @Test func checkpointsSeeTheSameHooks() {
    let body = network.layers[2]
    func loss(_ x: Tensor, _ forward: (Tensor) -> Tensor) -> Tensor {
      network.withHooks(["layers.2.layers.0": { $0 * $0 }]) { forward(tanh(network.layers[0](x))).sum() }
    }
    let plain = gradient(at: x) { loss($0) { body($0) } }
    let saving = gradient(at: x) { loss($0) { body.recomputed($0) } }
    #expect(Comparison(saving, plain, within: Tolerance(relative: 1e-6)).problem == nil)
    // Reading happens once, although the layer runs twice.
    let read = network.reading(["layers.2.layers.0"]) {
      gradient(at: x) { body.recomputed(tanh(network.layers[0]($0))).sum() }
    }
    #expect(read.activations["layers.2.layers.0"]?.count == 1)
  }

  @Test func anActivationThatDidNotArise() {
    #expect(
      network.reading(["layers.2.layers.0"]) { network.layers[0](x) }.activations["layers.2.layers.0"]?.count
        == 0)
  }

  enum InvalidInput: String, CaseIterable, Codable, Sendable {
    case module, signal, shape

    func make() {
      let tests = HookTests()
      let name: String =
        switch self {
        case .module: "layers.7.input"
        case .signal: "layers.0.weights"
        case .shape: "layers.1"
        }
      _ = tests.network.withHooks([name: { $0.sum() }]) { tests.network(tests.x) }
    }

    var message: String {
      switch self {
      case .module:
        "withHooks: Sequential has no module layers.7; it has layers.0, layers.1, layers.2, layers.2.layers.0"
      case .signal: "withHooks: layers.0.weights was not published by a module that ran; there are input"
      case .shape:
        "layers.1 (Lambda), withHooks: the hook on layers.1 must return float32 [4, 5], returned float32 []"
      }
    }
  }

  @Test(arguments: InvalidInput.allCases) func text(_ mistake: InvalidInput) async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      [mistake] in
      mistake.make()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(mistake.message), "\(text)")
  }
}
