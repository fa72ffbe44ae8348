import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct TrainerTests {
  @Test func learnsAndRecords() throws {
    let settings = Quarters.settings()
    let trainer = try Trainer(settings: settings, task: Quarters())
    let learner = Quarters.learner(settings)
    let before = try trainer.score(learner, .test)
    var examples = 0
    var points: [RunPoint] = []
    var answered: [Split: [Int]] = [:]
    let outcome = try trainer.train(
      learner, seed: 1,
      onEvent: { event in
        switch event {
        case .examples(let count): examples += count
        case .points(let new): points += new
        case .answered(let split, let done, let count): answered[split] = [done, count]
        }
      })
    #expect(before < 0.6)
    #expect((outcome.score ?? 0) > 0.95)
    #expect(examples == 150 * 40 && outcome.steps == 150)
    #expect(points == outcome.points)
    #expect(answered == [.validation: [100, 100], .test: [700, 700]])
    for metric in ["loss", "validation accuracy"] {
      #expect(points.filter { $0.metric == metric }.map(\.step) == [30, 60, 90, 120, 150])
    }
    let losses = points.filter { $0.metric == "loss" }.map(\.value)
    #expect(losses.count == 5 && losses[4] < losses[0] / 2)
    #expect(outcome.seconds > 0)
    #expect(abs(outcome.examplesPerSecond * outcome.seconds - 6000) < 1e-3)
    // Evaluation happens outside training: nothing is dropped, and twice gives the same.
    #expect(TrainingPass.current == nil)
    #expect(try trainer.score(learner, .test) == outcome.score)
  }

  /// Which examples are asked for: the judged ones after all others, once each.
  @Test func theJudgedAreUsedOnceAtTheEnd() throws {
    final class Spied: LearningTask, @unchecked Sendable {
      let task = Quarters()
      var asked: [(split: Split, indices: [Int])] = []
      var id: String { task.id }
      var name: String { task.name }
      var input: TaskInput { task.input }
      var positions: [Int] { task.positions }
      var objective: Objective { task.objective }
      func count(_ split: Split) -> Int? { task.count(split) }
      func batch(_ split: Split, _ indices: [Int]) -> Batch {
        asked.append((split, indices))
        return task.batch(split, indices)
      }
    }
    let task = Spied(), settings = Quarters.settings(steps: 20)
    _ = try Trainer(settings: settings, task: task).train(Quarters.learner(settings), seed: 1)
    let first = try #require(task.asked.firstIndex { $0.split == .test })
    #expect(task.asked[first...].allSatisfy { $0.split == .test })
    #expect(task.asked[first...].flatMap(\.indices) == Array(0..<700))
    #expect(task.asked.count { $0.split == .validation } == 5)
  }

  @Test func evaluationDoesNotTouchTheModel() throws {
    let learner = Quarters.learner(Quarters.settings())
    let before = learner.module.weights().mapValues(\.floats)
    _ = try Trainer(settings: Quarters.settings(), task: Quarters()).score(learner, .validation)
    #expect(learner.module.weights().mapValues(\.floats) == before)
  }

  @Test func sameSeedSameCurveBitForBit() throws {
    func curve(_ seed: UInt64) throws -> [Double] {
      let settings = Quarters.settings(steps: 20)
      return try Trainer(settings: settings, task: Quarters())
        .train(Quarters.learner(settings), seed: seed).points.map(\.value)
    }
    try Setting().run {
      let first = try curve(7)
      #expect(try first == curve(7))
      #expect(try first != curve(8))
    }
  }

  /// Seeds decide the same whatever is measured on the way.
  @Test func evaluationsDoNotChangeTheResult() throws {
    try Setting().run {
      let weights = try [0, 1, 10].map { evaluations in
        var settings = Quarters.settings(steps: 20)
        settings.evaluations = evaluations
        let learner = Quarters.learner(settings)
        _ = try Trainer(settings: settings, task: Quarters()).train(learner, seed: 3)
        return learner.module.weights().mapValues(\.floats)
      }
      #expect(weights[0] == weights[1] && weights[1] == weights[2])
    }
  }

  @Test func aCancelledRunHasNoScoreButASpeed() throws {
    let settings = Quarters.settings()
    let trainer = try Trainer(settings: settings, task: Quarters())
    var steps = 0
    let run = try trainer.train(
      Quarters.learner(settings), seed: 1,
      onEvent: { if case .examples = $0 { steps += 1 } }, isCancelled: { steps == 40 })
    #expect(run.score == nil && run.steps == 40)
    #expect(Set(run.points.map(\.step)) == [30])
    #expect(abs(run.examplesPerSecond * run.seconds - 40 * 40) < 1e-3)
    let none = try trainer.train(Quarters.learner(settings), seed: 1, isCancelled: { true })
    #expect(none.points.isEmpty && none.score == nil && none.examplesPerSecond == 0)
  }

  /// Whoever asks to stop while examples are only answered is heard, and what was stopped goes on from there and
  /// comes to the same.
  @Test(arguments: [Split.validation, .test]) func answeringCanBeStopped(_ split: Split) throws {
    var settings = Quarters.settings()
    settings.batchSize = 4
    let trainer = try Trainer(settings: settings, task: Quarters())
    let whole = try trainer.train(Quarters.learner(settings), seed: 1)
    try inTemporaryFolder { folder in
      let place = CheckpointPlace(path: folder + "/c.safetensors")
      var isAnswering = false
      let stopped = try trainer.train(
        Quarters.learner(settings), seed: 1, checkpoints: place,
        onEvent: { if case .answered(split, let done, let count) = $0 { isAnswering = done < count } },
        isCancelled: { isAnswering })
      #expect(isAnswering && stopped.end == .stopped && stopped.score == nil)
      let resumed = try trainer.train(Quarters.learner(settings), seed: 1, checkpoints: place)
      #expect(resumed.score == whole.score && resumed.steps == whole.steps)
      #expect(resumed.points.map(\.value) == whole.points.map(\.value))
    }
  }

  /// Tasks without end, of tokens, with masks and with fields, by their objectives.
  @Test(arguments: [Objective.classes(3), .bits(2), .values(2), .field(2)])
  func anyTask(_ objective: Objective) throws {
    /// Each position of a sequence of 6 tokens is answered by what its token stands for.
    struct Lookup: LearningTask {
      let id = "lookup", name = "Lookup"
      let input = TaskInput.tokens(vocabulary: 3, length: 6)
      let positions = [6]
      let objective: Objective
      func count(_ split: Split) -> Int? { nil }
      func batch(_ split: Split, _ indices: [Int]) -> Batch {
        var random = RandomGenerator(seed: UInt64(indices[0])).stream(split.rawValue)
        let tokens = random.integers([indices.count, 6], low: 0, high: 3)
        let meanings = Tensor([0, 1, 1, 0, 1, 1] as [Float], [3, 2])
        // The first position is wrong on purpose, and masked.
        let isFirst = Tensor((0..<6).map { Int32($0) }) .== Tensor(Int32(0))
        let mask = which(isFirst, Tensor(Int32(0)), Tensor(Int32(1))).broadcast(to: tokens.shape) .> 0
        guard objective.id == "classes" else {
          let right = meanings.take(tokens)
          return Batch(
            inputs: tokens, targets: which(mask.expandedDimensions(axis: -1), right, 1 - right), mask: mask)
        }
        return Batch(inputs: tokens, targets: which(mask, tokens, Tensor(Int32(0))), mask: mask)
      }
    }
    var settings = Quarters.settings(steps: 200)
    settings.learningRate = 5e-2
    settings.testExamples = 300
    settings.weightDecay = 0
    var random = RandomGenerator(seed: 1)
    final class Network: Module {
      let embedding: Embedding
      let head: Linear
      init(_ width: Int, using random: inout RandomGenerator) {
        embedding = Embedding(3, 8, using: &random)
        head = Linear(8, width, using: &random)
      }
    }
    let network = Network(objective.width, using: &random)
    let learner = GradientLearner(network, settings) { network.head(network.embedding($0)) }
    let task = Lookup(objective: objective)
    let trainer = try Trainer(settings: settings, task: task)
    let before = try trainer.score(learner, .test)
    let outcome = try trainer.train(learner, seed: 1)
    let after = try #require(outcome.score)
    if objective.metric.higherIsBetter {
      #expect(before < 0.9 && after > 0.99)
    } else {
      #expect(before > 0.3 && after < 0.05)
    }
    #expect(Set(outcome.points.map(\.metric)) == ["loss", "validation " + objective.metric.name])
  }

  @Test func mirroringWantsImages() throws {
    var settings = Quarters.settings(steps: 4)
    settings.mirror = true
    let outcome = try Trainer(settings: settings, task: Quarters()).train(Quarters.learner(settings), seed: 1)
    #expect(outcome.steps == 4)
  }

  @Test(
    arguments: [
      ("steps", #"{"steps": 0}"#), ("batchSize", #"{"batchSize": -1}"#),
      ("learningRate", #"{"learningRate": 0}"#),
      ("clipNorm", #"{"clipNorm": -1}"#), ("weightDecay", #"{"weightDecay": -0.1}"#),
      ("labelSmoothing", #"{"labelSmoothing": 1.5}"#), ("evaluations", #"{"evaluations": -1}"#),
      ("evaluationExamples", #"{"evaluationExamples": 0}"#),
      ("testExamples", #"{"testExamples": 0}"#),
    ] as [(String, String)])
  func settingsThatMakeNoSense(_ name: String, _ json: String) throws {
    let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    let error = #expect(throws: InvalidInput.self) {
      try TrainingSettings.decoded(from: value, for: "training")
    }
    #expect(error?.description.hasPrefix("\(name) must be ") == true, "\(error?.description ?? "")")
  }
}

@Suite struct BatchOrderTests {
  @Test func everyIndexOncePerPass() {
    // 10 is no multiple of 7, 3 none of 7, and 20 takes more than a pass at once.
    for size in [7, 3, 20, 1] {
      var order = BatchOrder(count: 10, generator: RandomGenerator(seed: 1))
      var indices: [Int] = []
      while indices.count < 210 {
        let batch = order.next(size)
        #expect(batch.count == size)
        indices += batch
      }
      for pass in 0..<21 { #expect(indices[pass * 10..<pass * 10 + 10].sorted() == Array(0..<10)) }
      #expect(indices[0..<10] != indices[10..<20])
    }
  }

  @Test func theSeedDecides() {
    func indices(_ seed: UInt64) -> [Int] {
      var order = BatchOrder(count: 100, generator: RandomGenerator(seed: seed))
      return order.next(100)
    }
    #expect(indices(1) == indices(1))
    #expect(indices(1) != indices(2))
    #expect(indices(1) != Array(0..<100))
  }
}
