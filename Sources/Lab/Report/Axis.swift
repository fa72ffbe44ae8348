import Foundation

/// One axis of a plot: what it covers, where its ticks are, what they are called.
struct Axis {
  let title: String
  let range: ClosedRange<Double>
  let isLogarithmic: Bool
  let ticks: [(value: Double, label: String)]

  /// An axis over `range`, widened by `padding` of its length on either side but not below `floor`
  /// or above `ceiling`. Logarithmic where the values differ more than thirtyfold, if allowed.
  init(
    _ title: String, over range: ClosedRange<Double>, padding: Double = 0.06,
    floor: Double = -.infinity, ceiling: Double = .infinity, allowsLogarithm: Bool = false,
    label: (Double) -> String = Axis.plainLabel
  ) {
    self.title = title
    isLogarithmic =
      allowsLogarithm && range.lowerBound > 0
      && range.upperBound / range.lowerBound > 30
    if isLogarithmic {
      let factor = pow(range.upperBound / range.lowerBound, padding)
      self.range = range.lowerBound / factor...range.upperBound * factor
      ticks = Self.logarithmicTicks(self.range).map { ($0, label($0)) }
    } else {
      var margin = (range.upperBound - range.lowerBound) * padding
      // A single value gets some air around it.
      if margin == 0, padding > 0 {
        margin = range.lowerBound == 0 ? 1 : abs(range.lowerBound) * 0.1
      }
      let low = max(range.lowerBound - margin, min(floor, range.lowerBound))
      let high = min(range.upperBound + margin, max(ceiling, range.upperBound))
      self.range = low...max(high, low + max(abs(low), 1) * 1e-9)
      ticks = Self.linearTicks(self.range).map { ($0, label($0)) }
    }
  }

  /// 0 at the lower end, 1 at the upper.
  func position(of value: Double) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    return isLogarithmic
      ? log(max(value, .leastNormalMagnitude) / low) / log(high / low)
      : (value - low) / (high - low)
  }

  /// Multiples of 1, 2, 2.5 or 5 times a power of ten, about five of them.
  private static func linearTicks(_ range: ClosedRange<Double>) -> [Double] {
    let length = range.upperBound - range.lowerBound
    let power = pow(10, log10(length).rounded(.down))
    let steps = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5].map { $0 * power }
    func distance(_ step: Double) -> Double { abs(log(length / step / 5)) }
    let step = steps.min { distance($0) < distance($1) } ?? power
    let first = Int((range.lowerBound / step - 1e-9).rounded(.up))
    let last = Int((range.upperBound / step + 1e-9).rounded(.down))
    return first <= last ? (first...last).map { Double($0) * step } : []
  }

  /// 1, 2 and 5 of every decade, or whole decades where those would crowd.
  private static func logarithmicTicks(_ range: ClosedRange<Double>) -> [Double] {
    let first = Int(log10(range.lowerBound).rounded(.down))
    let last = Int(log10(range.upperBound).rounded(.up))
    let decades = (first...max(first, last)).map { pow(10, Double($0)) }
    let all = decades.flatMap { decade in [1, 2, 5].map { $0 * decade } }.filter(range.contains)
    return all.count <= 6 ? all : decades.filter(range.contains)
  }

  /// As few decimals as the value needs, thousands with a comma.
  static func plainLabel(_ value: Double) -> String {
    if abs(value) >= 1000 { return Format.count(Int(value.rounded())) }
    var text = String(format: "%.4f", value)
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text == "-0" ? "0" : text.replacingOccurrences(of: "-", with: "−")
  }

  /// "200 k" rather than "200,000".
  static func compactLabel(_ value: Double) -> String {
    let steps: [(Double, String)] = [(1e9, " G"), (1e6, " M"), (1e3, " k")]
    for (unit, suffix) in steps where abs(value) >= unit {
      return plainLabel(value / unit) + suffix
    }
    return plainLabel(value)
  }
}
