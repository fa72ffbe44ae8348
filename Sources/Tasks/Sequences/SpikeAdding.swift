import CallosumContracts
import CallosumTensors

/// Adding two digits that are spoken in spikes, one after the other (Spieler et al. 2023): the answer is their
/// sum, 0 to 18.
///
/// Each digit has a map of firing chances, channels by steps: noise smoothed by a Gaussian of deviation
/// `smoothness` along both, scaled to reach from 0 to `peak`. A spoken digit is drawn from its map, bit by bit.
public struct SpikeAdding: LearningTask {
  public let id = "spike-adding"
  public let name = "Adding digits in spikes"
  public let channels: Int
  /// Of one digit.
  public let steps: Int
  public let seed: UInt64
  /// Chances of the ten digits, [steps][channels] each.
  private let maps: [[Float]]

  public init(
    channels: Int = 40, steps: Int = 50, smoothness: Double = 2, peak: Double = 0.3, seed: UInt64 = 0
  ) throws {
    try require(
      channels > 1 && steps > 1, "digits need at least 2 channels and steps, not \(channels) and \(steps)")
    try require(smoothness > 0, "smoothness must be above 0, is \(smoothness)")
    try require(peak > 0 && peak <= 1, "peak must lie between 0 and 1, is \(peak)")
    (self.channels, self.steps, self.seed) = (channels, steps, seed)
    var generator = RandomGenerator(seed: seed).stream("spike-adding/maps")
    maps = (0..<10).map { _ in
      let noise = GreyImage(
        rows: steps, columns: channels, pixels: generator.normal([steps * channels]).floats)
      let smooth = blurred(noise, deviation: smoothness).pixels
      let (low, high) = (smooth.min() ?? 0, smooth.max() ?? 1)
      return smooth.map { ($0 - low) / (high - low) * Float(peak) }
    }
  }

  public var input: TaskInput { .values([2 * steps, channels]) }
  public let positions: [Int] = []
  public let objective = Objective.classes(19)
  public func count(_ split: Split) -> Int? { nil }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    var spikes: [Float] = []
    var sums: [Int32] = []
    for index in indices {
      var generator = exampleStream("example", of: id, seed, split, index)
      let digits = (0..<2).map { _ in Int.random(in: 0..<10, using: &generator) }
      let draws = generator.uniform([2 * steps * channels]).floats
      spikes += zip(draws, digits.flatMap { maps[$0] }).map { $0 < $1 ? 1 : 0 }
      sums.append(Int32(digits[0] + digits[1]))
    }
    return Batch(
      inputs: Tensor(spikes, [indices.count, 2 * steps, channels]), targets: Tensor(sums))
  }
}
