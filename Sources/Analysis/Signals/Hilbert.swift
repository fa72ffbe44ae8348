import CallosumTensors

/// The analytic signal of signals [..., time], as complex numbers [..., time, 2]: the signal and, as
/// imaginary part, its Hilbert transform, every frequency a quarter of a period later
/// (`scipy.signal.hilbert`).
/// - Throws: `InvalidInput` for numbers that are not finite or signals without samples.
public func analyticSignal(_ signals: Tensor) throws -> Tensor {
  let x = try signals.observedSignal("analyticSignal")
  let length = x.dim(-1)
  try require(length > 0, "an analytic signal needs a sample at least")
  // Frequencies above 0 twice, those below not at all.
  let weights = (0..<length).map { index -> Double in
    index == 0 || 2 * index == length ? 1 : 2 * index < length ? 2 : 0
  }
  return ifft(fft(complex(real: x, imaginary: .zeros(like: x))) * Tensor(weights, [length, 1]))
}

/// The amplitude of signals [..., time] at each time: the magnitude of the analytic signal. It means
/// something for a narrow band.
/// - Throws: `InvalidInput` for numbers that are not finite or signals without samples.
public func envelope(_ signals: Tensor) throws -> Tensor { complexMagnitude(try analyticSignal(signals)) }
