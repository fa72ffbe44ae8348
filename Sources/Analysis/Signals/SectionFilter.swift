import CallosumTensors
import Foundation

/// A recursive filter as second-order sections one after the other, each
///
///     y[t] = b0 x[t] + b1 x[t-1] + b2 x[t-2] - a1 y[t-1] - a2 y[t-2]
///
/// which keeps narrow filters of high order exact where a single polynomial would not. Filters signals
/// [..., time], along the last axis, in float64.
public struct SectionFilter: Sendable, Equatable {
  /// One section: (b0 + b1 z⁻¹ + b2 z⁻²) / (1 + a1 z⁻¹ + a2 z⁻²).
  public struct Section: Sendable, Equatable {
    public var b0, b1, b2, a1, a2: Double

    /// What the two places of memory hold when 1 has come in for ever.
    var settled: (first: Double, second: Double) {
      let gain = (b0 + b1 + b2) / (1 + a1 + a2)
      let second = b2 - a2 * gain
      return (b1 - a1 * gain + second, second)
    }
  }

  public let sections: [Section]
  public init(_ sections: [Section]) { self.sections = sections }

  /// The gain at each frequency, in the unit of `rate` (samples a second).
  public func gains(at frequencies: [Double], rate: Double) -> [Double] {
    frequencies.map { frequency in
      let angle = 2 * Double.pi * frequency / rate
      let back = Complex(angle: -angle), twice = Complex(angle: -2 * angle)
      return sections.reduce(Complex(1)) { product, s in
        product
          * ((Complex(s.b0) + Complex(s.b1) * back + Complex(s.b2) * twice)
            / (Complex(1) + Complex(s.a1) * back + Complex(s.a2) * twice))
      }.magnitude
    }
  }

  /// Forward in time from rest, as a filter that cannot see ahead.
  /// - Throws: `InvalidInput` for numbers that are not finite.
  public func filter(_ signals: Tensor) throws -> Tensor {
    let x = try signals.observedSignal("SectionFilter")
    return x.mappedRows { row in
      var row = row
      run(&row, level: 0)
      return row
    }
  }

  /// Forward and backward, so that nothing is delayed and gains are squared (`scipy.signal.sosfiltfilt`).
  /// Signals are continued at both ends by their reflection in the end point, three times as long as the
  /// filter, and each pass starts as if the first value had been there for ever.
  /// - Throws: `InvalidInput` for numbers that are not finite, or signals no longer than the continuation.
  public func filterZeroPhase(_ signals: Tensor) throws -> Tensor {
    let x = try signals.observedSignal("SectionFilter")
    let length = x.dim(-1), padding = continuation
    try require(
      length > padding,
      "filtering forward and backward needs more than \(padding) samples, got \(length)")
    return x.mappedRows { row in
      let first = row[0], last = row[length - 1]
      var long = (0..<padding).map { 2 * first - row[padding - $0] } + row
      long += (0..<padding).map { 2 * last - row[length - 2 - $0] }
      run(&long, level: long[0])
      long.reverse()
      run(&long, level: long[0])
      long.reverse()
      return Array(long[padding..<padding + length])
    }
  }

  /// Three times the number of coefficients, of which first-order sections have one less.
  private var continuation: Int {
    let short = min(sections.filter { $0.b2 == 0 }.count, sections.filter { $0.a2 == 0 }.count)
    return 3 * (2 * sections.count + 1 - short)
  }

  /// `level` is what came in before the first sample.
  private func run(_ x: inout [Double], level: Double) {
    var level = level
    for s in sections {
      let settled = s.settled
      var (first, second) = (settled.first * level, settled.second * level)
      level *= (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
      for t in x.indices {
        let input = x[t], output = s.b0 * input + first
        first = s.b1 * input - s.a1 * output + second
        second = s.b2 * input - s.a2 * output
        x[t] = output
      }
    }
  }
}
