import CallosumContracts
import CallosumKernels
import CallosumMixers
import CallosumNetworks
import CallosumTensors

/// A comparison of token mixers in the same skeleton, checked before anything is trained.
public struct ComparisonPlan: Sendable {
  public struct Settings: Configuration {
    public var network = MetaFormer.Settings()
    public var training = TrainingSettings()
    public init() {}

    public func validate() throws {
      try network.validate()
      try training.validate()
    }
  }

  private let task: any ImageClassification
  private let parts: [Part]
  private let settings: Settings
  private let partSettings: [String: JSONValue]
  private let seeds: [UInt64]

  /// A comparison of `parts`, each a token mixer, with `partSettings` by id, over that many seeds.
  /// - Throws: `Mistake` if a part does not fit the skeleton.
  public init(
    task: any ImageClassification, parts: [Part], settings: Settings = Settings(),
    partSettings: [String: JSONValue] = [:], seeds: Int = 3
  ) throws {
    try expect(!parts.isEmpty, "name at least one part to compare")
    try expect((1...100_000).contains(seeds), "seeds must be from 1 to 100000, is \(seeds)")
    try settings.validate()
    try expect(
      task.trainingCount > 0 && task.testCount > 0,
      "\(task.name) has \(task.trainingCount) training and \(task.testCount) test images; get its files again"
    )
    self.task = task
    self.parts = parts
    self.settings = settings
    self.partSettings = partSettings
    self.seeds = (1...UInt64(seeds)).map { $0 }
    for part in parts { _ = try network(part, seed: 1) }
  }

  /// Images that will be trained on, for progress.
  public var totalImages: Int {
    parts.count * seeds.count * settings.training.steps * settings.training.batchSize
  }

  private func network(_ part: Part, seed: UInt64) throws -> MetaFormer {
    var random = RandomGenerator(seed: seed).stream("weights")
    return try MetaFormer(
      settings.network, imageShape: task.imageShape, classes: task.classCount, using: &random
    ) { slot, random in
      try part.tokenMixer(partSettings[part.card.id], in: slot, using: &random)
    }
  }

  /// Trains every part from every seed. Seeds run in the outer loop, so that an interrupted
  /// comparison still compares. `started` is called before each run, `progress` after every batch
  /// with its number of images; `command` is what the result says repeats it.
  public func run(
    command: String, started: (_ part: String, _ seed: UInt64) -> Void = { _, _ in },
    progress: (_ images: Int) -> Void = { _ in }, isCancelled: () -> Bool = { false }
  ) throws -> Comparison {
    var arms: [Comparison.Arm] = []
    for part in parts {
      let model = try network(part, seed: 1)
      let image = Tensor.zeros([1] + task.imageShape)
      arms.append(
        Comparison.Arm(
          partID: part.card.id, name: part.card.name, parameters: model.parameterCount,
          multiplyAccumulatesPerImage: countingMultiplyAccumulates { _ = model(image) }, runs: []))
    }
    let trainer = Trainer(settings: settings.training, task: task)
    runs: for seed in seeds {
      for (position, part) in parts.enumerated() {
        if isCancelled() { break runs }
        started(part.card.name, seed)
        let model = try network(part, seed: seed)
        arms[position].runs.append(
          trainer.train(model, seed: seed, progress: progress, isCancelled: isCancelled))
      }
    }
    return Comparison(
      task: Comparison.TaskSummary(
        id: task.id, name: task.name, trainingImages: task.trainingCount, testImages: task.testCount,
        classes: task.classCount),
      budget: Comparison.Budget(
        steps: settings.training.steps, batchSize: settings.training.batchSize, seeds: seeds),
      arms: arms, configuration: try configuration(), machine: .thisOne, command: command,
      wasInterrupted: isCancelled())
  }

  /// What runs, defaults spelled out.
  private func configuration() throws -> JSONValue {
    var ofParts: [String: JSONValue] = [:]
    for part in parts {
      var values = part.defaults
      if case .object(var known) = values, case .object(let given)? = partSettings[part.card.id] {
        known.merge(given) { $1 }
        values = .object(known)
      }
      ofParts[part.card.id] = values
    }
    return .object([
      "network": try JSONValue(encoding: settings.network),
      "training": try JSONValue(encoding: settings.training),
      "parts": .object(ofParts),
    ])
  }
}

extension Machine {
  /// This machine as the engine sees it.
  public static var thisOne: Machine {
    let sets = ["baseline", "AVX2", "AVX-512"]
    let version = Int(callosum_onednn_version())
    return .current(
      threads: Int(callosum_thread_count()), instructionSet: sets[Int(callosum_instruction_set())],
      libraries: ["oneDNN": "\(version / 10000).\(version / 100 % 100).\(version % 100)"],
      callosumVersion: Version.current)
  }
}

/// The version of this library.
public enum Version {
  public static let current = "0.1.0"
}
