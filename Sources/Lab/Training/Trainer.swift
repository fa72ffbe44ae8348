import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// How a network is trained on a task.
public struct TrainingSettings: Configuration {
  public var steps = 600
  public var batchSize = 128
  public var learningRate = 2e-3
  public var weightDecay = 0.05
  public var schedule = Schedule.cosine(warmup: 40, final: 0.01)
  public var labelSmoothing = 0.0
  /// Whether training images are mirrored left to right, half of them by chance.
  public var mirror = false
  /// Largest joint norm of the gradients; 0 leaves them as they are.
  public var clipNorm = 1.0
  /// How often the test accuracy is measured on the way.
  public var evaluations = 10
  /// Test images used on the way; the last measurement uses all.
  public var evaluationImages = 2000
  public init() {}

  public func validate() throws {
    for (name, value, most) in [
      ("steps", steps, 100_000_000), ("batchSize", batchSize, 100_000),
      ("evaluationImages", evaluationImages, 100_000_000),
    ] {
      try expect((1...most).contains(value), "\(name) must be from 1 to \(most), is \(value)")
    }
    try expect(evaluations >= 0, "evaluations must be at least 0, is \(evaluations)")
    try expect(
      learningRate > 0 && learningRate.isFinite, "learningRate must be above 0, is \(learningRate)")
    for (name, value) in [("weightDecay", weightDecay), ("clipNorm", clipNorm)] {
      try expect(value >= 0 && value.isFinite, "\(name) must be at least 0, is \(value)")
    }
    try expect(
      labelSmoothing >= 0 && labelSmoothing < 1, "labelSmoothing must be in 0..<1, is \(labelSmoothing)")
  }
}

/// Trains one network on one task with AdamW.
package struct Trainer {
  private let settings: TrainingSettings
  private let task: any ImageClassification

  package init(settings: TrainingSettings, task: any ImageClassification) {
    self.settings = settings
    self.task = task
  }

  /// One run. The seed decides the order of the images and dropout; `progress` hears of every batch.
  /// Stops early, without a final accuracy, when `isCancelled` says so.
  package func train(
    _ model: any Layer, seed: UInt64, progress: (_ images: Int) -> Void, isCancelled: () -> Bool
  ) -> Comparison.Run {
    let random = RandomGenerator(seed: seed)
    var order = BatchOrder(count: task.trainingCount, generator: random.stream("order"))
    var dropout = random.stream("dropout")
    var mirrors = random.stream("mirrors")
    let parameters = model.parameters()
    let optimiser = Adam.adamW(
      parameters, learningRate: settings.learningRate, weightDecay: settings.weightDecay)
    let clock = ContinuousClock()
    var seconds = 0.0
    var stepsDone = 0
    var losses: [Double] = []
    var curve: [Comparison.CurvePoint] = []
    let every = max(settings.steps / max(settings.evaluations, 1), 1)

    for step in 0..<settings.steps {
      if isCancelled() { break }
      let start = clock.now
      let batch = task.trainingBatch(order.next(settings.batchSize))
      let images = settings.mirror ? mirrored(batch.inputs, using: &mirrors) : batch.inputs
      optimiser.learningRate =
        settings.learningRate * settings.schedule.factor(step: step, of: settings.steps)
      let (loss, gradients) = training(using: &dropout) {
        valueAndGradient(by: parameters) {
          crossEntropy(
            logits: model(images), labels: batch.targets, labelSmoothing: settings.labelSmoothing)
        }
      }
      optimiser.update(
        settings.clipNorm > 0 ? clipped(gradients, toNorm: settings.clipNorm).gradients : gradients)
      losses.append(loss.item)
      seconds += (clock.now - start) / .seconds(1)
      stepsDone += 1
      progress(settings.batchSize)
      if (step + 1) % every == 0 && step + 1 < settings.steps {
        curve.append(
          point(step + 1, seconds, &losses, accuracy(model, images: settings.evaluationImages)))
      }
    }
    let isComplete = !isCancelled()
    let final = isComplete ? accuracy(model, images: task.testCount) : nil
    if isComplete { curve.append(point(settings.steps, seconds, &losses, final)) }
    let images = Double(stepsDone * settings.batchSize)
    return Comparison.Run(
      seed: seed, curve: curve, testAccuracy: final, trainingSeconds: seconds,
      imagesPerSecond: seconds > 0 ? images / seconds : 0)
  }

  /// Images [batch, height, width, channels], each mirrored left to right with probability 1/2.
  private func mirrored(_ images: Tensor, using generator: inout RandomGenerator) -> Tensor {
    let isMirrored = generator.bernoulli([images.dim(0), 1, 1, 1], probability: 0.5)
    return which(isMirrored, images.flipped(axes: [2]), images)
  }

  private func point(
    _ step: Int, _ seconds: Double, _ losses: inout [Double], _ accuracy: Double?
  ) -> Comparison.CurvePoint {
    let mean = losses.isEmpty ? nil : losses.reduce(0, +) / Double(losses.count)
    losses = []
    return Comparison.CurvePoint(
      step: step, seconds: seconds, trainingLoss: mean, testAccuracy: accuracy)
  }

  /// The share of the first `images` test images that are classified right.
  package func accuracy(_ model: any Layer, images: Int) -> Double {
    let count = min(images, task.testCount)
    var right = 0.0
    for start in stride(from: 0, to: count, by: 500) {
      let batch = task.testBatch(start..<min(start + 500, count))
      right += (model(batch.inputs).argMax(axis: -1) .== batch.targets).sum().item
    }
    return right / Double(max(count, 1))
  }
}

/// Indices of training items in random order, shuffled anew for each pass.
package struct BatchOrder {
  private let count: Int
  private var generator: RandomGenerator
  private var order: [Int] = []

  package init(count: Int, generator: RandomGenerator) {
    self.count = count
    self.generator = generator
  }

  package mutating func next(_ size: Int) -> [Int] {
    var batch: [Int] = []
    while batch.count < size {
      if order.isEmpty { order = (0..<count).shuffled(using: &generator) }
      let taken = min(size - batch.count, order.count)
      batch += order.suffix(taken)
      order.removeLast(taken)
    }
    return batch
  }
}
