import CallosumNetworks

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
  /// How often the validation score is measured.
  public var evaluations = 10
  /// Validation examples used for that.
  public var evaluationExamples = 2000
  /// Examples that judge at the end, where they never end; else all do.
  public var testExamples = 2000
  public init() {}

  public func validate() throws {
    for (name, value, most) in [
      ("steps", steps, 100_000_000), ("batchSize", batchSize, 100_000),
      ("evaluationExamples", evaluationExamples, 100_000_000),
      ("testExamples", testExamples, 100_000_000),
    ] {
      try require((1...most).contains(value), "\(name) must be from 1 to \(most), is \(value)")
    }
    try require(evaluations >= 0, "evaluations must be at least 0, is \(evaluations)")
    try require(
      learningRate > 0 && learningRate.isFinite, "learningRate must be above 0, is \(learningRate)")
    for (name, value) in [("weightDecay", weightDecay), ("clipNorm", clipNorm)] {
      try require(value >= 0 && value.isFinite, "\(name) must be at least 0, is \(value)")
    }
    try require(
      labelSmoothing >= 0 && labelSmoothing < 1, "labelSmoothing must be in 0..<1, is \(labelSmoothing)")
  }
}
