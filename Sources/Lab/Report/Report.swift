import CallosumContracts
import CallosumTensors
import Foundation

/// One comparison as a page that needs nothing else: no script, no network.
public struct Report {
  private let result: Comparison
  private let arms: [ArmSummary]

  public init(_ result: Comparison) {
    self.result = result
    arms = result.summaries
  }

  /// Writes the page to `path`, whole or not at all.
  /// - Throws: a `FileError`, which describes itself in one line.
  public func write(to path: String) throws {
    try AtomicFile.write(text, to: path)
  }

  /// The page.
  public var text: String { page.text }

  private var page: HTML {
    let finding = Finding(result)
    return .page(
      title: finding.headline,
      """
      <p class="eyebrow">Callosum comparison · \(result.task.name) · \(day)</p>
      \(interruption)
      <h1>\(Format.unbroken(finding.headline))</h1>
      <div class="opening">
      <div>
      <p>\(Format.unbroken(finding.detail))</p>
      <p class="soft">\(setting)</p>
      </div>
      \(intervals)
      </div>
      <h2>Results</h2>
      \(ComparisonTable(result: result).html)
      <p class="soft">\(result.task.metric.title): mean and 95 % interval (Student) over seeds. Against the best: difference\
      \(result.task.metric.isFraction ? " in percentage points" : ""), paired by seed; p: of Student's paired test, corrected for the number of pairs (Holm). \
      Seconds: training time of one seed, mean; examples/s: median. MACs: multiply-accumulates of one \
      forward pass.</p>
      \(result.treatment.map { "<p class=\"soft\">\(Format.unbroken($0))</p>" as HTML })
      \(figures)
      <h2>What this does not show</h2>
      \(limits.map { "<p>\($0)</p>" as HTML })
      <h2>Repeat it</h2>
      <pre>\(command)</pre>
      <h2>Machine</h2>
      <dl>
      \(result.machine.rows.map { "<dt>\($0.name)</dt><dd>\($0.value)</dd>" as HTML })
      </dl>
      <h2>Exact configuration</h2>
      <pre>\(configuration)</pre>
      """)
  }

  private var figures: HTML {
    let figures = Figures(result).all
    if figures.isEmpty { return "" }
    return """
      <h2>Learning and cost</h2>
      <div class="figures">
      \(figures)
      </div>
      """
  }

  private var day: String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_GB")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "d MMMM yyyy"
    return formatter.string(from: result.date)
  }

  private var interruption: HTML {
    guard result.wasInterrupted else { return "" }
    let planned = result.arms.count * result.budget.seeds.count
    let complete = arms.reduce(0) { $0 + $1.scores.count }
    return """
      <p class="notice" role="note"><strong>Stopped early:</strong> \(complete) of \(planned) runs were \
      complete; what follows rests on those.</p>
      """
  }

  private var setting: String {
    let (task, budget) = (result.task, result.budget)
    let seeds = budget.seeds.count
    return "\(Format.count(result.arms.count, "arm")),"
      + " \(Format.count(seeds, "seed")) each, \(Format.count(budget.steps)) steps of"
      + " \(Format.count(budget.batchSize)) examples. Trained on \(count(task.trainingExamples)) examples,"
      + " watched on \(count(task.validationExamples)) others, tested on \(count(task.testExamples))."
  }

  /// "58,000"; examples that never end are said to be new ones.
  private func count(_ examples: Int?) -> String { examples.map(Format.count) ?? "ever new" }

  private var intervals: HTML {
    let metric = result.task.metric
    let rows = arms.enumerated().compactMap { index, arm in
      arm.score.map { score in
        IntervalPlot.Row(
          name: arm.name, value: Format.score(score, metric), estimate: score, seeds: arm.dots, arm: index)
      }
    }.sorted { metric.higherIsBetter == ($0.estimate.mean > $1.estimate.mean) }
    let spoken = rows.map { "\($0.name) \($0.value)" }.joined(separator: "; ")
    guard
      let plot = IntervalPlot(rows, metric, summary: "Test \(metric.name): \(spoken)")
    else { return "" }
    let caption =
      rows.contains { $0.estimate.interval != nil }
      ? "Large mark: mean. Bar: 95 % interval. Small dots: seeds."
      : "One seed each, so no intervals."
    return """
      <figure>
      <figcaption>Test \(metric.name)<span>\(Format.unbroken(caption))</span></figcaption>
      \(plot.svg)
      </figure>
      """
  }

  private var limits: [String] {
    let seeds = result.budget.seeds.count
    let examples = Double(result.budget.steps) * Double(result.budget.batchSize)
    let passes = result.task.trainingExamples.map { all in
      ", about \(Format.significant(examples / Double(max(all, 1)))) passes over the training set"
    }
    return [
      "This is one task and one budget: every run saw \(Format.count(examples)) training examples"
        + (passes ?? "") + ". An arm that learns slowly may overtake with more."
        + (result.tuning == nil
          ? " Nothing was tuned for each arm, so an arm may suffer from a setting, such as the learning rate,"
            + " that suits another better." : ""),
      seeds > 1
        ? "With \(seeds) seeds the intervals are wide and rest on the assumption that results scatter"
          + " normally. They cover the luck of initial weights and batch order, not the choice of"
          + " test examples."
        : "With one seed there is no telling luck from merit; run at least three.",
      "Speed and seconds belong to this machine, this number of threads and whatever else it was doing.",
    ]
  }

  /// Word by word, because browsers like to break a line inside "--steps".
  private var command: HTML {
    let words = result.command.split(separator: " ", omittingEmptySubsequences: false)
      .map { "<span class=\"word\">\(String($0))</span>" as HTML }
    return words.dropFirst().reduce(words.first ?? "") { "\($0) \($1)" }
  }

  private var configuration: String {
    (try? result.configuration.text()) ?? "not representable as JSON"
  }
}
