import CallosumContracts

/// Draws a ``Picture`` as figures of a page, or as an SVG file of its own.
package struct PictureDrawing {
  private let picture: Picture

  package init(_ picture: Picture) { self.picture = picture }

  /// The panels as figures.
  var figures: [HTML] {
    picture.panels.map { panel in
      """
      <figure>
      <figcaption>\(panel.title)</figcaption>
      \(legend(panel.content))
      \(drawing(panel))
      </figure>
      """
    }
  }

  /// A page that shows the picture and nothing else.
  package var page: String {
    let page = HTML.page(
      title: picture.title,
      """
      <h1>\(picture.title)</h1>
      <p>\(picture.caption)</p>
      <div class="figures">
      \(figures)
      </div>
      """)
    return page.text
  }

  private func series(_ content: Picture.Content) -> [Picture.Series] {
    switch content {
    case .lines(_, _, let series), .points(_, _, let series), .paths(_, _, let series): series
    case .grid: []
    }
  }

  private func legend(_ content: Picture.Content) -> HTML {
    let all = series(content)
    guard all.count > 1 else { return "" }
    let entries = all.enumerated().map { "<li>\(Figures.key($0))\($1.name)</li>" as HTML }
    return "<ul class=\"legend\">\(entries)</ul>"
  }

  private func drawing(_ panel: Picture.Panel) -> HTML {
    switch panel.content {
    case .lines(let x, let y, let series):
      return plot(panel.title, x, y, series) { .line($0, arm: $1) }
    case .paths(let x, let y, let series):
      return plot(panel.title, x, y, series, isTrueToScale: true) { .line($0, arm: $1) }
    case .points(let x, let y, let series):
      let bounds = (axis(x, series.flatMap(\.points).map(\.x)), axis(y, series.flatMap(\.points).map(\.y)))
      let marks = series.enumerated().flatMap { arm, one in
        one.points.map { Plot.Mark.dot(($0.x, $0.y), arm: arm) }
      }
      return Plot(x: bounds.0, y: bounds.1, summary: "\(panel.title): \(y) against \(x).", marks: marks).svg
    case .grid(let x, let y, let values, let range):
      return HeatMap(x: x, y: y, values: values, range: range, summary: panel.title).svg
    }
  }

  private func plot(
    _ title: String, _ x: String, _ y: String, _ series: [Picture.Series], isTrueToScale: Bool = false,
    _ mark: ([Plot.Position], Int) -> Plot.Mark
  ) -> HTML {
    let points = series.flatMap(\.points)
    var (across, along) = (axis(x, points.map(\.x)), axis(y, points.map(\.y)))
    if isTrueToScale {
      // The drawing is wider than high by this factor.
      let shape = 348.0 / 224.0
      let width = across.range.upperBound - across.range.lowerBound
      let height = along.range.upperBound - along.range.lowerBound
      func stretched(_ range: ClosedRange<Double>, to length: Double) -> ClosedRange<Double> {
        let middle = (range.lowerBound + range.upperBound) / 2
        return middle - length / 2...middle + length / 2
      }
      across = Axis(x, over: stretched(across.range, to: max(width, height * shape)), padding: 0)
      along = Axis(y, over: stretched(along.range, to: max(height, width / shape)), padding: 0)
    }
    return Plot(
      x: across, y: along, summary: "\(title): \(y) against \(x).",
      marks: series.enumerated().map { arm, one in mark(one.points.map { ($0.x, $0.y) }, arm) }
    ).svg
  }

  private func axis(_ title: String, _ values: [Double]) -> Axis {
    let finite = values.filter(\.isFinite)
    return Axis(title, over: (finite.min() ?? 0)...(finite.max() ?? 1))
  }
}

/// A matrix as squares whose darkness is their value.
struct HeatMap {
  let x, y: String
  let values: [[Double]]
  let range: ClosedRange<Double>?
  let summary: String

  var svg: HTML {
    let all = values.joined().filter(\.isFinite)
    let low = range?.lowerBound ?? all.min() ?? 0, high = range?.upperBound ?? all.max() ?? 1
    let (rows, columns) = (values.count, values.map(\.count).max() ?? 0)
    let (width, top) = (Plot.width - 24, 24.0)
    let side = columns > 0 ? min(width / Double(columns), 260 / Double(max(rows, 1))) : 0
    let bottom = top + side * Double(rows)
    let cells = values.enumerated().flatMap { row, line in
      line.enumerated().map { column, value -> HTML in
        let share = high > low ? min(max((value - low) / (high - low), 0), 1) : 0
        let (left, up) = (12 + side * Double(column), top + side * Double(row))
        return """
          <rect class="cell arm0" x="\(left)" y="\(up)" width="\(side)" height="\(side)" \
          fill-opacity="\(hundredths: value.isFinite ? share : 0)"/>
          """
      }
    }
    let scale = "\(Axis.plainLabel(low)) (light) to \(Axis.plainLabel(high)) (dark)"
    return """
      <svg class="plot" viewBox="0 0 \(Plot.width) \(bottom + 40)" role="img" aria-label="\(summary)">
      <title>\(summary)</title>
      <text class="axis-title" x="12" y="14">\(y)</text>
      <rect class="frame" x="12" y="\(top)" width="\(side * Double(columns))" height="\(side * Double(rows))"/>
      \(cells)
      <text class="axis-title" x="12" y="\(bottom + 18)">\(x)</text>
      <text x="12" y="\(bottom + 34)">\(scale)</text>
      </svg>
      """
  }
}
