import CallosumContracts
import Foundation

/// Numbers as people read them, the same in the terminal and in the report.
package enum Format {
  /// 0.8841 as "88.41 %".
  package static func percent(_ fraction: Double) -> String {
    points(fraction) + " %"
  }

  /// 0.8841 as "88.41".
  package static func points(_ fraction: Double) -> String {
    fraction.isFinite ? String(format: "%.2f", fraction * 100) : "not a number"
  }

  /// "88.41 ± 0.32 %", or "88.41 %" for one run. For fewer than `seeds` runs, says how many.
  package static func percent(_ estimate: Estimate, of seeds: Int? = nil) -> String {
    let spread = estimate.halfWidth.map { " ± " + points($0) } ?? ""
    let note = seeds.map { estimate.count < $0 ? " (n = \(estimate.count))" : "" } ?? ""
    return points(estimate.mean) + spread + " %" + note
  }

  /// A mean in a metric: in percent where it is a fraction. For fewer than `seeds` runs, says how many.
  package static func score(_ estimate: Estimate, _ metric: Metric, of seeds: Int? = nil) -> String {
    if metric.isFraction { return percent(estimate, of: seeds) }
    let note = seeds.map { estimate.count < $0 ? " (n = \(estimate.count))" : "" } ?? ""
    return self.estimate(estimate) + (metric.unit.isEmpty ? "" : " \(metric.unit)") + note
  }

  /// One number in a metric.
  package static func score(_ value: Double, _ metric: Metric) -> String {
    metric.isFraction
      ? percent(value) : significant(value) + (metric.unit.isEmpty ? "" : " \(metric.unit)")
  }

  /// A difference in a metric with its sign, "−0.41 ± 0.32": in percentage points where it is a fraction.
  package static func difference(_ estimate: Estimate, _ metric: Metric) -> String {
    let sign = estimate.mean < 0 ? "−" : estimate.mean > 0 ? "+" : ""
    let number = metric.isFraction ? points : { significant($0) }
    return sign + number(abs(estimate.mean)) + (estimate.halfWidth.map { " ± " + number($0) } ?? "")
  }

  /// "0.032", "< 0.001".
  package static func probability(_ p: Double) -> String {
    p < 0.001 ? "< 0.001" : String(format: p < 0.1 ? "%.3f" : "%.2f", p)
  }

  /// 1234567 as "1,234,567".
  package static func count(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var grouped = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { grouped.append(",") }
      grouped.append(digit)
    }
    return (value < 0 ? "−" : "") + grouped
  }

  /// Three significant digits with k, M, G or T: 1234567 as "1.23 M".
  package static func compact(_ value: Double) -> String {
    let steps: [(Double, String)] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")]
    // 999,600 is 1.00 M, not 1000 k.
    for (unit, suffix) in steps where abs(value) >= unit * 0.9995 {
      return significant(value / unit) + suffix
    }
    return significant(value)
  }

  /// Speeds: whole numbers from 100 on.
  package static func rate(_ value: Double) -> String {
    value.isFinite && abs(value) < 1e15
      ? (abs(value) >= 100 ? count(Int(value.rounded())) : significant(value)) : "–"
  }

  /// Three significant digits, never in powers of ten.
  package static func significant(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "–" }
    // 9.996 has one decimal, because it is shown as 10.0.
    let decimals = max(0, 2 - Int(log10(abs(value) / 0.9995).rounded(.down)))
    return String(format: "%.\(min(decimals, 8))f", value)
  }

  /// A mean with half its 95 % interval, "0.951 ± 0.012", or the mean alone for one run.
  package static func estimate(_ estimate: Estimate) -> String {
    self.estimate(mean: estimate.mean, halfWidth: estimate.halfWidth)
  }

  package static func estimate(mean: Double, halfWidth: Double?) -> String {
    func number(_ value: Double) -> String {
      guard value.isFinite else { return "not a number" }
      let size = abs(value)
      return size == 0 || (1e-3..<1e6).contains(size)
        ? String(format: size >= 100 ? "%.1f" : "%.4g", value) : String(format: "%.2e", value)
    }
    return number(mean) + (halfWidth.map { " ± " + number($0) } ?? "")
  }

  /// Seconds as "0:07", "12:34" or "1:02:03".
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "a long time" }
    let whole = Int(max(seconds, 0).rounded())
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, whole % 60)
      : String(format: "%d:%02d", minutes, whole % 60)
  }

  /// "a", "a and b", "a, b and c".
  package static func list(_ words: [String]) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  /// Keeps numbers and what belongs to them on one line, by spaces that do not break.
  static func unbroken(_ text: String) -> String {
    text.replacingOccurrences(of: " ± ", with: "\u{A0}±\u{A0}")
      .replacingOccurrences(of: " %", with: "\u{A0}%")
  }
}
