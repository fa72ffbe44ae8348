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
    hundredths(fraction * 100)
  }

  private static func hundredths(_ value: Double) -> String {
    value.isFinite ? String(format: "%.2f", value) : "not a number"
  }

  /// "88.41 ± 0.32 %", or "88.41 %" for one run. For fewer than `seeds` runs, says how many.
  package static func percent(_ estimate: Estimate, of seeds: Int? = nil) -> String {
    let note = seeds.map { estimate.count < $0 ? " (n = \(estimate.count))" : "" } ?? ""
    return withError(estimate.mean * 100, estimate.halfWidth.map { $0 * 100 }, alone: hundredths) + " %"
      + note
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
    return sign
      + withError(
        abs(estimate.mean) * metric.scale, estimate.halfWidth.map { $0 * metric.scale },
        alone: metric.isFraction ? hundredths : fourDigits)
  }

  /// "0.032", "< 0.001".
  package static func probability(_ p: Double) -> String {
    p < 0.001 ? "< 0.001" : String(format: p < 0.1 ? "%.3f" : "%.2f", p)
  }

  /// "1 step", "2 steps", of a noun that takes an s.
  package static func count(_ value: Int, _ noun: String) -> String {
    "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
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

  /// 1234567.2 as "1,234,567", and in powers of ten what has more digits than a Double.
  package static func count(_ value: Double) -> String {
    Int(exactly: value.rounded()).flatMap { $0.magnitude < 1 << 53 ? count($0) : nil }
      ?? String(format: "%.4g", value)
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

  /// Three significant digits; in powers of ten only where there would be no end of zeros.
  package static func significant(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "–" }
    guard (1e-8..<1e15).contains(abs(value)) else { return power(value, digits: 3) }
    // 9.996 has one decimal, because it is shown as 10.0.
    let decimals = max(0, 2 - Int(log10(abs(value) / 0.9995).rounded(.down)))
    return String(format: "%.\(min(decimals, 10))f", value)
  }

  /// 0.0000123 as "1.2e-5".
  static func power(_ value: Double, digits: Int) -> String {
    let parts = String(format: "%.\(digits - 1)e", value).split(separator: "e")
    guard parts.count == 2, let exponent = Int(parts[1]) else { return "not a number" }
    return "\(parts[0])e\(exponent)"
  }

  // MARK: Means with errors

  /// A mean with half its 95 % interval, "0.951 ± 0.012", or the mean alone, in four digits, for one run.
  package static func estimate(_ estimate: Estimate) -> String {
    self.estimate(mean: estimate.mean, halfWidth: estimate.halfWidth)
  }

  package static func estimate(mean: Double, halfWidth: Double?) -> String {
    withError(mean, halfWidth, alone: fourDigits)
  }

  /// Below this share of the mean, an error is that of rounding.
  private static let rounding = 1e-12

  /// The error in two significant digits and the mean as far as those go: what is beyond is chance. An error that
  /// is none but of rounding is 0.
  private static func withError(
    _ mean: Double, _ error: Double?, alone: (Double) -> String
  ) -> String {
    guard let error else { return alone(mean) }
    guard mean.isFinite, error.isFinite else {
      return "\(alone(mean)) ± \(error.isFinite ? alone(error) : "not a number")"
    }
    guard error > rounding * abs(mean) else { return "\(alone(mean)) ± 0" }
    let size = max(abs(mean), error)
    guard (1e-3..<1e6).contains(size) else {
      let exponent = Int(log10(size).rounded(.down)), unit = pow(10, Double(exponent))
      return "(\(withError(mean / unit, error / unit, alone: alone)))e\(exponent)"
    }
    // 0.0996 has two decimals, because it is shown as 0.10.
    let wanted = 1 - Int(log10(error / 0.995).rounded(.down))
    // Six digits of a mean are enough for everybody; an error far below them has a power of its own.
    let most = 5 - Int(log10(size).rounded(.down)), decimals = max(min(wanted, most), 0)
    func number(_ value: Double) -> String {
      decimals == 0 && abs(value) >= 1000
        ? count(Int(value.rounded())) : String(format: "%.\(decimals)f", value)
    }
    return "\(number(mean)) ± \(wanted > most + 1 ? power(error, digits: 2) : number(error))"
  }

  private static func fourDigits(_ value: Double) -> String {
    guard value.isFinite else { return "not a number" }
    let size = abs(value)
    return size == 0 || (1e-3..<1e6).contains(size)
      ? String(format: size >= 100 ? "%.1f" : "%.4g", value) : String(format: "%.2e", value)
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
