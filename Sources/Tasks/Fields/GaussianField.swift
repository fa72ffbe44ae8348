import CallosumTensors

/// Random fields on the unit interval, square, ...: sums of waves with independent normal weights, whose
/// standard deviation depends on the squared wave number.
///
/// The waves are orthonormal on the unit cube: products of 1 and √2 cos(π k x), sampled at the middles
/// of cells, or of 1, √2 cos(2π k x) and √2 sin(2π k x), which are periodic, sampled at their beginnings.
public struct GaussianField: Sendable {
  public enum Waves: String, Codable, Sendable { case cosine, fourier }
  public let waves: Waves
  /// Points along each axis.
  public let shape: [Int]
  /// Standard deviation of the weight of a wave, by its squared wave number: π²(k² + l² + ...) or
  /// 4π²(k² + l² + ...).
  public let amplitude: @Sendable (Double) -> Double

  public init(_ waves: Waves, shape: [Int], amplitude: @escaping @Sendable (Double) -> Double) {
    precondition(
      !shape.isEmpty && shape.allSatisfy { $0 > 0 }, "GaussianField", "shape \(shape) holds no points")
    self.waves = waves
    self.shape = shape
    self.amplitude = amplitude
  }

  /// [count] + shape (float64).
  public func sample(_ count: Int, using generator: inout RandomGenerator) -> Tensor {
    let noise = generator.normal([count] + shape, dtype: .float64)
    // White noise on n points has weights of deviation 1 / √n.
    let scale = Double(shape.reduce(1, *)).squareRoot()
    let axes = Array(1...shape.count)
    switch waves {
    case .cosine:
      let weights = noise * amplitudes(frequencies: shape.map { Array(0..<$0) }, unit: .pi) * scale
      return axes.reduce(weights) { idct($0, axis: $1, orthonormal: true) }
    case .fourier:
      let last = shape[shape.count - 1]
      var frequencies = shape.map { n in (0..<n).map { Swift.min($0, n - $0) } }
      frequencies[shape.count - 1] = Array(0...last / 2)
      let factors = amplitudes(frequencies: frequencies, unit: 2 * .pi) * scale
      let weights = rfft(noise, axes: axes) * factors.expandedDimensions(axis: -1)
      return irfft(weights, length: last, axes: axes)
    }
  }

  private func amplitudes(frequencies: [[Int]], unit: Double) -> Tensor {
    var squares = [0.0]
    for axis in frequencies {
      let own = axis.map { unit * unit * Double($0 * $0) }
      squares = squares.flatMap { square in own.map { square + $0 } }
    }
    return Tensor(squares.map(amplitude), frequencies.map(\.count))
  }
}
