import CallosumTensors
import Foundation

/// How a signal is cut into segments whose spectra are averaged.
public struct Segments: Sendable {
  /// Samples of a segment.
  public var length: Int
  /// Samples that two neighbours share; half of them if nil.
  public var overlap: Int?
  /// Whether each segment's mean is taken out.
  public var centres = true
  public init(length: Int = 256, overlap: Int? = nil, centres: Bool = true) {
    (self.length, self.overlap, self.centres) = (length, overlap, centres)
  }

  var step: Int { length - (overlap ?? length / 2) }

  /// Hann's window, of which the end that would repeat the start is left out.
  var window: [Double] {
    length == 1 ? [1] : (0..<length).map { 0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(length)) }
  }

  /// The spectra of the segments of signals [..., time]: [..., segments, frequencies, 2].
  func spectra(_ x: Tensor) throws -> Tensor {
    try require(
      length > 0 && step > 0 && step <= length && x.dim(-1) >= length,
      "segments of \(length) samples that share \(length - step) do not fit signals of \(x.dim(-1))")
    let windows = x.slidingWindows(axis: -1, size: length, step: step)
    let pieces = centres ? windows - windows.mean(axis: -1, keepDims: true) : windows
    return rfft(pieces * Tensor(window))
  }

  func frequencies(rate: Double) -> [Double] { (0...length / 2).map { Double($0) * rate / Double(length) } }
}

/// The power of signals [..., time] at each frequency, in squared units per frequency unit, by Welch's
/// average over segments (1967; `scipy.signal.welch`): the sum over frequencies times their distance is the
/// variance, about.
/// - Returns: the frequencies from 0 to half the rate, and the densities [..., frequencies], float64.
/// - Throws: `InvalidInput` if segments do not fit, or for numbers that are not finite.
public func welchSpectrum(
  _ signals: Tensor, rate: Double, segments: Segments = Segments()
) throws -> (frequencies: [Double], density: Tensor) {
  let spectra = try segments.spectra(try signals.observedSignal("welchSpectrum"))
  let power = square(spectra).sum(axis: -1).mean(axis: -2)
  // Frequencies whose mirror is not listed count twice.
  let last = segments.length / 2
  let scale = 1 / (rate * segments.window.reduce(0) { $0 + $1 * $1 })
  let weights = (0...last).map { $0 == 0 || 2 * $0 == segments.length ? scale : 2 * scale }
  return (segments.frequencies(rate: rate), power * Tensor(weights))
}

/// How far two signals [..., time] keep one phase and one ratio of amplitudes at each frequency, from 0 to 1:
/// |mean of X Y*|² / (mean of |X|² · mean of |Y|²) over segments (`scipy.signal.coherence`). One segment
/// alone always gives 1; a frequency without power gives 0.
/// - Throws: `InvalidInput` if segments do not fit, or for numbers that are not finite.
public func coherence(
  _ a: Tensor, _ b: Tensor, rate: Double, segments: Segments = Segments()
) throws -> (frequencies: [Double], coherence: Tensor) {
  let x = try segments.spectra(try a.observedSignal("coherence"))
  let y = try segments.spectra(try b.observedSignal("coherence"))
  let cross = square(complexMultiply(x, y, conjugating: true).mean(axis: -3)).sum(axis: -1)
  let powers = square(x).sum(axis: -1).mean(axis: -2) * square(y).sum(axis: -1).mean(axis: -2)
  let hasPower = powers .> 0
  let share = which(hasPower, cross / which(hasPower, powers, Tensor(1, .float64)), Tensor(0, .float64))
  return (segments.frequencies(rate: rate), share)
}
