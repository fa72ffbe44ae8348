/// A plot as inline SVG: axes, grid, bands, lines, points with error bars.
///
/// Drawn 420 units wide, which fills a phone and half a desktop page. Colours and sizes of letters
/// come from the page's style sheet, so one drawing serves light, dark and paper.
struct Plot {
  typealias Position = (x: Double, y: Double)

  /// What a plot shows; `arm` picks colour and shape.
  enum Mark {
    case band([(x: Double, low: Double, high: Double)], arm: Int)
    case line([Position], arm: Int)
    /// One of many, small and pale; beside its place, a little to the right, where an error bar would cover it.
    case dot(Position, arm: Int, isBeside: Bool = false)
    /// A result, with error bars where there are any.
    case point(
      Position, xError: ClosedRange<Double>?, yError: ClosedRange<Double>?, arm: Int)
  }

  let x: Axis
  let y: Axis
  /// What a screen reader says.
  let summary: String
  let marks: [Mark]

  static let width = 420.0
  private static let height = 300.0
  private static let top = 30.0
  private static let bottom = height - 46

  /// Units of a digit as large as a phone shows them, see the style sheet.
  private static let digit = 8.4

  /// As much of an axis's title as fits above or below it.
  static func shortened(_ title: String) -> String {
    DisplayWidth.of(title) <= 48 ? title : DisplayWidth.clip(title, to: 47) + "…"
  }

  /// Where the drawing begins: behind the longest label.
  private var left: Double {
    max(50, 9 + Self.digit * Double(y.ticks.map { DisplayWidth.of($0.label) }.max() ?? 0))
  }

  /// Where it ends, with half a label to the right of it.
  private var right: Double {
    Self.width - max(22, 2 + Self.digit / 2 * Double(x.ticks.last.map { DisplayWidth.of($0.label) } ?? 0))
  }

  /// Width by height of what lies between the axes.
  var shape: Double { (right - left) / (Self.bottom - Self.top) }

  var svg: HTML {
    """
    <svg class="plot" viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="\(summary)">
    <title>\(summary)</title>
    <text class="axis-title" x="2" y="14">\(Self.shortened(y.title))</text>
    \(y.ticks.map(horizontalTick))
    \(x.ticks.map(verticalTick))
    <line class="axis" x1="\(left)" y1="\(Self.bottom)" x2="\(right)" y2="\(Self.bottom)"/>
    <text class="axis-title" x="\(right)" y="\(Self.height - 6)" text-anchor="end">\(Self.shortened(x.title))</text>
    \(ordered.map(draw))
    </svg>
    """
  }

  private func horizontal(_ value: Double) -> Double {
    left + min(max(x.position(of: value), -0.2), 1.2) * (right - left)
  }

  private func vertical(_ value: Double) -> Double {
    Self.bottom - min(max(y.position(of: value), -20), 20) * (Self.bottom - Self.top)
  }

  private func horizontalTick(_ tick: (value: Double, label: String)) -> HTML {
    let height = vertical(tick.value)
    return """
      <line class="grid" x1="\(left)" y1="\(height)" x2="\(right)" y2="\(height)"/>\
      <text x="\(left - 7)" y="\(height + 4.5)" text-anchor="end">\(tick.label)</text>
      """
  }

  private func verticalTick(_ tick: (value: Double, label: String)) -> HTML {
    let place = horizontal(tick.value)
    return """
      <line class="axis" x1="\(place)" y1="\(Self.bottom)" x2="\(place)" y2="\(Self.bottom + 4)"/>\
      <text x="\(place)" y="\(Self.bottom + 19)" text-anchor="middle">\(tick.label)</text>
      """
  }

  /// Bands lie under lines, lines under points.
  private var ordered: [Mark] {
    func layer(_ mark: Mark) -> Int {
      switch mark {
      case .band: 0
      case .line: 1
      case .dot: 2
      case .point: 3
      }
    }
    return (0...3).flatMap { level in marks.filter { layer($0) == level } }
  }

  private func draw(_ mark: Mark) -> HTML {
    switch mark {
    case .band(let band, let arm):
      let points =
        clipped(band.map { ($0.x, $0.high) }) + clipped(band.map { ($0.x, $0.low) }).reversed()
      return "<polygon class=\"band arm\(Style.slot(arm))\" points=\"\(path(points))\"/>"
    case .line(let line, let arm):
      // What is no number is a gap, and a value between two gaps a dot: a line through one point cannot be seen.
      return line.split { !$0.x.isFinite || !$0.y.isFinite }.map { piece -> HTML in
        let points = clipped(Array(piece))
        guard let first = points.first else { return "" }
        let isPoint = points.allSatisfy { $0 == first }
        return isPoint
          ? "<circle class=\"end arm\(Style.slot(arm))\" cx=\"\(horizontal(first.x))\" cy=\"\(vertical(first.y))\" r=\"3.5\"/>"
          : "<polyline class=\"line arm\(Style.slot(arm))\" points=\"\(path(points))\"/>"
      }.reduce("", +)
    case .dot(let position, let arm, let isBeside):
      guard position.x.isFinite, position.y.isFinite else { return "" }
      let (cx, cy) = (horizontal(position.x) + (isBeside ? 10 : 0), vertical(position.y))
      return "<circle class=\"dot arm\(Style.slot(arm))\" cx=\"\(cx)\" cy=\"\(cy)\" r=\"2.6\"/>"
    case .point(let position, let xError, let yError, let arm):
      let (px, py) = (horizontal(position.x), vertical(position.y))
      let across = xError.map { error -> HTML in
        Self.bar(
          horizontal(x.clamped(error.lowerBound)), py, horizontal(x.clamped(error.upperBound)), py, arm)
      }
      let along = yError.map { error -> HTML in
        Self.bar(px, vertical(y.clamped(error.lowerBound)), px, vertical(y.clamped(error.upperBound)), arm)
      }
      return "\([across, along].compactMap { $0 })\(Marker.draw(arm, atX: px, y: py))"
    }
  }

  static func bar(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ arm: Int) -> HTML {
    "<line class=\"error arm\(Style.slot(arm))\" x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\"/>"
  }

  private func path(_ points: [Position]) -> HTML {
    let places = points.map { "\(horizontal($0.x)),\(vertical($0.y))" as HTML }
    return places.dropFirst().reduce(places.first ?? "") { "\($0) \($1)" }
  }

  /// The line where it is inside the axes: values outside are cut at the border, at the very place
  /// where the line crosses it.
  private func clipped(_ points: [Position]) -> [Position] {
    let finite = points.filter { $0.x.isFinite && $0.y.isFinite }
    let (low, high) = (y.range.lowerBound, y.range.upperBound)
    var kept: [Position] = []
    for (index, point) in finite.enumerated() {
      if index > 0 {
        let before = finite[index - 1]
        let crossings = [low, high].filter { ($0 - before.y) * ($0 - point.y) < 0 }
          .sorted { abs($0 - before.y) < abs($1 - before.y) }
        kept += crossings.map { border in
          let part = (border - before.y) / (point.y - before.y)
          return (before.x + part * (point.x - before.x), border)
        }
      }
      if y.range.contains(point.y) { kept.append(point) }
    }
    return kept
  }
}

/// The shape of an arm: with colour, the second way to tell arms apart.
enum Marker {
  static func draw(_ arm: Int, atX x: Double, y: Double) -> HTML {
    let name = "marker arm\(Style.slot(arm))"
    let r = 5.0
    switch arm % 6 {
    case 0: return "<circle class=\"\(name)\" cx=\"\(x)\" cy=\"\(y)\" r=\"\(r)\"/>"
    case 1: return polygon(name, [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)])
    case 2: return polygon(name, [(x, y - r * 1.3), (x + r * 1.2, y + r), (x - r * 1.2, y + r)])
    case 3:
      return polygon(
        name, [(x, y - r * 1.4), (x + r * 1.4, y), (x, y + r * 1.4), (x - r * 1.4, y)])
    case 4: return polygon(name, [(x, y + r * 1.3), (x + r * 1.2, y - r), (x - r * 1.2, y - r)])
    default:
      return polygon(
        name,
        [
          (x - r * 1.3, y), (x - r * 0.65, y - r * 1.1), (x + r * 0.65, y - r * 1.1),
          (x + r * 1.3, y), (x + r * 0.65, y + r * 1.1), (x - r * 0.65, y + r * 1.1),
        ])
    }
  }

  private static func polygon(_ name: String, _ corners: [Plot.Position]) -> HTML {
    let places = corners.map { "\($0.x),\($0.y)" as HTML }
    let path = places.dropFirst().reduce(places.first ?? "") { "\($0) \($1)" }
    return "<polygon class=\"\(name)\" points=\"\(path)\"/>"
  }
}
