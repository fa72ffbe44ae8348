import Foundation

/// One axis of a plot: what it covers, where its ticks are, what they are called.
struct Axis {
  let title: String
  let range: ClosedRange<Double>
  let isLogarithmic: Bool
  let ticks: [(value: Double, label: String)]

  /// An axis over `range`, widened by `padding` of its length on either side but not below `floor`
  /// or above `ceiling`. Logarithmic where the values differ more than thirtyfold, if allowed. Of whole
  /// numbers, such as steps, only whole ones get ticks.
  init(
    _ title: String, over given: ClosedRange<Double>, padding: Double = 0.06,
    floor: Double = -.infinity, ceiling: Double = .infinity, allowsLogarithm: Bool = false,
    isWhole: Bool = false, labels: ([Double]) -> [String] = Axis.labels
  ) {
    self.title = title
    // So that lengths and margins are numbers too.
    func tamed(_ value: Double) -> Double { min(max(value, -1e300), 1e300) }
    let range = tamed(given.lowerBound)...tamed(given.upperBound)
    let values: [Double]
    isLogarithmic =
      allowsLogarithm && range.lowerBound > 0
      && range.upperBound / range.lowerBound > 30
    if isLogarithmic {
      let factor = pow(range.upperBound / range.lowerBound, padding)
      self.range = range.lowerBound / factor...range.upperBound * factor
      values = Self.logarithmicTicks(self.range)
    } else {
      var margin = (range.upperBound - range.lowerBound) * padding
      // A single value gets some air around it.
      if margin == 0, padding > 0 {
        margin = range.lowerBound == 0 ? 1 : abs(range.lowerBound) * 0.1
      }
      let low = max(range.lowerBound - margin, min(floor, range.lowerBound))
      let high = min(range.upperBound + margin, max(ceiling, range.upperBound))
      self.range = low...max(high, low + max(abs(low), 1) * 1e-9)
      values = Self.linearTicks(self.range, isWhole: isWhole)
    }
    ticks = zip(values, labels(values)).map { ($0, $1) }
  }

  /// Over values that were measured: whole where all of them are.
  init(_ title: String, of values: [Double]) {
    let finite = values.filter(\.isFinite)
    self.init(
      title, over: (finite.min() ?? 0)...(finite.max() ?? 1),
      isWhole: finite.allSatisfy { $0 == $0.rounded() })
  }

  /// 0 at the lower end, 1 at the upper.
  func position(of value: Double) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    return isLogarithmic
      ? log(max(value, .leastNormalMagnitude) / low) / log(high / low)
      : (value - low) / (high - low)
  }

  /// The value, or the end of the axis where it lies beyond: errors may reach where scores cannot.
  func clamped(_ value: Double) -> Double { min(max(value, range.lowerBound), range.upperBound) }

  /// Multiples of 1, 2, 2.5 or 5 times a power of ten, about five of them.
  private static func linearTicks(_ range: ClosedRange<Double>, isWhole: Bool) -> [Double] {
    let length = range.upperBound - range.lowerBound
    let power = pow(10, log10(length).rounded(.down))
    let steps = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5].map { $0 * power }
      .filter { !isWhole || ($0 >= 1 && abs($0 - $0.rounded()) < 1e-9 * $0) }
    func distance(_ step: Double) -> Double { abs(log(length / step / 5)) }
    let step = steps.min { distance($0) < distance($1) } ?? max(power, 1)
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    guard first <= last, last - first < 100 else { return [] }
    return (0...Int(last - first)).map { (first + Double($0)) * step }
  }

  /// 1, 2 and 5 of every decade, or whole decades where those would crowd.
  private static func logarithmicTicks(_ range: ClosedRange<Double>) -> [Double] {
    let first = Int(log10(range.lowerBound).rounded(.down))
    let last = Int(log10(range.upperBound).rounded(.up))
    let decades = (first...max(first, last)).map { pow(10, Double($0)) }
    let all = decades.flatMap { decade in [1, 2, 5].map { $0 * decade } }.filter(range.contains)
    let whole = decades.filter(range.contains)
    // Of very many decades every second, third, ... one.
    return all.count <= 6
      ? all : whole.enumerated().filter { $0.offset.isMultiple(of: whole.count / 7 + 1) }.map(\.element)
  }

  /// As few decimals as tell the values apart, thousands with a comma; in powers of ten where that is shorter.
  static func labels(_ values: [Double]) -> [String] {
    let largest = values.map { abs($0) }.filter(\.isFinite).max() ?? 0
    let gap =
      zip(values, values.dropFirst()).map { $1 - $0 }.filter { $0 > 0 && $0.isFinite }.min() ?? largest
    let digits = gap > 0 ? Int(min(max((log10(largest) - log10(gap)).rounded(.up) + 1, 2), 12)) : 2
    let decimals = gap > 0 ? Int(min(max((1 - log10(gap)).rounded(.up), 0), 12)) : 0
    func text(_ value: Double) -> String {
      if !value.isFinite { return "not a number" }
      let size = abs(value)
      if value == 0 || size < 1e-9 * largest { return "0" }
      if size >= 1e6 || (largest < 1e-3) {
        return size < 1e15 && size >= 1e6 ? compactLabel(value) : Format.power(value, digits: digits)
      }
      if size >= 1000, gap >= 1 { return Format.count(Int(value.rounded())) }
      return trimmed(String(format: "%.\(decimals)f", value))
    }
    return values.map { text($0).replacingOccurrences(of: "-", with: "−") }
  }

  private static func trimmed(_ number: String) -> String {
    var text = number
    while text.contains("."), text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text == "-0" ? "0" : text
  }

  /// "200 k" rather than "200,000", unless that is longer.
  static func compactLabels(_ values: [Double]) -> [String] {
    zip(values, labels(values)).map { value, plain in
      guard abs(value) >= 1000, abs(value) < 1e6 else { return plain }
      let compact = compactLabel(value)
      return compact.count < plain.count ? compact : plain
    }
  }

  private static func compactLabel(_ value: Double) -> String {
    let steps: [(Double, String)] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")]
    for (unit, suffix) in steps where abs(value) >= unit {
      return trimmed(String(format: "%.4f", value / unit)) + suffix
    }
    return labels([value])[0]
  }
}
