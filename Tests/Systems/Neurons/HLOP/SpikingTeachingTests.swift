import CallosumContracts
import CallosumNetworks
import CallosumNeurons
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// The authors' networks that learn online through traces and from rates, HLOP-SNN, commit
/// 530b89aa19ca1b8e31bd43cf3af8db14a229da64, in float64, with 9 inputs in place of 784 and a shared head.
@Suite struct SpikingTeachingTests {
  private let golden: GoldenTensors

  init() throws { golden = try Golden.tensors("teaching", beside: #filePath) }

  private func check(_ actual: Tensor, _ name: String) {
    #expect(golden.problem(actual, name, within: Tolerance(relative: 0, absolute: 1e-10)) == nil)
  }

  /// Two tasks of one batch: in the first subspaces learn, in the second weights learn outside of them while
  /// new rows learn.
  @Test(arguments: [SpikingTeaching.traces, .rates])
  func agreesWithTheAuthorsCode(_ teaching: SpikingTeaching) throws {
    let name = teaching.rawValue
    var settings = SpikingPerceptron.Settings(), random = RandomGenerator(seed: 1)
    (settings.hidden, settings.teaching, settings.sharesHead) = ([8, 8], teaching, true)
    settings.inputRate = 0.05
    switch teaching {
    case .traces:
      (settings.steps, settings.presynaptic, settings.subspace.rate) = (6, .spikesAndTrace, 0.1)
    default:
      (settings.steps, settings.presynaptic, settings.subspace.rate) = (12, .rate, 0.02)
      (settings.threshold, settings.learnsThreshold) = (0.3, true)
    }
    let network = try SpikingPerceptron(settings, inputs: 9, classes: 3, using: &random)
    network.beginTask(rows: [3, 4, 2], using: &random)
    for place in network.parameters() + network.buffers() { place.value = place.value.asType(.float64) }
    for (layer, weight) in zip(network.trunk, ["fc1", "fc2"]) {
      layer.weight = golden["\(name).\(weight)"]
      layer.threshold = .full([], settings.threshold, dtype: .float64)
    }
    network.heads[0].weight = golden["\(name).head"]
    for (place, subspace) in network.subspaces.enumerated() {
      subspace.rows = golden["\(name).start.\(place)"]
    }
    let batches = golden["\(name).x"].split(parts: 2).map { $0.squeezed(axis: 0) }
    let labels = golden["\(name).labels"]

    func learn(_ task: Int, _ rows: String) throws {
      let output =
        teaching == .traces
        ? network.outputs(batches[task], task: task).outputs : network(batches[task], task: task)
      check(output, "\(name).y.\(task)")
      let names = ["fc1", "vth1", "fc2", "vth2", "head"]
      let parameters = network.parameters().filter { teaching == .rates || !$0.name.hasSuffix("threshold") }
      let (loss, gradients) = valueAndGradient(by: parameters) {
        network.loss(batches[task], labels, task: task, projecting: task > 0) { $0.update($1) }
      }
      check(loss.reshaped(1), "\(name).loss.\(task)")
      let kept = teaching == .rates ? names : ["fc1", "fc2", "head"]
      #expect(gradients.count == kept.count)
      for (gradient, one) in zip(gradients, kept) { check(gradient, "\(name).g\(task).\(one)") }
      for (place, subspace) in network.subspaces.enumerated() {
        check(subspace.rows, "\(name).\(rows).\(place)")
      }
    }
    try learn(0, "after")
    network.endTask()
    network.beginTask(rows: [2, 2, 1], using: &random)
    #expect(network.heads.count == 1)
    for (place, subspace) in network.subspaces.enumerated() {
      subspace.rows = golden["\(name).grown.\(place)"]
      subspace.velocity = subspace.velocity.asType(.float64)
    }
    try learn(1, "later")
  }

  /// The authors' convolution, with the gradient's input projected, of spikes and of traces in their place.
  @Test(arguments: ["spikes", "traces"]) func convolutionsAgree(_ name: String) throws {
    let rows = golden["conv.rows"]
    let inputs = ["x", "weight", "bias"].map { golden["conv.\($0)"] }
    let trace = name == "traces" ? golden["conv.trace"] : nil
    let (outputs, pullback) = valueAndPullback(at: inputs) {
      [
        projectedConvolution(
          $0[0], weight: $0[1], bias: $0[2], seen: trace, kernel: [3, 3], stride: [2, 2], padding: [1, 1]
        ) { $0 - matmul(matmul($0, rows.transposed()), rows) }
      ]
    }
    check(outputs[0], "conv.\(name).y")
    for (gradient, one) in zip(pullback([golden["conv.g"]]), ["gx", "gweight", "gbias"]) {
      check(gradient, "conv.\(name).\(one)")
    }
  }

  private func network(_ change: (inout SpikingPerceptron.Settings) -> Void) throws -> SpikingPerceptron {
    var settings = SpikingPerceptron.Settings(), random = RandomGenerator(seed: 2)
    (settings.hidden, settings.steps) = ([6, 5], 7)
    change(&settings)
    let network = try SpikingPerceptron(settings, inputs: 4, classes: 3, using: &random)
    network.beginTask(rows: [2, 2], using: &random)
    for layer in network.trunk { layer.weight = layer.weight * 3 }
    return network
  }

  /// Steps taken one by one, each with its own derivative, give the gradient of the whole; and the spikes are
  /// those of a network that learns through time.
  @Test func onlineStepsMakeTheWhole() throws {
    let own = try network { $0.teaching = .traces }
    let other = try network { $0.teaching = .throughTime }
    var random = RandomGenerator(seed: 3)
    let x = random.normal([8, 4]) * 2, labels = random.integers([8], low: 0, high: 3)
    #expect(own.outputs(x, task: 0).outputs.floats == other.outputs(x, task: 0).outputs.floats)
    #expect(abs(own(x, task: 0) - other(x, task: 0)).max().item() < 1e-5)
    let learned = own.learned(in: 0)
    let whole = valueAndGradient(by: learned) { own.loss(x, labels, task: 0) }.gradients
    var sums = learned.map { Tensor.zeros(like: $0.value) }, state: SpikingPerceptron.State?
    for _ in 0..<7 {
      var after = state
      let (_, gradients) = valueAndGradient(by: learned) {
        let step = own.outputs(x, task: 0, steps: 1, from: state)
        after = step.state
        return crossEntropy(logits: step.outputs.squeezed(axis: 0), targets: labels) * (1.0 / 7)
      }
      state = after
      sums = zip(sums, gradients).map { $0 + $1 }
    }
    for ((sum, gradient), place) in zip(zip(sums, whole), learned) {
      #expect(abs(gradient).max().item() > 1e-3, "\(place.name)")
      #expect(abs(sum - gradient).max().item() < 1e-5, "\(place.name)")
    }
  }

  /// Written out for one layer: the gradient is error times surrogate at each step, with the trace of the
  /// spikes below, whatever the potentials carried over.
  @Test func theTraceStandsForTheSpikes() throws {
    let own = try network { $0.teaching = .traces }
    var random = RandomGenerator(seed: 4)
    let x = random.normal([3, 4]) * 2, labels = random.integers([3], low: 0, high: 3)
    let weights = own.trunk.map(\.weight), head = own.heads[0].weight
    let leak = Tensor(Float(0.5))
    func layer(_ current: Tensor) -> SpikingSequence {
      leakyIntegrateAndFire(
        current, leak: leak, rule: SpikingRule(surrogate: .sigmoid(slope: 4)))
    }
    let first = layer(linear(x, weight: weights[0]).expandedDimensions(axis: 0).broadcast(to: [7, 3, 6]))
    let second = layer(linear(first.spikes, weight: weights[1]))
    func traced(_ spikes: Tensor) -> [Tensor] {
      var trace = Tensor.zeros([3, spikes.dim(2)])
      return spikes.split(parts: 7).map {
        trace = trace * 0.5 + $0.squeezed(axis: 0)
        return trace
      }
    }
    let (below, above) = (traced(first.spikes), traced(second.spikes))
    var expected = (Tensor.zeros([5, 6]), Tensor.zeros([3, 5]))
    for t in 0..<7 {
      let spikes = second.spikes[t]
      let error = (softmax(linear(spikes, weight: head)) - labels.oneHot(count: 3)) / 21
      let s = sigmoid((second.potentials[t] - 1) * 4)
      let delta = matmul(error, head) * (s * (1 - s) * 4)
      expected.0 = expected.0 + matmul(delta.transposed(), below[t])
      expected.1 = expected.1 + matmul(error.transposed(), above[t])
    }
    let learned = own.learned(in: 0).filter { $0.name != "trunk.0.weight" }
    let (_, gradients) = valueAndGradient(by: learned) { own.loss(x, labels, task: 0) }
    #expect(learned.map(\.name) == ["trunk.1.weight", "heads.0.weight"])
    #expect(abs(gradients[0] - expected.0).max().item() < 1e-6)
    #expect(abs(gradients[1] - expected.1).max().item() < 1e-6)
  }

  @Test func subspacesCannotLearnRatesOnline() {
    #expect(throws: InvalidInput.self) {
      try network { ($0.teaching, $0.presynaptic) = (.traces, .rate) }
    }
  }
}
