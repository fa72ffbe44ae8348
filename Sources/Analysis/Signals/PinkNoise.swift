import CallosumTensors

/// Noise [..., time] whose power falls as 1 / f: white noise times f^-1/2 in its Fourier transform, flat
/// below `corner`, each signal with deviation 1.
/// - Parameters:
///   - rate: samples a second.
///   - corner: in Hz.
public func pinkNoise(
  _ shape: [Int], rate: Double, corner: Double = 0.5, using generator: inout RandomGenerator
) -> Tensor {
  let length = shape.last ?? 0
  precondition(
    length > 1 && rate > 0 && corner > 0, "pinkNoise",
    "needs [..., time] of at least 2 samples and a rate and corner above 0, got \(shape), \(rate), \(corner)")
  let weights = (0...length / 2).map { index in
    1 / max(Double(index) * rate / Double(length), corner).squareRoot()
  }
  let white = generator.normal(shape, dtype: .float64)
  let pink = irfft(rfft(white) * Tensor(weights, [weights.count, 1]), length: length)
  return pink / sqrt(pink.variance(axis: -1, keepDims: true))
}
