import CallosumContracts
import CallosumExperiments
import CallosumKernels
import CallosumNetworks
import CallosumTensors

/// A comparison of token mixers in the same skeleton, checked before anything is trained.
public struct ComparisonPlan: Sendable {
  public struct Settings: Configuration {
    public var network = PatchClassifier.Settings()
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
  /// - Throws: `InvalidInput` if a part does not fit the skeleton.
  public init(
    task: any ImageClassification, parts: [Part], settings: Settings = Settings(),
    partSettings: [String: JSONValue] = [:], seeds: Int = 3
  ) throws {
    try require(!parts.isEmpty, "name at least one part to compare")
    try require((1...100_000).contains(seeds), "seeds must be from 1 to 100000, is \(seeds)")
    try settings.validate()
    try require(
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

  /// The plan of a comparison that the store keeps as run `id`.
  /// - Throws: `InvalidInput` if that is something else, a part does not exist any more, or another version of
  ///   Callosum began it.
  public init(
    of id: Int64, in store: RunStore, task: (_ id: String) throws -> any ImageClassification,
    catalogue: Catalogue
  ) throws {
    let comparison = try Comparison(run: id, in: store)
    let version = comparison.machine.callosumVersion
    try require(
      version == Version.current,
      "run \(id) was begun by Callosum \(version), this is \(Version.current); start anew rather than mix both"
    )
    guard case .object(let configuration) = comparison.configuration else {
      throw InvalidInput("run \(id) has no configuration")
    }
    var settings = Settings()
    settings.network = try .decoded(from: configuration["network"], for: "network")
    settings.training = try .decoded(from: configuration["training"], for: "training")
    var ofParts: [String: JSONValue] = [:]
    if case .object(let table)? = configuration["parts"] { ofParts = table }
    try self.init(
      task: try task(comparison.task.id),
      parts: try comparison.arms.map { try catalogue.part($0.partID) }, settings: settings,
      partSettings: ofParts, seeds: comparison.budget.seeds.count)
  }

  /// Runs of each part.
  public var seedCount: Int { seeds.count }

  /// Images that will be trained on, for progress.
  public var totalImages: Int {
    parts.count * seeds.count * settings.training.steps * settings.training.batchSize
  }

  private func network(_ part: Part, seed: UInt64) throws -> PatchClassifier {
    var random = RandomGenerator(seed: seed).stream("weights")
    return try PatchClassifier(
      settings.network, imageShape: task.imageShape, classes: task.classCount, using: &random
    ) { slot, random in
      try part.tokenMixer(partSettings[part.card.id], in: slot, using: &random)
    }
  }

  /// What is learned, with images held out for a look on the way where the task has none for that.
  private var heldOut: any LearningTask {
    HoldingOut.from(task, limit: settings.training.evaluationExamples)
  }

  /// The comparison before anything is trained.
  private func comparison(command: String) throws -> Comparison {
    let image = Tensor.zeros([1] + task.imageShape)
    let arms = try parts.map { part in
      let model = try network(part, seed: 1)
      return Comparison.Arm(
        partID: part.card.id, name: part.card.name, parameters: model.parameterCount,
        multiplyAccumulatesPerImage: countingMultiplyAccumulates { _ = model(image) }, runs: [])
    }
    return Comparison(
      task: Comparison.TaskSummary(
        id: task.id, name: task.name, trainingImages: heldOut.count(.training) ?? 0,
        validationImages: heldOut.count(.validation) ?? 0, testImages: task.testCount,
        classes: task.classCount),
      budget: Comparison.Budget(
        steps: settings.training.steps, batchSize: settings.training.batchSize, seeds: seeds),
      arms: arms, configuration: try configuration(), machine: .thisOne, command: command)
  }

  /// Trains every part from every seed, keeps what is found in `store`, and yields what is kept there, which
  /// after Ctrl-C is what was reached. Seeds run in the outer loop, so that an interrupted comparison still
  /// compares.
  /// - Parameters:
  ///   - command: what the result says repeats it.
  ///   - resuming: the id of an interrupted comparison of this plan, to go on with.
  ///   - started: called before each run.
  ///   - progress: called after every batch with its number of images.
  public func run(
    in store: RunStore, command: String, resuming: Int64? = nil,
    started: (_ part: String, _ seed: UInt64) -> Void = { _, _ in },
    progress: (_ images: Int) -> Void = { _ in }, isCancelled: () -> Bool = { false }
  ) throws -> (id: Int64, comparison: Comparison) {
    let trainer = try Trainer(settings: settings.training, task: heldOut)
    let whole =
      try resuming.map { try store.resume($0) }
      ?? StoredComparison.begin(try comparison(command: command), in: store)
    let earlier = try store.runs(RunFilter(.partOf(whole.id)))
    do {
      runs: for seed in seeds {
        for part in parts {
          if isCancelled() { break runs }
          let before = earlier.first { $0.arm == part.card.id && $0.seed == seed }
          if before?.status == .complete {
            progress(settings.training.steps * settings.training.batchSize)
            continue
          }
          started(part.card.name, seed)
          let writer =
            try before.map { try store.resume($0.id) } ?? whole.begin(arm: part.card.id, seed: seed)
          let learner = GradientLearner(try network(part, seed: seed), settings.training)
          _ = try trainer.train(
            learner, seed: seed, keptAs: writer, progress: progress, isCancelled: isCancelled)
        }
      }
    } catch {
      try? whole.end(.failed, message: "\(error)")
      throw error
    }
    let complete = try store.runs(RunFilter(.partOf(whole.id), status: .complete)).count
    try whole.end(complete == parts.count * seeds.count ? .complete : .interrupted)
    return (whole.id, try Comparison(run: whole.id, in: store))
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
