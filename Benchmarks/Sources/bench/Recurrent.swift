import Callosum

/// PyTorch's weights of a recurrent layer: uniform within 1 / sqrt(hidden).
private final class RecurrentLayer: Module {
  @Parameter var input: Tensor
  @Parameter var hidden: Tensor
  @Parameter var inputBias: Tensor
  @Parameter var hiddenBias: Tensor
  let head: Linear

  init(_ inputs: Int, hidden width: Int, gates: Int, using random: inout RandomGenerator) {
    let bound = 1 / Double(width).squareRoot()
    input = random.uniform([gates * width, inputs], low: -bound, high: bound)
    hidden = random.uniform([gates * width, width], low: -bound, high: bound)
    inputBias = random.uniform([gates * width], low: -bound, high: bound)
    hiddenBias = random.uniform([gates * width], low: -bound, high: bound)
    head = Linear(width, 10, using: &random)
  }

  var weights: RecurrentWeights {
    RecurrentWeights(input: input, hidden: hidden, inputBias: inputBias, hiddenBias: hiddenBias)
  }
}

/// Two layers of leaky integrate-and-fire neurons; the class is the output neuron with most spikes.
private final class SpikingNetwork: Layer {
  let first, second: Linear
  let leak = Tensor(Float(0.9))

  init(using random: inout RandomGenerator) {
    first = Linear(784, 512, using: &random)
    second = Linear(512, 10, using: &random)
  }

  /// Spikes [time, batch, 784] to spike counts [batch, 10].
  func forward(_ x: Tensor) -> Tensor {
    let current = sparseLinear(x, weight: first.weight, bias: first.bias)
    let hidden = leakyIntegrateAndFire(current, leak: leak).spikes
    return leakyIntegrateAndFire(second(hidden), leak: leak).spikes.sum(axis: 0)
  }
}

/// A training step on inputs of which the share `rate` spikes.
@Sendable private func spiking(rate: Double) -> () -> Void {
  var random = generator()
  let model = SpikingNetwork(using: &random)
  let x = (random.uniform([100, 64, 784]) .< rate).asType(.float32)
  let labels = random.integers([64], low: 0, high: 10)
  return trainingStep(model) { crossEntropy(logits: model(x), targets: labels) }
}

let recurrentCurves: [Curve] = [
  Curve(name: "lif_rate_curve") { spiking(rate: $0) }
]

let recurrent: [Workload] = [
  Workload(name: "linear_recurrence_fwd_bwd") {
    var random = generator()
    let inputs = [random.uniform([8, 2048, 128]), random.normal([8, 2048, 128])]
    return forwardBackward(inputs) { linearRecurrence($0[0], $0[1]) }
  },
  Workload(name: "cumulative_sum_fwd_bwd") {
    var random = generator()
    return forwardBackward([random.normal([256, 16384])]) { $0[0].cumsum(axis: 1) }
  },
  Workload(name: "lif_snn_step") { spiking(rate: 0.1) },
  Workload(name: "gru_step") {
    var random = generator()
    let model = RecurrentLayer(64, hidden: 128, gates: 3, using: &random)
    let x = random.normal([32, 128, 64]), labels = random.integers([32], low: 0, high: 10)
    return trainingStep(model) {
      crossEntropy(logits: model.head(gru(x, weights: model.weights).last), targets: labels)
    }
  },
  Workload(name: "lstm_step") {
    var random = generator()
    let model = RecurrentLayer(64, hidden: 128, gates: 4, using: &random)
    let x = random.normal([32, 128, 64]), labels = random.integers([32], low: 0, high: 10)
    return trainingStep(model) {
      crossEntropy(logits: model.head(lstm(x, weights: model.weights).last.h), targets: labels)
    }
  },
]
