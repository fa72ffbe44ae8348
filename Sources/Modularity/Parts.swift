import CallosumContracts

/// What tracts can pass through, a line each.
public let tractParts: [Part] = []
