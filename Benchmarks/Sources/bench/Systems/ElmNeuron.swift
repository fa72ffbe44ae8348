import Callosum

extension ElmNeuron: Benchmarked {
  static let workloads: [Workload] = [
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
    }
  ]
}
