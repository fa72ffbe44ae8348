import Callosum

// Neurons and rules of learning.

/// The second of two tasks: its rows learn what those of the first leave over, and weights change outside of
/// the space of the first.
private struct SecondTask {
  let network: SpikingPerceptron
  let learns: [NamedParameter]
  private let x, labels: Tensor

  init() throws {
    var random = generator(), settings = SpikingPerceptron.Settings()
    (settings.hidden, settings.steps) = ([200, 200], 6)
    network = try SpikingPerceptron(settings, inputs: 784, classes: 10, using: &random)
    network.beginTask(rows: [80, 50], using: &random)
    network.endTask()
    network.beginTask(rows: [70, 18], using: &random)
    learns = network.learned(in: 1)
    // So bright that both layers spike.
    x = pattern([64, 784], 1) * 4 + 4
    labels = patternOfLabels([64], below: 10, 2)
    for (place, subspace) in network.subspaces.enumerated() {
      let shape = subspace.rows.shape
      subspace.rows = pattern(shape, 10 + place) * (3 / Double(shape[1])).squareRoot()
    }
  }

  func lossAndGradients() -> (Tensor, [Tensor]) {
    valueAndGradient(by: learns) {
      let logits = network(x, task: 1, projecting: true) { $0.update($1) }
      return crossEntropy(logits: logits, targets: labels)
    }
  }
}

let learningSystems: [Workload] = [
  system("elm_neuron_step") {
    var random = generator(), settings = ElmNeuron.Settings()
    (settings.routing, settings.branches, settings.synapsesPerBranch) = (.interleaved, 45, 100)
    settings.longestTau = 150
    let slot = Slot(width: 1278, outputWidth: 2, tokens: 500)
    let neuron = try ElmNeuron(settings, in: slot, using: &random)
    let x = (pattern([8, 500, 1278], 1) .> 0.98).asType(.float32), target = pattern([8, 500, 2], 2)
    return (
      neuron.parameters(),
      { mseLoss(predictions: neuron(x, neuron.initialState(batch: 8)).output, targets: target) }
    )
  },
  Workload(
    name: "hlop_step",
    prepare: {
      let task = try SecondTask()
      let optimiser = SGD(task.learns, learningRate: 0.1)
      return { optimiser.update(task.lossAndGradients().1) }
    },
    compared: {
      let task = try SecondTask()
      fill(task.learns)
      let (loss, gradients) = task.lossAndGradients()
      return [loss.item(), length(gradients), length(task.network.subspaces.map(\.rows))]
    }),
  system("noprop_step") {
    var random = generator(), settings = NoProp.Settings()
    (settings.hidden, settings.clip) = (128, 0.001)
    let slot = Slot(width: 784, outputWidth: 10, tokens: 1)
    let network = try NoProp(settings, in: slot, using: &random)
    let x = pattern([128, 784], 1) * 0.5 + 0.5, labels = patternOfLabels([128], below: 10, 2)
    var noise = generator()
    return (network.parameters(), { network.losses(x, labels, using: &noise).mean() })
  },
  system("critical_periods_linear_step", descent: 0.01) {
    var random = generator(), settings = CriticalPeriodsLinear.Settings()
    settings.depth = 3
    let slot = Slot(width: 8, outputWidth: 15, tokens: 8)
    let network = try CriticalPeriodsLinear(settings, in: slot, using: &random)
    let items = Tensor.eye(8).reshaped(1, 8, 8), wanted = pattern([1, 8, 15], 1)
    return (network.parameters(), { square(network(items) - wanted).sum() * 0.5 })
  },
]
