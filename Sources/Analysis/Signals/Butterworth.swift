import CallosumTensors
import Foundation

/// Which frequencies a filter lets through, in the unit of the sampling rate.
public enum Band: Sendable, Equatable {
  case below(Double)
  case above(Double)
  case between(Double, Double)
  case outside(Double, Double)

  var edges: [Double] {
    switch self {
    case .below(let edge), .above(let edge): [edge]
    case .between(let low, let high), .outside(let low, let high): [low, high]
    }
  }

  func check(rate: Double) throws {
    let inside = ([0] + edges + [rate / 2])
    try require(
      rate.isFinite && zip(inside, inside.dropFirst()).allSatisfy { $0 < $1 },
      "the edges \(edges) of a band must rise and lie between 0 and half the rate, \(rate / 2)")
  }
}

extension SectionFilter {
  /// Butterworth's filter (1930), the flattest there is, with gain √½ at the edges (`scipy.signal.butter`).
  /// Its poles lie on a half circle for continuous time; they are moved to the band and taken to discrete
  /// time by the bilinear transform, the edges bent such that they come out where they should. A band between
  /// or outside two edges has twice the order.
  /// - Throws: `InvalidInput` if edges do not rise or reach half the rate, or the order is not from 1 to 50.
  public static func butterworth(order: Int, _ band: Band, rate: Double) throws -> SectionFilter {
    try require((1...50).contains(order), "the order of a filter must be from 1 to 50, is \(order)")
    try band.check(rate: rate)
    let edges = band.edges.map { tan(Double.pi * $0 / rate) }
    // Where the gain is 1, and the zeros of a pair of poles: 1 + zeros z⁻¹ + product z⁻².
    let reference: Double, zeros: Double, product: Double
    switch band {
    case .below: (reference, zeros, product) = (0, 2, 1)
    case .above: (reference, zeros, product) = (.pi, -2, 1)
    case .between: (reference, zeros, product) = (2 * atan((edges[0] * edges[1]).squareRoot()), 0, -1)
    case .outside:
      let centre = edges[0] * edges[1]
      (reference, zeros, product) = (0, -2 * (1 - centre) / (1 + centre), 1)
    }
    return SectionFilter(
      (0..<(order + 1) / 2).flatMap { index -> [Section] in
        // One of each pair of poles, or the real one.
        let isReal = 2 * index + 1 == order
        let angle = Double.pi * (1 + Double(2 * index + 1) / Double(order)) / 2
        let poles = moved(isReal ? Complex(-1) : Complex(angle: angle), band, edges)
          .map { (Complex(1) + $0) / (Complex(1) - $0) }
        if isReal && poles.count == 1 {
          return [
            Section(b0: 1, b1: zeros / 2, b2: 0, a1: -poles[0].real, a2: 0).scaled(at: reference)
          ]
        }
        let pairs =
          isReal
          ? [(poles[0], poles[1])] : poles.map { ($0, Complex($0.real, -$0.imaginary)) }
        return pairs.map { a, b in
          Section(b0: 1, b1: zeros, b2: product, a1: -(a + b).real, a2: (a * b).real).scaled(at: reference)
        }
      })
  }

  /// The poles of the band that come from one pole of the low-pass filter with edge 1.
  private static func moved(_ pole: Complex, _ band: Band, _ edges: [Double]) -> [Complex] {
    let middle: Complex
    switch band {
    case .below: return [pole * Complex(edges[0])]
    case .above: return [Complex(edges[0]) / pole]
    case .between: middle = pole * Complex((edges[1] - edges[0]) / 2)
    case .outside: middle = Complex((edges[1] - edges[0]) / 2) / pole
    }
    let distance = (middle * middle - Complex(edges[0] * edges[1])).squareRoot
    return [middle + distance, middle - distance]
  }

  /// A notch of one frequency, gain √½ at a distance of frequency / (2 quality) on both sides
  /// (`scipy.signal.iirnotch`).
  /// - Throws: `InvalidInput` if the frequency is not between 0 and half the rate, or the quality not above 0.
  public static func notch(_ frequency: Double, quality: Double = 30, rate: Double) throws -> SectionFilter {
    try require(
      frequency > 0 && frequency < rate / 2 && rate.isFinite && quality > 0,
      "a notch needs a frequency between 0 and half the rate, \(rate / 2), and a quality above 0; "
        + "got \(frequency) and \(quality)")
    let angle = 2 * Double.pi * frequency / rate
    let gain = 1 / (1 + tan(angle / quality / 2))
    let turn = -2 * cos(angle) * gain
    return SectionFilter([Section(b0: gain, b1: turn, b2: gain, a1: turn, a2: 2 * gain - 1)])
  }
}

extension SectionFilter.Section {
  /// With gain 1 at an angle.
  fileprivate func scaled(at angle: Double) -> Self {
    let gain = SectionFilter([self]).gains(at: [angle], rate: 2 * .pi)[0]
    return Self(b0: b0 / gain, b1: b1 / gain, b2: b2 / gain, a1: a1, a2: a2)
  }
}

/// Signals [..., time] with all frequencies outside the band set to 0 in their Fourier transform; edges
/// belong to the band, for `.outside` to what is removed. Sharp and without delay, at the price of ringing,
/// and of ends that are joined.
/// - Throws: `InvalidInput` if edges do not rise or reach half the rate, or for numbers that are not finite.
public func fourierFiltered(_ signals: Tensor, _ band: Band, rate: Double) throws -> Tensor {
  try band.check(rate: rate)
  let x = try signals.observedSignal("fourierFiltered")
  let length = x.dim(-1)
  if x.size == 0 { return x }
  let keeps = (0...length / 2).map { index -> Double in
    let frequency = Double(index) * rate / Double(length)
    let isKept =
      switch band {
      case .below(let edge): frequency <= edge
      case .above(let edge): frequency >= edge
      case .between(let low, let high): frequency >= low && frequency <= high
      case .outside(let low, let high): frequency < low || frequency > high
      }
    return isKept ? 1 : 0
  }
  return irfft(rfft(x) * Tensor(keeps, [keeps.count, 1]), length: length)
}
