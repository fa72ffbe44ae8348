import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTensors

/// Images of 4 x 4 pixels with one bright quarter, which is the class, in noise.
package struct Quarters: ImageClassification {
  package let id = "quarters", name = "Quarters"
  package let imageShape = [4, 4, 1]
  package let classCount = 4
  package let trainingCount = 300, testCount = 700, validationCount = 100

  package func trainingBatch(_ indices: [Int]) -> Batch { batch(.training, indices) }
  package func testBatch(_ range: Range<Int>) -> Batch { batch(.test, Array(range)) }

  package func count(_ split: Split) -> Int? {
    switch split {
    case .training: trainingCount
    case .validation: validationCount
    case .test: testCount
    }
  }

  package func batch(_ split: Split, _ indices: [Int]) -> Batch { batch(indices, split.rawValue) }

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

  package init() {}

  /// A small network that learns them.
  package static func learner(_ settings: TrainingSettings, seed: UInt64 = 1) -> GradientLearner {
    var random = RandomGenerator(seed: seed)
    return GradientLearner(
      Sequential(
        Lambda { $0.reshaped($0.dim(0), 16) }, Linear(16, 24, activation: .gelu, using: &random),
        Dropout(0.1), BatchNorm(24), Linear(24, 4, using: &random)), settings)
  }

  package static func settings(steps: Int = 150) -> TrainingSettings {
    var settings = TrainingSettings()
    (settings.steps, settings.batchSize, settings.learningRate) = (steps, 40, 1e-2)
    (settings.evaluations, settings.evaluationExamples) = (5, 100)
    return settings
  }
}
