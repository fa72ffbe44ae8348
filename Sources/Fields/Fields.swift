import CallosumContracts

/// The neural fields and operators, a line each.
public let fieldParts: [Part] = [
  Part(FourierNeuralOperator.self),
  Part(MgNO.self),
]
