import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLearning
import CallosumMemory
import CallosumMixers
import CallosumModularity
import CallosumNetworks
import CallosumNeurons
import CallosumTasks
import CallosumTensors

extension Catalogue {
  /// What the brains of these tests are made of.
  static let all = Catalogue(mixers, neurons, learning, memory, modularity)
}

/// A made-up task: numbers in, one of `classes` answers out, which follows from the input by a fixed
/// rule.
struct Numbers: LearningTask {
  let id = "numbers", name = "Numbers"
  /// [n], [length, n] or [height, width, channels].
  var shape = [5]
  var positions: [Int] = []
  var width = 3

  var input: TaskInput { .values(shape) }
  var objective: Objective { .values(width) }
  func count(_ split: Split) -> Int? { split == .training ? 50 : split == .test ? 20 : 0 }

  func batch(_ split: Split, _ indices: [Int]) -> Batch {
    var xs: [Tensor] = [], ys: [Tensor] = []
    for index in indices {
      var random = RandomGenerator(seed: UInt64(index)).stream(split.rawValue)
      let x = random.normal(shape)
      let size = positions.reduce(width, *)
      xs.append(x)
      ys.append(tanh(x.flattened().sliced(axis: 0, to: size)).reshaped(positions + [width]))
    }
    return Batch(inputs: stacked(xs), targets: stacked(ys))
  }
}

/// Whole numbers in: what was shown `lag` tokens ago must be shown again, at every token that has such.
struct Echo: LearningTask {
  let id = "echo", name = "Echo"
  let input = TaskInput.tokens(vocabulary: 4, length: 6)
  let positions = [6]
  let objective = Objective.classes(4)
  /// Tokens of a batch, up to 6.
  var length = 6
  var lag = 0
  func count(_ split: Split) -> Int? { nil }

  func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let rows = stacked(
      indices.map { index in
        var random = RandomGenerator(seed: UInt64(index)).stream(split.rawValue)
        return random.integers([length], low: 0, high: 4)
      })
    let counts = (Tensor.arange(length) .>= Double(lag)).broadcast(to: rows.shape)
    return Batch(inputs: rows, targets: rows.rolled(lag, axis: 1), mask: counts)
  }
}

extension Brain {
  /// A brain for a task, from a seed.
  convenience init(_ plan: BrainPlan, _ task: any LearningTask, seed: UInt64 = 1) throws {
    var random = RandomGenerator(seed: seed)
    try self.init(plan, for: task, parts: .all, using: &random)
  }

  /// A parameter by name.
  func weight(_ name: String) -> Tensor { weights()[name] ?? .zeros([0]) }
}

/// What is wrong with a plan for a task.
func problem(_ plan: BrainPlan, _ task: any LearningTask) -> String? {
  do {
    _ = try Brain(plan, task)
    return nil
  } catch { return "\(error)" }
}

/// A brain of everything: gate, router, callosum, memory, token mixer, loop, delay, on images of 4 x 6.
let everything = BrainPlan("Everything", steps: 3, output: "motor") {
  Region("eye", part: Choice("input", ["patchRows": 2, "patchColumns": 3]))
  Region("left", part: Choice("units", ["activation": "tanh"]), width: 5)
  Region("right", part: "depthwise-convolution", width: 5, norm: true, residual: true)
  Region("store", part: Choice("associative-memory", ["size": 3]), width: 4)
  Region("focus", part: Choice("mlp", ["hidden": 7]), tokens: 1)
  Region("motor", part: Choice("linear", ["activation": "sigmoid"]))
  Tract("eye", to: "left", "right", through: Choice("router", ["k": 1]))
  Tract("left", to: "right", through: "corpus-callosum")
  Tract("right", to: "left", through: "corpus-callosum")
  Tract("right", to: "store", through: Choice("gate", ["openness": 1]), weights: .orthogonal, gain: 2)
  Tract("store", to: "focus", weights: .xavierNormal)
  Tract("focus", to: "left", weights: .kaimingUniform)
  Tract("focus", to: "motor", through: "direct")
  Tract("eye", to: "motor", delay: 2, learnable: false, weights: .kaimingNormal)
}

/// A brain after training with its own optimisers, a checkpoint left at the end if it is stopped.
func trained(
  _ plan: BrainPlan, on task: any LearningTask, seed: UInt64 = 1, steps: Int, batch: Int = 64,
  schedule: Schedule = .cosine(warmup: 20, final: 0.02), checkpoint: String? = nil,
  stopAfter: Int? = nil
) throws -> (brain: Brain, outcome: Trainer.Outcome) {
  var settings = TrainingSettings()
  (settings.steps, settings.batchSize, settings.schedule) = (steps, batch, schedule)
  settings.testExamples = 400
  var weights = RandomGenerator(seed: seed).stream("weights")
  let brain = try Brain(plan, for: task, parts: .all, using: &weights)
  let learner = try BrainLearner(brain)
  learner.clipNorm = settings.clipNorm
  var examples = 0
  let outcome = try Trainer(settings: settings, task: task).train(
    learner, seed: seed, checkpoints: checkpoint.map { CheckpointPlace(path: $0) },
    onEvent: { if case .examples(let count) = $0 { examples += count } },
    isCancelled: { stopAfter.map { examples >= $0 * batch } ?? false })
  return (brain, outcome)
}
