import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// Which brain, for which task.
struct BrainOptions: ParsableArguments {
  @Argument(help: "The brain's regions and tracts, as YAML.") var file: String
  @Option(help: "What to learn, if not what the file says; see 'callosum list --tasks'.") var task: String?

  /// Whether a word names the file of a brain.
  static func isPlan(_ word: String) -> Bool { [".yaml", ".yml"].contains(where: word.hasSuffix) }

  /// Refuses what is some other file.
  func checkName() throws {
    guard [".safetensors", ".swift", ".json"].contains(where: file.hasSuffix) else { return }
    throw UsageError(
      "\(file) is no plan of a brain, which is a YAML file such as Examples/two-hemispheres.yaml")
  }

  /// The plan and its task.
  func open() throws -> (file: BrainFile, task: any LearningTask) {
    try checkName()
    let file = try BrainFile(path: self.file)
    if let task { return (file, try fromCommandLine { try Program.catalogue.task(task) }) }
    return (
      file, try file.located(word: .task) { try Program.catalogue.task(file.plan.task ?? "fashion-mnist") }
    )
  }
}
