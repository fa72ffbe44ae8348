import CallosumTensors

/// How far signals [..., time] resemble themselves some samples later, for lags from 0 to `lags`:
///
///     r[k] = Σ_t (x[t] - x̄)(x[t + k] - x̄) / Σ_t (x[t] - x̄)²
///
/// so that r[0] is 1 and few pairs count little (the biased estimate, which is positive definite). A signal
/// without variance gives zeros.
/// - Returns: [..., lags + 1], float64.
/// - Throws: `InvalidInput` if there are not more samples than lags, or for numbers that are not finite.
public func autocorrelation(_ signals: Tensor, lags: Int) throws -> Tensor {
  let x = try signals.observedSignal("autocorrelation")
  let length = x.dim(-1)
  try require(
    lags >= 0 && length > lags, "autocorrelation up to lag \(lags) needs more samples, got \(length)")
  if x.size == 0 { return .zeros(x.shape.dropLast() + [lags + 1], dtype: .float64) }
  let centred = x - x.moments(axes: [-1]).mean
  // Zeros keep the end from meeting the start.
  let widths: [(before: Int, after: Int)] = x.shape.dropLast().map { _ in (0, 0) } + [(0, lags)]
  let spectrum = square(rfft(centred.padded(widths))).sum(axis: -1)
  let products = irfft(
    complex(real: spectrum, imaginary: .zeros(like: spectrum)), length: length + lags
  ).sliced(axis: -1, to: lags + 1)
  let squares = square(centred).sum(axis: -1, keepDims: true)
  let varies = squares .> 0
  return which(varies, products / which(varies, squares, Tensor(1, .float64)), Tensor(0, .float64))
}
