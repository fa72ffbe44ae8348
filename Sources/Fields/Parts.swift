import CallosumContracts

/// The neural fields and operators, a line each.
public let fieldParts: [Part] = []
