import CallosumContracts
import CallosumTensors
import Foundation

/// Cells of a retina and of a visual cortex that are linear up to a softplus, of known types and with
/// differentiable responses:
///
///     r_n(x) = gain_n softplus(filter_n . x)
///
/// Filters are centred on the image and have length 1. Cells take the six types by turns; each has a size of
/// its own (deviation `sizeJitter` relative to its type's) and a log-normal gain (deviation `gainSpread` of
/// its logarithm).
public struct CellPopulation: Sendable {
  public enum CellType: Int, Codable, Sendable, CaseIterable {
    case smallOn, largeOn, smallOff, largeOff, vertical, horizontal
  }

  /// Of the image (pixels).
  public let size: Int
  /// [cells]
  public let types: [CellType]
  /// [cells, size * size] and [cells] (float32).
  public let filters, gains: Tensor

  public init(
    cells: Int = 120, size: Int = 16, sizeJitter: Double = 0.1, gainSpread: Double = 0.3, seed: UInt64 = 0
  ) throws {
    try require(cells >= CellType.allCases.count, "a population needs 6 cells at least, got \(cells)")
    try require(size >= 8, "images must have at least 8 pixels a side, not \(size)")
    try require(
      (0...0.3).contains(sizeJitter), "sizeJitter must be from 0 to 0.3, is \(sizeJitter)")
    try require(gainSpread >= 0, "gainSpread must be at least 0, is \(gainSpread)")
    self.size = size
    types = (0..<cells).map { CellType.allCases[$0 % CellType.allCases.count] }
    var generator = RandomGenerator(seed: seed).stream("cell-population")
    let jitter = generator.normal([cells], dtype: .float64).doubles
    gains = exp(generator.normal([cells], standardDeviation: gainSpread))
    filters = Tensor(
      zip(types, jitter).flatMap { type, jitter in
        // Three deviations at most: sizes stay positive.
        Self.filter(type, scale: 1 + sizeJitter * max(-3, min(jitter, 3)), size: size)
      }, [cells, size * size])
  }

  /// Centre and surround are Gaussians of deviations s and 1.6 s (s = 1.2 or 2.4 pixels of 16), balanced; the
  /// others are Gabor patches of deviation 2.4 and wavelength 6 pixels.
  private static func filter(_ type: CellType, scale: Double, size: Int) -> [Float] {
    let unit = Double(size) / 16 * scale, middle = Double(size - 1) / 2
    let weights = (0..<size * size).map { pixel -> Double in
      let (y, x) = (Double(pixel / size) - middle, Double(pixel % size) - middle)
      let square = x * x + y * y
      func gaussian(_ s: Double) -> Double { Foundation.exp(-square / (2 * s * s)) / (s * s) }
      func difference(_ s: Double) -> Double { gaussian(s * unit) - gaussian(1.6 * s * unit) }
      switch type {
      case .smallOn: return difference(1.2)
      case .largeOn: return difference(2.4)
      case .smallOff: return -difference(1.2)
      case .largeOff: return -difference(2.4)
      case .vertical: return gaussian(2.4 * unit) * Foundation.cos(2 * .pi * x / (6 * unit))
      case .horizontal: return gaussian(2.4 * unit) * Foundation.cos(2 * .pi * y / (6 * unit))
      }
    }
    let length = weights.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return weights.map { Float($0 / length) }
  }

  /// Rates [batch, cells] for images [batch, size, size, 1].
  public func responses(to images: Tensor) -> Tensor {
    let pixels = images.reshaped(images.dim(0), size * size)
    let drive = matmul(pixels, filters.asType(images.dtype).swappedAxes(0, 1))
    return softplus(drive) * gains.asType(images.dtype)
  }

  /// Spike counts with these rates: Poisson, by counting exponential waits.
  public static func spikes(_ rates: Tensor, using generator: inout RandomGenerator) -> Tensor {
    let counts = rates.doubles.map { rate -> Float in
      // A large rate is the sum of smaller ones, whose exponentials do not underflow.
      var count: Float = 0
      var rest = rate
      while rest > 0 {
        let part = min(rest, 100)
        rest -= part
        let end = Foundation.exp(-part)
        var product = 1 - generator.uniform()
        while product > end {
          count += 1
          product *= 1 - generator.uniform()
        }
      }
      return count
    }
    return Tensor(counts, rates.shape)
  }

  /// Images [count, size, size, 1] whose amplitudes fall with 1 / frequency, as those of nature do; each has
  /// mean 0 and standard deviation 1.
  public func images(_ count: Int, using generator: inout RandomGenerator) -> Tensor {
    let field = GaussianField(.fourier, shape: [size, size]) { $0 > 0 ? 1 / $0.squareRoot() : 0 }
    let images = field.sample(count, using: &generator)
    let deviation = sqrt(images.variance(axes: [1, 2], keepDims: true))
    return (images / deviation).asType(.float32).expandedDimensions(axis: -1)
  }

  /// What the cells answer to 1/f images: a task for a model of them.
  public func recording(
    training: Int = 2000, validation: Int = 200, test: Int = 200, noisy: Bool = true, seed: UInt64 = 0
  ) throws -> CellRecording {
    CellRecording(
      population: self,
      fields: try FieldPairs("cell-recording", [training, validation, test], seed) { count, generator in
        let images = images(count, using: &generator), rates = responses(to: images)
        return (images, noisy ? Self.spikes(rates, using: &generator) : rates)
      })
  }
}

/// Images and what the cells of a population answered.
public struct CellRecording: LearningTask {
  public let population: CellPopulation
  fileprivate let fields: FieldPairs
  public let id = "cell-recording"
  public let name = "Responses of cells"
  public var input: TaskInput { .values([population.size, population.size, 1]) }
  public let positions: [Int] = []
  public var objective: Objective { .values(population.types.count) }
  public func count(_ split: Split) -> Int? { fields.count(split) }
  public func batch(_ split: Split, _ indices: [Int]) -> Batch { fields.batch(split, indices) }
}
