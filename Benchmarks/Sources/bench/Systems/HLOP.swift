import Callosum

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

extension HLOP: Benchmarked {
  static let workloads: [Workload] = [
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
      })
  ]
}
