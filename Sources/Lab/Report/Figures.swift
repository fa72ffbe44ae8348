import CallosumAnalysis
import CallosumContracts

/// The four figures of a comparison: score and loss while learning, score against size and against time.
struct Figures {
  private let result: Comparison
  private let curves: [Curve]

  init(_ result: Comparison) {
    self.result = result
    curves = result.arms.enumerated().map { Curve($1, arm: $0, scale: result.task.metric.scale) }
  }

  /// Those for which something was measured.
  var all: [HTML] {
    [scoreBySteps, scoreByTime, lossBySteps, scoreByParameters].compactMap { $0 }
  }

  private var hasIntervals: Bool { result.summaries.contains { $0.score?.interval != nil } }

  private var bandNote: String {
    result.budget.seeds.count > 1 ? " Line: mean of the seeds. Band: lowest to highest seed." : ""
  }

  private var scoreBySteps: HTML? {
    let marks = curves.flatMap { $0.marks(\.score, against: \.step) }
    return figure(
      "Learning curves", "\(name) on examples held out from training." + bandNote,
      x: stepAxis, y: scoreAxis(scores, "validation"),
      marks: marks)
  }

  /// What scores are drawn against steps and against time: the two have one axis, so that they can be compared.
  private var scores: [Double] {
    let ends = result.summaries.compactMap { scaled($0.score?.interval) }
    return curves.flatMap { $0.late(\.score) } + ends.flatMap { [$0.lowerBound, $0.upperBound] }
  }

  private var lossBySteps: HTML? {
    let late = curves.flatMap { $0.late(\.loss) }
    let axis = Self.bounds(late).map { Axis("training loss", over: $0, floor: 0) }
    return figure(
      "Training loss", "Mean over the batches since the point before." + bandNote,
      x: stepAxis, y: axis, marks: curves.flatMap { $0.marks(\.loss, against: \.step) })
  }

  private var scoreByTime: HTML? {
    let ends = result.summaries.enumerated().compactMap { index, arm -> Plot.Mark? in
      guard let score = arm.score, let seconds = arm.seconds else { return nil }
      return .point(
        (seconds, score.mean * scale), xError: nil, yError: scaled(score.interval), arm: index)
    }
    let times = curves.flatMap { $0.points.map(\.seconds) }
    let longest = times.filter(\.isFinite).max() ?? 0
    return figure(
      "\(name) against training time",
      "The same curves by the clock. Marks: \(result.task.metric.name) on the test examples in the end"
        + (hasIntervals ? ", with its 95 % interval." : "."),
      x: longest > 0 ? Axis("seconds of training", over: 0...longest, floor: 0) : nil,
      y: scoreAxis(scores, nil),
      marks: curves.flatMap { $0.marks(\.score, against: \.seconds, withBand: false) } + ends)
  }

  private var scoreByParameters: HTML? {
    let arms = result.summaries
    var marks: [Plot.Mark] = []
    var values: [Double] = []
    for (index, arm) in arms.enumerated() {
      guard let score = arm.score else { continue }
      let size = Double(arm.parameters)
      let seeds = arm.dots.map { $0 * scale }
      marks += seeds.map { .dot((size, $0), arm: index, isBeside: true) }
      let interval = scaled(score.interval)
      marks.append(.point((size, score.mean * scale), xError: nil, yError: interval, arm: index))
      values +=
        [score.mean * scale] + seeds + (interval.map { [$0.lowerBound, $0.upperBound] } ?? [])
    }
    let sizes = arms.filter { $0.score != nil }.map { Double($0.parameters) }
    let x = Self.bounds(sizes).map {
      Axis(
        "parameters", over: $0, padding: 0.12, floor: 0, allowsLogarithm: true, isWhole: true,
        labels: Axis.compactLabels)
    }
    return figure(
      "\(name) against size",
      hasIntervals
        ? "Large mark: mean with 95 % interval. Small dots: seeds."
        : "One seed each, so no intervals.",
      x: x, y: scoreAxis(values, "test"), marks: marks)
  }

  private var stepAxis: Axis? {
    let last = curves.flatMap { $0.points.map(\.step) }.max() ?? 0
    return last > 0 ? Axis("training steps", over: 0...last, padding: 0, isWhole: true) : nil
  }

  private var scale: Double { result.task.metric.scale }

  private var name: String { result.task.metric.title }

  private func scoreAxis(_ values: [Double], _ split: String?) -> Axis? {
    Self.bounds(values).map { result.task.metric.axis(split, over: $0) }
  }

  private func scaled(_ interval: ClosedRange<Double>?) -> ClosedRange<Double>? {
    interval.map { $0.lowerBound * scale...$0.upperBound * scale }
  }

  private static func bounds(_ values: [Double]) -> ClosedRange<Double>? {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return nil }
    return low...high
  }

  /// A figure with its legend; nil where nothing was measured.
  private func figure(
    _ title: String, _ caption: String, x: Axis?, y: Axis?, marks: [Plot.Mark]
  ) -> HTML? {
    guard let x, let y, !marks.isEmpty else { return nil }
    let names = Format.list(result.arms.map(\.name))
    let plot = Plot(
      x: x, y: y, summary: "\(title): \(y.title) against \(x.title) for \(names).", marks: marks)
    let legend = result.arms.enumerated().map { index, arm -> HTML in
      "<li>\(Self.key(index))\(arm.name)</li>"
    }
    return """
      <figure>
      <figcaption>\(title)<span>\(Format.unbroken(caption))</span></figcaption>
      <ul class="legend">\(legend)</ul>
      \(plot.svg)
      </figure>
      """
  }

  /// Colour and shape of an arm, to stand in front of its name.
  static func key(_ arm: Int) -> HTML {
    """
    <svg class="key" viewBox="0 0 22 14" aria-hidden="true">\
    <line class="line arm\(Style.slot(arm))" x1="0" y1="7" x2="22" y2="7"/>\
    \(Marker.draw(arm, atX: 11, y: 7))</svg>
    """
  }
}

/// The learning curves of an arm, put together step by step over its seeds.
private struct Curve {
  struct Point {
    let step: Double
    /// Mean over the seeds.
    let seconds: Double
    /// As it is drawn, one value per seed that measured it.
    let score: [Double]
    let loss: [Double]
  }

  let arm: Int
  let points: [Point]

  init(_ arm: Comparison.Arm, arm index: Int, scale: Double) {
    self.arm = index
    let measured = Dictionary(grouping: arm.runs.flatMap(\.curve), by: \.step)
    // A run that was stopped leaves later steps to fewer seeds; the mean would jump there.
    let seeds = arm.runs.filter { $0.testScore != nil }.count
    points = measured.filter { $0.value.count >= max(seeds, 1) }
      .sorted { $0.key < $1.key }
      .map { step, values in
        Point(
          step: Double(step), seconds: Statistics.mean(values.map(\.seconds)),
          score: values.compactMap { $0.validationScore.map { $0 * scale } }.filter(\.isFinite),
          loss: values.compactMap(\.trainingLoss).filter(\.isFinite))
      }
  }

  /// Values after the first tenth of training, which would otherwise take most of the axis.
  func late(_ measure: KeyPath<Point, [Double]>) -> [Double] {
    let measured = points.filter { !$0[keyPath: measure].isEmpty }
    let last = measured.last?.step ?? 0
    let late = measured.filter { $0.step >= 0.1 * last && $0.step > 0 }
    return (late.isEmpty ? measured : late).flatMap { $0[keyPath: measure] }
  }

  func marks(
    _ measure: KeyPath<Point, [Double]>, against x: KeyPath<Point, Double>, withBand: Bool = true
  ) -> [Plot.Mark] {
    let measured = points.filter { !$0[keyPath: measure].isEmpty }
    if measured.isEmpty { return [] }
    let line = measured.map { ($0[keyPath: x], Statistics.mean($0[keyPath: measure])) }
    let band = measured.map { point in
      let values = point[keyPath: measure]
      return (x: point[keyPath: x], low: values.min() ?? 0, high: values.max() ?? 0)
    }
    let hasBand = withBand && measured.contains { $0[keyPath: measure].count > 1 }
    // A mark at the end tells lines apart where colour does not, and a line of one point is only that.
    let end =
      withBand || line.count == 1
      ? line.last.map { Plot.Mark.point($0, xError: nil, yError: nil, arm: arm) } : nil
    return (hasBand ? [.band(band, arm: arm)] : []) + [.line(line, arm: arm)]
      + [end].compactMap { $0 }
  }
}
