// The library's one import: every room that programs use.
@_exported import CallosumAnalysis
@_exported import CallosumBrains
@_exported import CallosumContracts
@_exported import CallosumExperiments
@_exported import CallosumFields
@_exported import CallosumInsight
@_exported import CallosumLab
@_exported import CallosumLearning
@_exported import CallosumMemory
@_exported import CallosumMixers
@_exported import CallosumModularity
@_exported import CallosumNetworks
@_exported import CallosumNeurons
@_exported import CallosumRecordings
@_exported import CallosumTasks
@_exported import CallosumTensors

extension Catalogue {
  /// Everything of this version.
  public static let all = Catalogue(
    brains, mixers, neurons, learning, memory, fields, modularity, recordings, insight,
    tasks: tasks, skeletons: [.backbone, .whole, .taught])
}
