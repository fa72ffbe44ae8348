/// What runs noted while they went on, a figure for each metric and in it a line for each run.
struct RunCurves {
  private var lines: [String: [(arm: Int, line: [Plot.Position])]] = [:]

  /// Of runs in a store, each drawn as the arm it stands for.
  init(_ runs: [(run: Int64, arm: Int)], in store: RunStore) throws {
    for (run, arm) in runs {
      for (metric, points) in Dictionary(grouping: try store.points(of: run), by: \.metric) {
        let line = points.sorted { $0.step < $1.step }.map { (x: Double($0.step), y: $0.value) }
        lines[metric, default: []].append((arm, line))
      }
    }
  }

  /// Of the first `count` metrics in alphabetical order that have something to draw.
  func figures(_ count: Int) -> [HTML] {
    lines.sorted { $0.key < $1.key }.compactMap { figure($0, $1) }.prefix(count).map { $0 }
  }

  private func figure(_ metric: String, _ lines: [(arm: Int, line: [Plot.Position])]) -> HTML? {
    let all = lines.flatMap(\.line), values = all.map(\.y).filter(\.isFinite)
    guard let low = values.min(), let high = values.max(), let last = all.map(\.x).max() else {
      return nil
    }
    let plot = Plot(
      x: Axis("step", over: 0...max(last, 1), floor: 0, isWhole: true), y: Axis(metric, over: low...high),
      summary: "\(metric) of each run while it went on.", marks: lines.map { .line($0.line, arm: $0.arm) })
    return "<figure><figcaption>\(metric)<span>A line for each run.</span></figcaption>\(plot.svg)</figure>"
  }
}
