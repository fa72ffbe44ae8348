import CallosumAnalysis
import CallosumContracts

/// One arm in the few figures that tables and reports show.
struct ArmSummary {
  let id: String
  let name: String
  /// Test scores of the complete runs by seed.
  let scores: [UInt64: Double]
  /// Over the complete runs; nil if there is none.
  let score: Estimate?
  /// Runs whose loss was no number any more.
  let diverged: Int
  let parameters: Int
  let multiplyAccumulates: Int
  /// Median over the runs; nil if there is none.
  let examplesPerSecond: Double?
  /// Training seconds of a complete run, mean over them; nil if there is none.
  let seconds: Double?

  init(_ arm: Comparison.Arm) {
    (id, name) = (arm.id, arm.name)
    let complete = arm.runs.filter { $0.testScore?.isFinite ?? false }
    scores = Dictionary(
      complete.compactMap { run in run.testScore.map { (run.seed, $0) } },
      uniquingKeysWith: { first, _ in first })
    score = Estimate(of: complete.compactMap(\.testScore))
    diverged = arm.runs.count { $0.status == .diverged || $0.testScore.map { !$0.isFinite } ?? false }
    parameters = arm.parameters
    multiplyAccumulates = arm.multiplyAccumulates
    examplesPerSecond = arm.runs.isEmpty ? nil : Statistics.median(arm.runs.map(\.examplesPerSecond))
    seconds = complete.isEmpty ? nil : Statistics.mean(complete.map(\.trainingSeconds))
  }

  /// The seeds one by one, for a picture; none for a single run, which is the mean already.
  var dots: [Double] { scores.count > 1 ? scores.values.sorted() : [] }

  /// The score of this arm minus that of `other`, over the seeds that both completed.
  func difference(from other: ArmSummary) -> Estimate? {
    let shared = scores.keys.filter { other.scores[$0] != nil }.sorted()
    return Estimate(
      ofPairedDifference: shared.compactMap { scores[$0] }, minus: shared.compactMap { other.scores[$0] })
  }
}

extension Comparison {
  /// The arms as they were given.
  var summaries: [ArmSummary] { arms.map(ArmSummary.init) }

  /// The arm with the best mean.
  var best: ArmSummary? { ranked.first }

  /// The arms that completed a run, the best first.
  var ranked: [ArmSummary] {
    let sign = task.metric.higherIsBetter ? 1.0 : -1
    return summaries.filter { $0.score != nil }
      .sorted { sign * ($0.score?.mean ?? 0) > sign * ($1.score?.mean ?? 0) }
  }

  /// Whether a run's loss was no number any more.
  package var hasDiverged: Bool { summaries.contains { $0.diverged > 0 } }

  /// The table for the terminal.
  package var table: Table {
    let seeds = budget.seeds.count, metric = task.metric
    var table = Table([
      ("arm", .left),
      ("test \(metric.name)" + (seeds > 1 ? ", 95 % interval" : ""), .right),
      ("parameters", .right), ("MACs/example", .right), ("examples/s", .right), ("seconds", .right),
    ])
    for arm in summaries {
      table.add([
        arm.name, arm.text(metric, of: seeds), Format.count(arm.parameters),
        Format.compact(Double(arm.multiplyAccumulates)), arm.examplesPerSecond.map(Format.rate) ?? "–",
        arm.seconds.map(Format.significant) ?? "–",
      ])
    }
    return table
  }

  /// How equal the arms are, and what was tuned.
  var treatment: [String] { [matching.text(self), tuning?.text(self)].compactMap { $0 } }

  /// What the table is followed by: the treatment of the arms, and which are told apart.
  package var notes: [String] { treatment + differenceLines }
}

extension ArmSummary {
  /// The mean score with its interval, and how many runs diverged.
  func text(_ metric: Metric, of seeds: Int? = nil) -> String {
    let note = diverged == 0 ? nil : diverged == seeds ? "diverged" : "\(diverged) diverged"
    guard let score else { return note ?? "–" }
    return Format.score(score, metric, of: seeds) + (note.map { ", \($0)" } ?? "")
  }
}
