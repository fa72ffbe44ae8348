import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// The training of one brain on one task, which can be stored and taken up again: the same seed gives
/// the same bits, whether in one run or in several.
public final class BrainTraining {
  public struct Settings: Configuration {
    public var steps = 600
    public var batchSize = 64
    /// Of all learning rates.
    public var schedule = Schedule.cosine(warmup: 20, final: 0.02)
    /// Largest joint norm of the gradients; 0 leaves them as they are.
    public var clipNorm = 1.0
    public init() {}

    public func validate() throws {
      for (name, value, most) in [("steps", steps, 100_000_000), ("batchSize", batchSize, 100_000)] {
        try expect((1...most).contains(value), "\(name) must be from 1 to \(most), is \(value)")
      }
      try expect(clipNorm >= 0 && clipNorm.isFinite, "clipNorm must be at least 0, is \(clipNorm)")
    }
  }

  public let brain: Brain
  public let settings: Settings
  public let seed: UInt64
  /// The loss of each step done so far, before its update.
  public private(set) var losses: [Double] = []
  private let task: any LearningTask
  private let learner: BrainLearner
  private let random: RandomGenerator
  /// The order of examples in the pass under way.
  private var order: (pass: Int, places: [Int32]) = (-1, [])

  /// - Throws: ``BrainError`` for the plan, ``Mistake`` for the settings.
  public init(
    _ plan: BrainPlan, on task: any LearningTask, parts: Catalogue, settings: Settings, seed: UInt64
  ) throws {
    try settings.validate()
    if let count = task.count(.training), count == 0 {
      throw Mistake("\(task.id) has no examples to learn from")
    }
    random = RandomGenerator(seed: seed)
    var weights = random.stream("weights")
    brain = try Brain(plan, for: task, parts: parts, using: &weights)
    learner = try BrainLearner(brain)
    learner.clipNorm = settings.clipNorm
    self.task = task
    self.settings = settings
    self.seed = seed
  }

  public var step: Int { losses.count }
  public var isDone: Bool { step >= settings.steps }

  /// The next step on the next batch; the loss before it.
  @discardableResult public func advance() throws -> Double {
    let step = step
    learner.rateFactor = settings.schedule.factor(step: step, of: settings.steps)
    var dropout = random.stream("step \(step)")
    let start = step * settings.batchSize
    let batch = task.batch(.training, (start..<start + settings.batchSize).map(example))
    let loss = try learner.learn(batch, task.objective, using: &dropout)
    losses.append(loss)
    return loss
  }

  /// The example that comes at this place: all of them in random order, then all again in another.
  private func example(_ place: Int) -> Int {
    guard let count = task.count(.training) else { return place }
    let pass = place / count
    if order.pass != pass {
      var generator = random.stream("order \(pass)")
      order = (pass, generator.permutation(count).array())
    }
    return Int(order.places[place % count])
  }

  /// How well the brain does on examples that it never learns from; nil where the split is empty.
  /// - Parameter limit: Most examples to look at.
  public func score(_ split: Split = .judged, limit: Int = 2000) -> Objective.Score? {
    let count = min(task.count(split) ?? limit, limit)
    guard count > 0 else { return nil }
    var score = Objective.Score()
    for start in stride(from: 0, to: count, by: 200) {
      let batch = task.batch(split, Array(start..<min(start + 200, count)))
      score += task.objective.score(brain(batch.inputs), batch)
    }
    return score
  }

  // MARK: Files

  /// Stores weights, what optimisers remember, and the losses; all or nothing.
  public func save(to path: String) throws {
    var tensors = ["losses": Tensor(losses)]
    for (name, tensor) in brain.weights() { tensors["weights.\(name)"] = tensor }
    for (name, tensor) in learner.state { tensors["optimiser.\(name)"] = tensor }
    try Safetensors.save(tensors, metadata: try identity(), to: path)
  }

  /// Goes on where a stored training ended.
  /// - Throws: an error of one line if the file is damaged or is of another plan, seed or budget.
  public func resume(from path: String) throws {
    let (tensors, metadata) = try Safetensors.load(path)
    for (word, mine) in try identity().sorted(by: { $0.key < $1.key }) where metadata[word] != mine {
      throw Mistake("\(path) is of another training: its \(word) differs")
    }
    func under(_ prefix: String) -> [String: Tensor] {
      let found = tensors.filter { $0.key.hasPrefix(prefix) }
      return Dictionary(
        uniqueKeysWithValues: found.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
    guard let losses = tensors["losses"] else { throw Mistake("\(path) holds no losses") }
    try brain.load(weights: under("weights."))
    try learner.restore(under("optimiser."))
    self.losses = losses.doubles
  }

  private func identity() throws -> [String: String] {
    let settings = try JSONValue(encoding: settings)
    let plan = try JSONValue(encoding: brain.plan)
    return ["plan": try plan.text(), "settings": try settings.text(), "seed": "\(seed)", "task": task.id]
  }
}
