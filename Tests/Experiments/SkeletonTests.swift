import CallosumContracts
import CallosumExperiments
import CallosumMixers
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Testing

/// What skeletons make of parts on tasks of each kind.
@Suite struct SkeletonTests {
  private static let catalogue = Catalogue(
    Catalogue.mixers, tasks: Catalogue.tasks, skeletons: [.backbone, .whole])
  private static let around: JSONValue = ["width": 8, "depth": 1]

  private func learner(_ part: String, _ settings: JSONValue? = nil, on task: String, size: Int? = nil) throws
    -> (learner: any Learner, task: any LearningTask)
  {
    let task = try Self.catalogue.task(task, seed: 1), part = try Self.catalogue.part(part)
    let skeleton = try Self.catalogue.skeleton(for: part, on: task)
    var random = RandomGenerator(seed: 1)
    return (
      try skeleton.learner(
        part, settings, around: Self.around,
        in: Skeleton.Place(task: task, training: TrainingSettings(), size: size), using: &random), task
    )
  }

  /// Tokens, bags, series, grids with an answer per place, and answers of another number than tokens.
  @Test(arguments: [
    "associative-recall", "copy", "cumulative-parity", "needle", "modular-arithmetic", "n-parity",
    "bit-pattern-bags", "spike-adding", "darcy",
  ]) func learnsEveryKindOfTask(_ id: String) throws {
    let (learner, task) = try learner("softmax-attention", ["heads": 2], on: id)
    let batch = task.batch(.training, [0, 1, 2])
    var random = RandomGenerator(seed: 2)
    let losses = try (0..<12).map { _ in try learner.learn(batch, task.objective, using: &random) }
    #expect(losses.allSatisfy(\.isFinite) && losses[11] < losses[0], "\(losses)")
    let outputs = try learner.predict(batch.inputs)
    #expect(
      outputs.shape == batch.targets.shape + (task.objective.id == "classes" ? [task.objective.width] : []))
  }

  /// Where later tokens are answers, no token sees them, though attention could.
  @Test func nothingLooksAhead() throws {
    let (learner, task) = try learner("softmax-attention", ["heads": 2], on: "needle")
    let x = task.batch(.training, [0]).inputs
    let place = 40
    let other = which(Tensor((0..<x.dim(1)).map { $0 > place }), (x + 1) % 48, x)
    let (a, b) = (try learner.predict(x), try learner.predict(other))
    let same = (a .== b).all(axes: [2]).doubles
    #expect(same[...place].allSatisfy { $0 == 1 } && same[(place + 1)...].contains(0))
    let refusal = #expect(throws: InvalidInput.self) {
      try self.learner("softmax-attention", ["heads": 2, "causal": false], on: "needle")
    }
    #expect(refusal?.description.contains("lets a token see later ones") == true)
  }

  /// The instances of a bag have no order.
  @Test func setsHaveNoOrder() throws {
    let (learner, task) = try learner("softmax-attention", ["heads": 2], on: "bit-pattern-bags")
    let x = task.batch(.training, [0, 1]).inputs
    let turned = try learner.predict(x.flipped(axes: [1]).contiguous())
    let distance = abs(turned - (try learner.predict(x))).max().item()
    #expect(distance < 1e-5, "\(distance)")
  }

  /// An answer of a field is read from the patch that it lies in.
  @Test func fieldsAreReadPatchByPatch() throws {
    let (learner, task) = try learner("identity-mixer", on: "darcy")
    let x = task.batch(.training, [0]).inputs
    var values = x.floats
    values[5 * 32 + 9] += 1
    let change = abs(try learner.predict(Tensor(values, x.shape)) - learner.predict(x)).reshaped(32, 32)
    for (place, difference) in change.doubles.enumerated() {
      #expect((difference > 0) == (4..<8 ~= place / 32 && 8..<12 ~= place % 32), "\(place)")
    }
  }

  @Test func sizesAreHiddenUnits() throws {
    let counts = try [10, 11, 12].map { size in
      try learner("identity-mixer", on: "copy", size: size).learner.module.parameterCount
    }
    // A unit has a weight from and to each of 8 numbers, and a bias.
    #expect(counts[1] - counts[0] == 17 && counts[2] - counts[1] == 17)
    let backbone = Skeleton.backbone
    #expect(try backbone.standardSize() == 256 && backbone.standardSize(["width": 8, "mlpRatio": 3]) == 24)
    #expect(try Skeleton.whole.standardSize() == nil)
  }

  @Test func wholeNetworksAreTheirOwnSkeleton() throws {
    let task = try Self.catalogue.task("fashion-mnist"), part = try Self.catalogue.part("metaformer")
    #expect(try Self.catalogue.skeleton(for: part, on: task).id == "whole")
    let refusal = #expect(throws: InvalidInput.self) {
      try Self.catalogue.skeleton(for: part, on: Self.catalogue.task("copy"))
    }
    #expect(refusal?.description == "metaformer takes numbers, but Copy gives tokens of a vocabulary")
  }
}

/// Objectives and metrics from outside.
@Suite struct OwnObjectiveTests {
  /// Mean absolute error, which nobody here has, and how often it is below a half.
  private static let absolute = Objective(
    "absolute", width: 1, targets: .numbers,
    measures: [
      Measure(Metric("mean absolute error", higherIsBetter: false)) { outputs, batch in
        Objective.Score(
          sum: batch.masked(abs(outputs - batch.targets)).sum().item(), count: batch.countedNumbers)
      }
    ]
  ) { outputs, batch, _ in batch.mean(abs(outputs - batch.targets)) }
  .measured(
    by: Measure(Metric("close", unit: Metric.fraction)) { outputs, batch in
      let isClose = (abs(outputs - batch.targets) .< 0.5).asType(.float32)
      return Objective.Score(sum: batch.masked(isClose).sum().item(), count: batch.countedNumbers)
    })

  private struct Doubling: LearningTask {
    let id = "doubling", name = "Doubling", input = TaskInput.values([1]), positions: [Int] = []
    var objective: Objective { OwnObjectiveTests.absolute }
    func count(_ split: Split) -> Int? { split == .validation ? 0 : 64 }
    func batch(_ split: Split, _ indices: [Int]) -> Batch {
      let x = Tensor(indices.map { Float($0 % 8) / 8 }, [indices.count, 1])
      return Batch(inputs: x, targets: x * 2)
    }
  }

  @Test func areTrainedAndJudgedBy() throws {
    var settings = TrainingSettings(), random = RandomGenerator(seed: 1)
    (settings.steps, settings.batchSize, settings.learningRate, settings.weightDecay) = (200, 16, 0.05, 0)
    let outcome = try Trainer(settings: settings, task: Doubling()).train(
      GradientLearner(Linear(1, 1, using: &random), settings), seed: 1)
    #expect(outcome.end == .complete && Set(outcome.scores.keys) == ["mean absolute error", "close"])
    #expect((outcome.score ?? 1) < 0.05 && outcome.scores["close"] == 1)
  }

  /// A loss that is no number ends a training, which then has no score.
  @Test func divergenceEndsATraining() throws {
    var settings = TrainingSettings(), random = RandomGenerator(seed: 1)
    (settings.steps, settings.batchSize, settings.evaluations) = (50, 16, 1)
    var calls = 0
    let layer = Linear(1, 1, using: &random)
    let learner = GradientLearner(layer, settings) { x in
      calls += 1
      return layer(x) * (calls > 7 ? Double.nan : 1)
    }
    let outcome = try Trainer(settings: settings, task: Doubling()).train(learner, seed: 1)
    #expect(outcome.end == .diverged && outcome.steps == 8 && outcome.score == nil && outcome.scores.isEmpty)
    #expect(outcome.points.last?.metric == "loss" && outcome.points.last?.value.isNaN == true)
  }
}
