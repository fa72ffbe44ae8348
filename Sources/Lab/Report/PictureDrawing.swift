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
    let summary = "\(panel.title): \(panel.content.y) against \(panel.content.x)."
    switch panel.content {
    case .lines(_, _, let series):
      return plot(panel, summary, series.enumerated().map { .line($1.positions, arm: $0) }).svg
    case .paths(_, _, let series):
      return trueToScale(plot(panel, summary, series.enumerated().map { .line($1.positions, arm: $0) })).svg
    case .points(_, _, let series):
      return plot(
        panel, summary, series.enumerated().flatMap { arm, one in one.positions.map { .dot($0, arm: arm) } }
      )
      .svg
    case .grid(let x, let y, let values, let range):
      return HeatMap(
        x: x, y: y, values: values, range: range ?? self.range(like: panel), summary: panel.title
      ).svg
    }
  }

  /// Panels of one kind whose axes have the same titles are there to be compared, and have the same axes.
  private func alike(_ panel: Picture.Panel) -> [Picture.Content] {
    picture.panels.map(\.content).filter { panel.content.hasAxes(of: $0) }
  }

  private func plot(_ panel: Picture.Panel, _ summary: String, _ marks: [Plot.Mark]) -> Plot {
    let points = alike(panel).flatMap(series).flatMap(\.points)
    return Plot(
      x: Axis(panel.content.x, of: points.map(\.x)), y: Axis(panel.content.y, of: points.map(\.y)),
      summary: summary, marks: marks)
  }

  /// Both axes as long as the same length in the drawing means the same.
  private func trueToScale(_ plot: Plot) -> Plot {
    func length(_ axis: Axis) -> Double { axis.range.upperBound - axis.range.lowerBound }
    func stretched(_ axis: Axis, to length: Double) -> Axis {
      let middle = (axis.range.lowerBound + axis.range.upperBound) / 2
      return Axis(axis.title, over: middle - length / 2...middle + length / 2, padding: 0)
    }
    let (width, height) = (length(plot.x), length(plot.y))
    return Plot(
      x: stretched(plot.x, to: max(width, height * plot.shape)),
      y: stretched(plot.y, to: max(height, width / plot.shape)), summary: plot.summary, marks: plot.marks)
  }

  /// The values of matrices that are there to be compared and that nobody gave a range.
  private func range(like panel: Picture.Panel) -> ClosedRange<Double> {
    let values = alike(panel).flatMap { content -> [Double] in
      if case .grid(_, _, let rows, nil) = content { rows.flatMap { $0 } } else { [] }
    }.filter(\.isFinite)
    return (values.min() ?? 0)...(values.max() ?? 1)
  }
}

extension Picture.Content {
  fileprivate var x: String {
    switch self {
    case .lines(let x, _, _), .points(let x, _, _), .paths(let x, _, _), .grid(let x, _, _, _): x
    }
  }

  fileprivate var y: String {
    switch self {
    case .lines(_, let y, _), .points(_, let y, _), .paths(_, let y, _), .grid(_, let y, _, _): y
    }
  }

  fileprivate func hasAxes(of other: Picture.Content) -> Bool {
    guard (x, y) == (other.x, other.y) else { return false }
    switch (self, other) {
    case (.lines, .lines), (.points, .points), (.paths, .paths), (.grid, .grid): return true
    default: return false
    }
  }
}

extension Picture.Series {
  fileprivate var positions: [Plot.Position] { points.map { ($0.x, $0.y) } }
}
