import CallosumContracts
import CallosumLab
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Images of 4 x 4 pixels with one bright quarter, which is the class, in noise.
private struct Quarters: ImageClassification {
  let id = "quarters", name = "Quarters"
  let imageShape = [4, 4, 1]
  let classCount = 4
  let trainingCount = 300, testCount = 700

  func trainingBatch(_ indices: [Int]) -> Batch { batch(indices, "training") }
  func testBatch(_ range: Range<Int>) -> Batch { batch(Array(range), "test") }

  private func batch(_ indices: [Int], _ name: String) -> Batch {
    var images: [Float] = []
    for index in indices {
      var random = RandomGenerator(seed: UInt64(index)).stream(name)
      let noise = random.normal([16], standardDeviation: 0.5).floats
      images += noise.enumerated().map { pixel, value in
        pixel / 8 * 2 + pixel % 4 / 2 == index % 4 ? value + 1 : value
      }
    }
    return Batch(
      inputs: Tensor(images, [indices.count, 4, 4, 1]), targets: Tensor(indices.map { Int32($0 % 4) }))
  }
}

@Suite struct TrainerTests {
  private func network(seed: UInt64 = 1) -> Sequential {
    var random = RandomGenerator(seed: seed)
    return Sequential(
      Lambda { $0.reshaped($0.dim(0), 16) }, Linear(16, 24, activation: .gelu, using: &random), Dropout(0.1),
      BatchNorm(24), Linear(24, 4, using: &random))
  }

  private func settings(steps: Int = 150) -> TrainingSettings {
    var settings = TrainingSettings()
    (settings.steps, settings.batchSize, settings.learningRate) = (steps, 40, 1e-2)
    (settings.evaluations, settings.evaluationImages) = (5, 100)
    return settings
  }

  @Test func learnsAndRecords() {
    let trainer = Trainer(settings: settings(), task: Quarters())
    let model = network()
    let before = trainer.accuracy(model, images: 700)
    var images = 0
    let run = trainer.train(model, seed: 1, progress: { images += $0 }, isCancelled: { false })
    #expect(before < 0.6)
    #expect((run.testAccuracy ?? 0) > 0.95)
    #expect(images == 150 * 40)
    #expect(run.seed == 1)
    #expect(run.curve.map(\.step) == [30, 60, 90, 120, 150])
    #expect(run.curve.last?.testAccuracy == run.testAccuracy)
    let losses = run.curve.compactMap(\.trainingLoss)
    #expect(losses.count == 5 && losses[4] < losses[0] / 2)
    #expect(run.trainingSeconds > 0)
    #expect(abs(run.imagesPerSecond * run.trainingSeconds - 6000) < 1e-3)
    // Evaluation happens outside training: nothing is dropped, and twice gives the same.
    #expect(TrainingPass.current == nil)
    #expect(trainer.accuracy(model, images: 700) == run.testAccuracy)
  }

  @Test func evaluationDoesNotTouchTheModel() {
    let trainer = Trainer(settings: settings(), task: Quarters())
    let model = network()
    let before = model.weights().mapValues(\.floats)
    _ = trainer.accuracy(model, images: 100)
    #expect(model.weights().mapValues(\.floats) == before)
  }

  @Test func sameSeedSameCurveBitForBit() {
    func curve(_ seed: UInt64) -> [[Double?]] {
      let run = Trainer(settings: settings(steps: 20), task: Quarters()).train(
        network(), seed: seed, progress: { _ in }, isCancelled: { false })
      return run.curve.map { [$0.trainingLoss, $0.testAccuracy] }
    }
    Setting().run {
      let first = curve(7)
      #expect(first == curve(7))
      #expect(first != curve(8))
    }
  }

  /// Seeds decide the same whatever is measured on the way.
  @Test func evaluationsDoNotChangeTheResult() {
    Setting().run {
      let losses = [1, 10].map { evaluations in
        var settings = settings(steps: 20)
        settings.evaluations = evaluations
        let model = network()
        _ = Trainer(settings: settings, task: Quarters()).train(
          model, seed: 3, progress: { _ in }, isCancelled: { false })
        return model.weights().mapValues(\.floats)
      }
      #expect(losses[0] == losses[1])
    }
  }

  @Test func aCancelledRunHasNoAccuracyButASpeed() {
    var steps = 0
    let run = Trainer(settings: settings(), task: Quarters()).train(
      network(), seed: 1, progress: { _ in steps += 1 }, isCancelled: { steps == 40 })
    #expect(run.testAccuracy == nil)
    #expect(run.curve.map(\.step) == [30])
    #expect(abs(run.imagesPerSecond * run.trainingSeconds - 40 * 40) < 1e-3)
    let none = Trainer(settings: settings(), task: Quarters()).train(
      network(), seed: 1, progress: { _ in }, isCancelled: { true })
    #expect(none.curve.isEmpty && none.testAccuracy == nil && none.imagesPerSecond == 0)
  }

  @Test(
    arguments: [
      ("steps", #"{"steps": 0}"#), ("batchSize", #"{"batchSize": -1}"#),
      ("learningRate", #"{"learningRate": 0}"#),
      ("clipNorm", #"{"clipNorm": -1}"#), ("weightDecay", #"{"weightDecay": -0.1}"#),
      ("labelSmoothing", #"{"labelSmoothing": 1.5}"#), ("evaluations", #"{"evaluations": -1}"#),
      ("evaluationImages", #"{"evaluationImages": 0}"#),
    ] as [(String, String)])
  func settingsThatMakeNoSense(_ name: String, _ json: String) throws {
    let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))
    let error = #expect(throws: Mistake.self) { try TrainingSettings.decoded(from: value, for: "training") }
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
