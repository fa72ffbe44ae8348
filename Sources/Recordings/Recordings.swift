import CallosumContracts

/// The models of recordings, a line each.
public let recordingParts: [Part] = [
  Part(DigitalTwin.self),
  Part(MDSClustering.self),
]
