import CallosumContracts
import CallosumTensors

/// Forecasting a system from a window of its states: at each of them, the next one is wanted.
///
/// Each split has a trajectory of its own. States are standardised, number by number, with the mean and
/// deviation of the training trajectory.
public struct Forecast: LearningTask {
  public let id, name: String
  public let window: Int
  /// Time between states.
  public let interval: Double
  /// Standardised states [time, width] (float32).
  public let states: [Split: Tensor]
  /// What standardised numbers are multiplied with, and what is added, to be those of the system.
  public let deviation, mean: [Double]

  /// - Parameter states: trajectories [time, width] of the system.
  public init(
    id: String, name: String, states: [Split: Tensor], window: Int, interval: Double
  ) throws {
    try require(window > 0, "window must be at least 1, is \(window)")
    for split in Split.allCases {
      let length = states[split]?.dim(0) ?? 0
      try require(
        length > window, "\(id): \(length) \(split.rawValue) states are too few for windows of \(window)")
    }
    guard let training = states[.training] else { throw InvalidInput("\(id) has nothing to learn from") }
    let mean = training.asType(.float64).mean(axis: 0)
    let deviation = sqrt(training.asType(.float64).variance(axis: 0))
    try require(deviation.min().item() > 0, "\(id): a number of the training states never changes")
    self.id = id
    self.name = name
    self.window = window
    self.interval = interval
    self.mean = mean.doubles
    self.deviation = deviation.doubles
    self.states = states.mapValues { (($0.asType(.float64) - mean) / deviation).asType(.float32) }
  }

  public var width: Int { mean.count }
  public var input: TaskInput { .values([window, width]) }
  public var positions: [Int] { [window] }
  public var objective: Objective { .values(width) }
  /// The state after a step is the next input.
  public let order = TokenOrder.causal
  public func count(_ split: Split) -> Int? { states[split].map { $0.dim(0) - window } ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let windows = continuations(split, from: indices, steps: 1)
    return Batch(
      inputs: windows.sliced(axis: 1, to: window).contiguous(),
      targets: windows.sliced(axis: 1, from: 1).contiguous())
  }

  /// Windows that begin at `starts` and the `steps` states behind each: [starts, window + steps, width].
  public func continuations(_ split: Split, from starts: [Int], steps: Int) -> Tensor {
    guard let states = states[split] else {
      preconditionFailure("continuations", "\(id) has no \(split.rawValue) states")
    }
    let offsets = starts.flatMap { start in (0..<window + steps).map { Int32(start + $0) } }
    return states.take(Tensor(offsets, [starts.count, window + steps]))
  }

  /// The mean time until a forecast's error exceeds `threshold`, over a batch of forecasts [batch, steps,
  /// width] of standardised states: the error at a step is the root of the mean square over the numbers.
  public func validTime(_ forecasts: Tensor, _ truth: Tensor, threshold: Double = 0.5) -> Double {
    precondition(
      forecasts.shape == truth.shape && truth.ndim == 3, "validTime",
      "forecasts \(forecasts.shape) and truth \(truth.shape) should be [batch, steps, width]")
    let errors = sqrt(square(forecasts - truth).mean(axis: -1))
    // Steps before the first bad one: those up to which the largest error is still good.
    let isGood = errors.cummax(axis: 1) .<= threshold
    return isGood.asType(.float64).sum(axis: 1).mean().item() * interval
  }
}
