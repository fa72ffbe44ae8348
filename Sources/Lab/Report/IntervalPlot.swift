import CallosumContracts

/// Scores side by side: one row per arm with its mean, its 95 % interval and every seed, so that
/// overlap is seen at a glance. Inline SVG like ``Plot``.
struct IntervalPlot {
  struct Row {
    let name: String
    let value: String
    let estimate: Estimate
    let seeds: [Double]
    let arm: Int
  }

  let rows: [Row]
  let axis: Axis
  let summary: String
  /// What scores are multiplied with along the axis: fractions are shown in percent.
  private let scale: Double

  /// Nil without a single result.
  init?(_ rows: [Row], _ metric: Metric, summary: String) {
    let values = rows.flatMap { row in
      [row.estimate.mean] + row.seeds
        + (row.estimate.interval.map { [$0.lowerBound, $0.upperBound] } ?? [])
    }.filter(\.isFinite)
    guard let low = values.min(), let high = values.max() else { return nil }
    self.rows = rows
    self.summary = summary
    scale = metric.scale
    axis = metric.axis("test", over: low * scale...high * scale, padding: 0.05)
  }

  private static let rowHeight = 52.0
  private static let left = 10.0
  private static let right = Plot.width - 18
  private static let top = 4.0
  private var bottom: Double { Self.top + Double(rows.count) * Self.rowHeight + 4 }

  private func place(_ score: Double) -> Double {
    Self.left + min(max(axis.position(of: score * scale), 0), 1) * (Self.right - Self.left)
  }

  var svg: HTML {
    """
    <svg class="plot" viewBox="0 0 \(Plot.width) \(bottom + 44)" role="img" aria-label="\(summary)">
    <title>\(summary)</title>
    \(axis.ticks.map(tick))
    <line class="axis" x1="\(Self.left)" y1="\(bottom)" x2="\(Self.right)" y2="\(bottom)"/>
    <text class="axis-title" x="\(Self.right)" y="\(bottom + 38)" text-anchor="end">\(axis.title)</text>
    \(rows.enumerated().map(draw))
    </svg>
    """
  }

  /// As much of a name as fits beside the value on a phone.
  private func shortened(_ name: String) -> String {
    DisplayWidth.of(name) <= 28 ? name : DisplayWidth.clip(name, to: 27) + "…"
  }

  private func tick(_ tick: (value: Double, label: String)) -> HTML {
    let x = place(tick.value / scale)
    return """
      <line class="grid" x1="\(x)" y1="\(Self.top)" x2="\(x)" y2="\(bottom)"/>\
      <text x="\(x)" y="\(bottom + 18)" text-anchor="middle">\(tick.label)</text>
      """
  }

  private func draw(_ index: Int, _ row: Row) -> HTML {
    let top = Self.top + Double(index) * Self.rowHeight
    let y = top + 31
    let bar = row.estimate.interval.map { interval -> HTML in
      let (low, high) = (place(interval.lowerBound), place(interval.upperBound))
      return """
        \(Plot.bar(low, y, high, y, row.arm))\
        \(Plot.bar(low, y - 5, low, y + 5, row.arm))\(Plot.bar(high, y - 5, high, y + 5, row.arm))
        """
    }
    let dots = row.seeds.filter(\.isFinite).map { seed -> HTML in
      "<circle class=\"dot arm\(Style.slot(row.arm))\" cx=\"\(place(seed))\" cy=\"\(y + 10)\" r=\"2.6\"/>"
    }
    return """
      <text class="name halo" x="0" y="\(top + 17)">\(shortened(row.name))</text>\
      <text class="value halo" x="\(Plot.width)" y="\(top + 17)" text-anchor="end">\(row.value)</text>
      \([bar].compactMap { $0 })\(dots)\(Marker.draw(row.arm, atX: place(row.estimate.mean), y: y))
      """
  }
}

extension Metric {
  /// The name as a title begins with it.
  var title: String { name.prefix(1).uppercased() + name.dropFirst() }

  /// Fractions are drawn in percent.
  var scale: Double { isFraction ? 100 : 1 }

  /// An axis over scaled values. Chance scatter can push an interval of fractions past 0 or 100 %, an axis
  /// never goes there.
  func axis(_ split: String?, over range: ClosedRange<Double>, padding: Double = 0.06) -> Axis {
    let title =
      [split, name].compactMap { $0 }.joined(separator: " ")
      + (isFraction ? ", %" : unit.isEmpty ? "" : ", \(unit)")
    guard isFraction else { return Axis(title, over: range, padding: padding) }
    let low = min(max(range.lowerBound, 0), 100)
    return Axis(
      title, over: low...max(low, min(range.upperBound, 100)), padding: padding, floor: 0, ceiling: 100)
  }
}
