import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTensors

/// A comparison of arms on a task, checked before anything is trained.
public struct ComparisonPlan: Sendable {
  public struct Settings: Configuration {
    /// Settings of skeletons, by id.
    public var skeletons: [String: JSONValue] = [:]
    public var training = TrainingSettings()
    public var match = Matching.Rule.parameters
    /// What is chosen for each arm on validation data.
    public var tune: [Tuning.Setting] = []
    /// Seeds, from 100 on, that each trial of it is run from.
    public var tuningSeeds = 1
    public init() {}

    public func validate() throws {
      try training.validate()
      try require((1...1000).contains(tuningSeeds), "tuningSeeds must be from 1 to 1000, is \(tuningSeeds)")
      try require(Set(tune).count == tune.count, "a setting is to be tuned twice")
    }
  }

  private let task: any LearningTask
  private let catalogue: Catalogue
  private let settings: Settings
  private let seeds: [UInt64]
  private var arms: [Arm]
  private var matching = Matching(.none)

  /// An arm in its skeleton.
  private struct Arm: Sendable {
    let choice: ArmChoice
    /// Nil for a brain.
    let skeleton: Skeleton?
    var size: Int?
    var training: TrainingSettings
  }

  /// A comparison over seeds 1 to `seeds`.
  /// - Throws: `InvalidInput` if an arm does not fit the task.
  public init(
    task: any LearningTask, arms: [ArmChoice], settings: Settings = Settings(), seeds: Int = 3,
    catalogue: Catalogue
  ) throws {
    try self.init(task: task, arms: arms, sizes: nil, settings: settings, seeds: seeds, catalogue: catalogue)
  }

  /// - Parameter sizes: those that an earlier process found, by arm.
  private init(
    task whole: any LearningTask, arms choices: [ArmChoice], sizes: [String: Int]?, settings: Settings,
    seeds: Int, catalogue: Catalogue
  ) throws {
    try require(!choices.isEmpty, "name at least one part to compare")
    // Seeds from 100 on are for tuning; nobody is tuned by the seeds that compare.
    let most = settings.tune.isEmpty ? 100_000 : 99
    try require((1...most).contains(seeds), "seeds must be from 1 to \(most), is \(seeds)")
    try settings.validate()
    for id in settings.skeletons.keys where !catalogue.skeletons.contains(where: { $0.id == id }) {
      throw unknownName("skeleton", id, in: catalogue.skeletons.map(\.id))
    }
    for (place, choice) in choices.enumerated()
    where choices[..<place].contains(where: { $0.id == choice.id }) {
      throw InvalidInput("two arms are the same, '\(choice.id)'")
    }
    // With images or the like held out for a look on the way where the task has none for that.
    let task = HoldingOut.from(whole, limit: settings.training.evaluationExamples)
    _ = try Trainer(settings: settings.training, task: task)
    try require(
      settings.tune.isEmpty || task.count(.validation) != 0,
      "\(task.name) has no validation examples to tune by; leave out --tune")
    self.task = task
    self.catalogue = catalogue
    self.settings = settings
    self.seeds = (1...UInt64(seeds)).map { $0 }
    arms = try choices.map { choice in
      let skeleton: Skeleton? =
        if case .part(let part, _) = choice.subject { try catalogue.skeleton(for: part, on: task) } else {
          nil
        }
      return Arm(choice: choice, skeleton: skeleton, size: sizes?[choice.id], training: settings.training)
    }
    var standard: [Double] = []
    for arm in arms {
      standard.append(try settings.match.measure(learner(arm, seed: 1), task, settings.training))
    }
    guard settings.match != .none, let target = standard.max() else { return }
    var found: [String: Double] = [:], changed: [String: String] = [:]
    for (place, arm) in arms.enumerated() {
      found[arm.choice.id] = standard[place]
      guard let skeleton = arm.skeleton, let name = skeleton.sizeName,
        let size = try skeleton.standardSize(settings.skeletons[skeleton.id])
      else { continue }
      if sizes == nil {
        arms[place].size = try Matching.Rule.size(from: size, reaching: target) { size in
          var other = arm
          other.size = size
          return try settings.match.measure(learner(other, seed: 1), task, settings.training)
        }
      }
      changed[arm.choice.id] = name
      found[arm.choice.id] = try settings.match.measure(
        learner(arms[place], seed: 1), task, settings.training)
    }
    matching = Matching(settings.match, target: target, found: found, changed: changed)
  }

  /// The plan of a comparison that the store keeps as run `id`.
  /// - Throws: `InvalidInput` if that is something else, a part does not exist any more, or another version of
  ///   Callosum began it.
  public init(
    of id: Int64, in store: RunStore, catalogue: Catalogue,
    task: ((_ id: String) throws -> any LearningTask)? = nil
  ) throws {
    let comparison = try Comparison(run: id, in: store)
    let version = comparison.machine.callosumVersion
    try require(
      version == Version.current,
      "run \(id) was begun by Callosum \(version), this is \(Version.current); start anew rather than mix both"
    )
    guard case .object(let table) = comparison.configuration, case .array(let arms)? = table["arms"] else {
      throw InvalidInput("run \(id) has no configuration")
    }
    try self.init(
      task: try task?(comparison.task.id) ?? catalogue.task(comparison.task.id),
      arms: try arms.map { try ArmChoice($0, from: catalogue) },
      sizes: Dictionary(
        comparison.arms.compactMap { arm in arm.size.map { (arm.id, $0) } }, uniquingKeysWith: { $1 }),
      settings: try .decoded(from: table["settings"], for: "the comparison"),
      seeds: comparison.budget.seeds.count, catalogue: catalogue)
  }

  /// Examples that will be trained on, for progress.
  public var totalExamples: Int {
    let trials =
      settings.tune.isEmpty
      ? 0 : tunable.count * Tuning.grid(settings.tune, around: settings.training).count * settings.tuningSeeds
    return (arms.count * seeds.count + trials) * settings.training.steps * settings.training.batchSize
  }

  /// Arms whose training the settings decide; a brain brings optimisers of its own.
  private var tunable: [Arm] { arms.filter { $0.skeleton != nil } }

  private func learner(_ arm: Arm, seed: UInt64) throws -> any Learner {
    var random = RandomGenerator(seed: seed).stream("weights")
    switch arm.choice.subject {
    case .part(let part, let partSettings):
      guard let skeleton = arm.skeleton else { throw InvalidInput("\(arm.choice.id) has no skeleton") }
      return try skeleton.learner(
        part, partSettings, around: settings.skeletons[skeleton.id],
        in: Skeleton.Place(task: task, training: arm.training, size: arm.size), using: &random)
    case .brain(let plan):
      let brain: Brain
      do { brain = try Brain(plan, for: task, parts: catalogue, using: &random) } catch let error
        as BrainError
      {
        throw InvalidInput("\(arm.choice.id): \(error)")
      }
      let learner = try BrainLearner(brain)
      learner.clipNorm = arm.training.clipNorm
      return learner
    }
  }

  /// The comparison before anything is trained.
  private func comparison(command: String) throws -> Comparison {
    let example = task.batch(.training, [0]).inputs
    let arms = try self.arms.map { arm in
      let learner = try learner(arm, seed: 1)
      let partID: String? = if case .part(let part, _) = arm.choice.subject { part.card.id } else { nil }
      return Comparison.Arm(
        id: arm.choice.id, name: arm.choice.name, partID: partID, skeleton: arm.skeleton?.id ?? "brain",
        size: arm.size, parameters: learner.module.parameterCount,
        multiplyAccumulates: try countingMultiplyAccumulates { _ = try learner.predict(example) })
    }
    return Comparison(
      task: Comparison.TaskSummary(
        id: task.id, name: task.name, metric: task.objective.metric, trainingExamples: task.count(.training),
        validationExamples: task.count(.validation), testExamples: task.count(.test)),
      budget: Comparison.Budget(
        steps: settings.training.steps, batchSize: settings.training.batchSize, seeds: seeds),
      matching: matching, arms: arms, configuration: try configuration(), machine: .thisOne, command: command)
  }

  /// What a run tells while it goes on.
  public struct Observer {
    let started: (_ arm: String, _ seed: UInt64) -> Void
    let progress: (_ examples: Int) -> Void
    let answering: (_ split: Split, _ done: Int, _ count: Int) -> Void
    let isCancelled: () -> Bool

    /// - Parameters:
    ///   - started: called before each run.
    ///   - progress: called after every batch with its number of examples.
    ///   - answering: called after every batch that is only answered, with how many examples of how many were.
    ///   - isCancelled: asked between batches.
    public init(
      started: @escaping (_ arm: String, _ seed: UInt64) -> Void = { _, _ in },
      progress: @escaping (_ examples: Int) -> Void = { _ in },
      answering: @escaping (_ split: Split, _ done: Int, _ count: Int) -> Void = { _, _, _ in },
      isCancelled: @escaping () -> Bool = { false }
    ) {
      self.started = started
      self.progress = progress
      self.answering = answering
      self.isCancelled = isCancelled
    }
  }

  /// Trains every arm from every seed, keeps what is found in `store`, and yields what is kept there, which
  /// after Ctrl-C is what was reached. Seeds run in the outer loop, so that an interrupted comparison still
  /// compares.
  /// - Parameters:
  ///   - command: what the result says repeats it.
  ///   - resuming: the id of an interrupted comparison of this plan, to go on with.
  public func run(
    in store: RunStore, command: String, resuming: Int64? = nil, observer: Observer = Observer()
  ) throws -> (id: Int64, comparison: Comparison) {
    var stored = try resuming.map { try Comparison(run: $0, in: store) } ?? comparison(command: command)
    let whole = try resuming.map { try store.resume($0) } ?? StoredComparison.begin(stored, in: store)
    let earlier = try store.runs(RunFilter(.partOf(whole.id)))
    do {
      let arms = try tuned(&stored, in: whole, earlier, observer)
      runs: for seed in seeds {
        for arm in arms {
          if observer.isCancelled() { break runs }
          _ = try train(
            arm, seed, called: arm.choice.id, name: arm.choice.name, .test, in: whole, earlier, observer)
        }
      }
    } catch {
      try? whole.end(.failed, message: "\(error)")
      throw error
    }
    var result = try Comparison(run: whole.id, in: store)
    let ended = result.arms.flatMap(\.runs).count { [.complete, .diverged].contains($0.status) }
    result.wasInterrupted = ended < arms.count * seeds.count
    try whole.end(result.wasInterrupted ? .interrupted : .complete)
    return (whole.id, result)
  }

  /// One training, kept as a part of the comparison; what an earlier process ended is not done again. The score
  /// on the split that judges, if it came to its end.
  private func train(
    _ arm: Arm, _ seed: UInt64, called id: String, name: String, _ split: Split, in whole: RunWriter,
    _ earlier: [RunRecord], _ observer: Observer
  ) throws -> Double? {
    let trainer = try Trainer(settings: arm.training, task: task)
    let before = earlier.first { $0.arm == id && $0.seed == seed }
    if let before, before.status == .complete || before.status == .diverged {
      observer.progress(arm.training.steps * arm.training.batchSize)
      return try whole.store.results(of: before.id)[trainer.resultName(split)]
    }
    observer.started(name, seed)
    let writer = try before.map { try whole.store.resume($0.id) } ?? whole.begin(arm: id, seed: seed)
    return try trainer.train(
      learner(arm, seed: seed), seed: seed, judgedOn: split, keptAs: writer, progress: observer.progress,
      answering: observer.answering, isCancelled: observer.isCancelled
    ).score
  }

  /// The arms with what does best for each, by trials that are kept as parts of the comparison.
  private func tuned(
    _ stored: inout Comparison, in whole: RunWriter, _ earlier: [RunRecord], _ observer: Observer
  ) throws -> [Arm] {
    guard !settings.tune.isEmpty else { return arms }
    let seeds = (0..<UInt64(settings.tuningSeeds)).map { 100 + $0 }
    var tuning = Tuning(settings: settings.tune, seeds: seeds, trials: [])
    for arm in tunable {
      for values in Tuning.grid(settings.tune, around: settings.training) {
        var changed = arm
        for (setting, value) in values { changed.training[keyPath: setting.keyPath] = value }
        let words = settings.tune.map { "\($0.rawValue) \(Format.significant(values[$0] ?? 0))" }
        let label = words.joined(separator: ", ")
        var scores: [Double] = []
        for seed in seeds where !observer.isCancelled() {
          let score = try train(
            changed, seed, called: "\(arm.choice.id) @ \(label)", name: "\(arm.choice.name), \(label)",
            .validation, in: whole, earlier, observer)
          if let score, score.isFinite { scores.append(score) }
        }
        tuning.trials.append(Tuning.Trial(arm: arm.choice.id, values: values, scores: scores))
      }
    }
    guard !observer.isCancelled() else { return arms }
    stored.tuning = tuning
    let arms = self.arms.enumerated().map { place, arm in
      var arm = arm
      let best = tuning.best(for: arm.choice.id, task.objective.metric) ?? [:]
      for (setting, value) in best {
        arm.training[keyPath: setting.keyPath] = value
        stored.arms[place].tuned[setting.rawValue] = value
      }
      return arm
    }
    try StoredComparison.update(stored, in: whole)
    return arms
  }

  /// What runs, defaults spelled out.
  private func configuration() throws -> JSONValue {
    var around: [String: JSONValue] = [:]
    for skeleton in arms.compactMap(\.skeleton) {
      around[skeleton.id] = skeleton.defaults.overlaid(with: settings.skeletons[skeleton.id])
    }
    var ofParts: [String: JSONValue] = [:]
    for arm in arms {
      guard case .part(let part, let given) = arm.choice.subject else { continue }
      ofParts[arm.choice.id] = part.defaults.overlaid(with: given)
    }
    return .object([
      "settings": try JSONValue(encoding: settings), "skeletons": .object(around), "parts": .object(ofParts),
      "arms": .array(try arms.map { try $0.choice.json() }),
    ])
  }
}

extension JSONValue {
  /// This object with the values of another in place of its own.
  fileprivate func overlaid(with other: JSONValue?) -> JSONValue {
    guard case .object(let known) = self, case .object(let given)? = other else { return self }
    return .object(known.merging(given) { $0.overlaid(orReplacedBy: $1) })
  }

  private func overlaid(orReplacedBy other: JSONValue) -> JSONValue {
    if case .object = self, case .object = other { return overlaid(with: other) }
    return other
  }
}
