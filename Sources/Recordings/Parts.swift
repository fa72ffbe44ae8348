import CallosumContracts

/// The models of recordings, a line each.
public let recordingParts: [Part] = []
