import CallosumContracts

/// The neuron models, a line each.
public let neuronModels: [Part] = [
  Part(ElmNeuron.self),
  Part(HebbianProjection.self),
]
