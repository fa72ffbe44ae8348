import CallosumAnalysis
import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Trains one network on one task. What is looked at on the way is the validation split; the test split is used
/// once, at the end.
public struct Trainer {
  private let settings: TrainingSettings
  private let task: any LearningTask

  /// What a training tells while it goes on.
  public enum Event {
    /// So many more examples were learned from.
    case examples(Int)
    /// So many of a split's examples were answered, of all that are asked.
    case answered(Split, Int, of: Int)
    /// Metrics `loss`, the mean over the batches since the point before, and `validation ` and the name of
    /// the objective's metric, if the task has examples for it.
    case points([RunPoint])
  }

  /// What a training came to.
  public struct Outcome: Equatable {
    public enum End: Equatable { case complete, stopped, diverged }
    public let end: End
    /// On the examples that judge, by the names of the objective's metrics; empty unless the training is complete.
    public let scores: [String: Double]
    /// In the metric that judges; nil unless the training is complete.
    public let score: Double?
    public let steps: Int
    /// Of training, evaluation left out.
    public let seconds: Double
    public let examplesPerSecond: Double
    public let points: [RunPoint]
  }

  /// - Throws: `InvalidInput` for settings that do not suit the task.
  public init(settings: TrainingSettings, task: any LearningTask) throws {
    try settings.validate()
    try require(task.count(.training) != 0, "\(task.name) has no examples to learn from")
    try require(task.count(.test) != 0, "\(task.name) has no test examples")
    try require(
      !settings.mirror || task.input.shape.count == 3, "mirror suits images only, not \(task.name)")
    self.settings = settings
    self.task = task
  }

  /// The name of the metric that judges.
  public var metric: String { task.objective.metric.name }

  /// The name under which a score on a split is kept.
  package func resultName(_ split: Split) -> String {
    split == .test ? metric : "\(split.rawValue) \(metric)"
  }

  /// One run. The seed decides the order of the examples, dropout and mirroring. It is judged on the test
  /// split, or on the validation split where settings are being chosen. With a place for
  /// checkpoints, goes on from the one that is there. Stops early, without a score but with a checkpoint,
  /// when `isCancelled` says so, which is asked between steps and between batches of what is only answered.
  public func train(
    _ learner: any Learner, seed: UInt64, judgedOn split: Split = .test, checkpoints: CheckpointPlace? = nil,
    onEvent: (Event) throws -> Void = { _ in }, isCancelled: () -> Bool = { false }
  ) throws -> Outcome {
    let random = RandomGenerator(seed: seed)
    var order = BatchOrder(count: task.count(.training), generator: random.stream("order"))
    var at = Checkpoint.Progress(
      order: order.place, dropout: random.stream("dropout"), mirrors: random.stream("mirrors"))
    let identity = try identity(seed)
    if let checkpoints, let stored = try Checkpoint.read(from: checkpoints.path) {
      try require(
        stored.identity == identity,
        "\(checkpoints.path) is a checkpoint of another training; move it away or name another place")
      do {
        try require(
          (0...settings.steps).contains(stored.progress.step)
            && order.restore(
              stored.progress.order, after: stored.progress.step * settings.batchSize,
              remaining: stored.order),
          "its order of examples is not one of this training")
        try learner.module.load(weights: stored.weights)
        try learner.restore(stored.learner)
      } catch { throw Checkpoint.refusal(checkpoints.path, "\(error)") }
      at = stored.progress
      try onEvent(.examples(at.step * settings.batchSize))
      try onEvent(.points(at.points))
    }
    func save() throws {
      at.order = order.place
      guard let checkpoints else { return }
      try Checkpoint(
        identity: identity, weights: learner.module.weights(), learner: learner.state,
        order: order.remaining, progress: at
      ).write(to: checkpoints.path)
    }

    let clock = ContinuousClock()
    var saved = clock.now
    let every = max(settings.steps / max(settings.evaluations, 1), 1)
    func answers(of split: Split) throws -> [String: Double] {
      try self.scores(learner, split, isCancelled: isCancelled) { done, count in
        try onEvent(.answered(split, done, of: count))
      }
    }
    /// Measures what is due after the last step, unless it was: a run that was stopped meanwhile begins with it.
    func measureIfDue() throws {
      guard let loss = at.losses.last else { return }
      guard at.step % every == 0 || at.step == settings.steps || !loss.isFinite else { return }
      var points = [
        RunPoint(step: at.step, seconds: at.seconds, metric: "loss", value: Statistics.mean(at.losses))
      ]
      if settings.evaluations > 0, task.count(.validation) != 0, loss.isFinite {
        let value = try answers(of: .validation)[metric] ?? .nan
        points.append(
          RunPoint(step: at.step, seconds: at.seconds, metric: "validation \(metric)", value: value))
      }
      at.losses = []
      at.points += points
      try onEvent(.points(points))
    }
    func learn() throws -> TrainingLoop.End {
      try TrainingLoop(steps: settings.steps, schedule: settings.schedule).run(
        from: at.step, isCancelled: isCancelled,
        step: { _, rateFactor in
          let start = clock.now
          var batch = task.batch(.training, order.next(settings.batchSize))
          if settings.mirror { batch = mirrored(batch, using: &at.mirrors) }
          learner.rateFactor = rateFactor
          let loss = try learner.learn(batch, task.objective, using: &at.dropout)
          at.seconds += (clock.now - start) / .seconds(1)
          return loss
        },
        done: { step, loss in
          at.losses.append(loss)
          at.step = step + 1
          try onEvent(.examples(settings.batchSize))
          try measureIfDue()
          if let checkpoints, clock.now - saved >= .seconds(checkpoints.seconds) {
            try save()
            saved = clock.now
          }
        })
    }
    var end = TrainingLoop.End.stopped
    var scores: [String: Double] = [:]
    do {
      try measureIfDue()
      end = try learn()
      if end == .complete { scores = try answers(of: split) }
    } catch is CancellationError {
      end = .stopped
    }
    if end == .stopped { try save() }
    return Outcome(
      end: end == .complete ? .complete : end == .stopped ? .stopped : .diverged, scores: scores,
      score: scores[metric], steps: at.step, seconds: at.seconds,
      examplesPerSecond: at.seconds > 0 ? Double(at.step * settings.batchSize) / at.seconds : 0,
      points: at.points)
  }

  /// Task, settings and seed in a line.
  private func identity(_ seed: UInt64) throws -> String {
    "\(task.id), seed \(seed), \(try ResultCoding.text(settings))"
  }

  /// Images [batch, height, width, channels], each mirrored left to right with probability 1/2.
  private func mirrored(_ batch: Batch, using generator: inout RandomGenerator) -> Batch {
    let images = batch.inputs
    let isMirrored = generator.bernoulli([images.dim(0), 1, 1, 1], probability: 0.5)
    return Batch(
      inputs: which(isMirrored, images.flipped(axes: [2]), images), targets: batch.targets,
      mask: batch.mask)
  }

  /// The mean score on a split in the metric that judges; see ``scores(_:_:)``.
  public func score(_ learner: any Learner, _ split: Split) throws -> Double {
    try scores(learner, split)[metric] ?? .nan
  }

  /// The mean scores on a split, by metric: on all test examples, or on as many as the settings say where there
  /// is no end to them or it is the validation split.
  /// - Parameter onProgress: hears after every batch how many examples were answered, and of how many.
  /// - Throws: `CancellationError` if `isCancelled` says so between batches.
  public func scores(
    _ learner: any Learner, _ split: Split, isCancelled: () -> Bool = { false },
    onProgress: (_ done: Int, _ count: Int) throws -> Void = { _, _ in }
  ) throws -> [String: Double] {
    let wanted = split == .test ? settings.testExamples : settings.evaluationExamples
    let count = task.count(split).map { split == .test ? $0 : min($0, wanted) } ?? wanted
    let measures = task.objective.measures
    var sums = measures.map { _ in Objective.Score() }
    let size = min(500, 4 * settings.batchSize)
    for start in stride(from: 0, to: count, by: size) {
      if isCancelled() { throw CancellationError() }
      let end = min(start + size, count)
      let batch = task.batch(split, Array(start..<end))
      for (place, score) in task.objective.scores(try learner.predict(batch.inputs), batch).enumerated() {
        sums[place] += score
      }
      try onProgress(end, count)
    }
    return Dictionary(zip(measures.map(\.metric.name), sums.map(\.mean))) { first, _ in first }
  }
}
