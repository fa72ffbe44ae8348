import CallosumAnalysis
import CallosumContracts
import Foundation

/// A claim with everything that was found about it: what the store keeps, tables and reports show, and
/// `--json` prints.
public struct ClaimReport: Sendable, Equatable, Codable {
  public let id: String
  public let family: Family
  public let sentence: String
  public let paper: String
  /// Nil in what older versions stored.
  public let authors: [String]?
  public let year: Int
  public let link: String?
  public let paperFigure: String
  public let experiment: String
  public let metrics: [Metric]
  public let arms: [Arm]
  public let judgement: Judgement
  /// What makes the arms comparable, or by how much they miss it.
  public let matching: String
  /// Why the verdict is not `holds`, as the claim's author sees it.
  public let explanation: String?
  public let budget: ClaimBudget
  public let seeds: [UInt64]
  /// From start to end, all arms and seeds.
  public let seconds: Double
  public let date: Date
  public let version: String
  /// Whether it was stopped before every run was complete.
  public let wasInterrupted: Bool

  /// One arm and what it measured.
  public struct Arm: Sendable, Equatable, Codable {
    public let id: String
    public let name: String
    public let role: Claim.Arm.Role
    /// Learned numbers; nil if no run was completed.
    public let parameters: Int?
    /// Of one forward pass on one example; nil where that means nothing.
    public let multiplyAccumulates: Int?
    public let runs: [Run]

    /// The mean of a metric over the seeds.
    public func estimate(_ metric: String) -> Estimate? {
      Estimate(of: runs.compactMap { $0.metrics[metric] })
    }
  }

  /// One run of an arm.
  public struct Run: Sendable, Equatable, Codable {
    public let seed: UInt64
    public let metrics: [String: Double]
    public let seconds: Double
    public let parameters: Int
    public let multiplyAccumulates: Int?

    public init(seed: UInt64, result: ClaimResult, seconds: Double) {
      self.seed = seed
      self.metrics = result.metrics
      self.seconds = seconds
      self.parameters = result.parameters
      self.multiplyAccumulates = result.multiplyAccumulates
    }
  }

  /// Judges what the runs of `claim` measured; `runs` by arm.
  /// - Throws: `InvalidInput` if names do not fit together: what is misspelt must not pass for *inconclusive*.
  public init(
    _ claim: Claim, runs: [String: [Run]], budget: ClaimBudget, seeds: [UInt64], seconds: Double,
    wasInterrupted: Bool = false, date: Date = Date()
  ) throws {
    try claim.validate()
    for (arm, runs) in runs { for run in runs { try claim.validate(run.metrics, of: arm) } }
    id = claim.id
    family = claim.card.family
    sentence = claim.sentence
    paper = claim.card.paper.title
    authors = claim.card.paper.authors
    year = claim.card.paper.year
    link = claim.card.paper.link
    paperFigure = claim.paperFigure
    experiment = claim.experiment
    metrics = claim.metrics
    arms = claim.arms.map { arm in
      let runs = (runs[arm.id] ?? []).sorted { $0.seed < $1.seed }
      return Arm(
        id: arm.id, name: arm.name, role: arm.role, parameters: runs.first?.parameters,
        multiplyAccumulates: runs.first?.multiplyAccumulates, runs: runs)
    }
    judgement = Judgement(
      of: claim.criterion, seeds: seeds,
      arms.flatMap { arm in
        arm.runs.flatMap { run in
          run.metrics.map {
            Judgement.Measurement(arm: arm.id, seed: run.seed, metric: $0.key, value: $0.value)
          }
        }
      })
    matching = ClaimReport.matching(claim, arms)
    explanation = claim.explanation
    self.budget = budget
    self.seeds = seeds
    self.seconds = seconds
    self.date = date
    self.wasInterrupted = wasInterrupted
    version = Version.current
  }

  private static func matching(_ claim: Claim, _ arms: [Arm]) -> String {
    guard case .parameters(let fraction) = claim.matching else {
      guard case .stated(let sentence) = claim.matching else { return "" }
      return sentence
    }
    guard let mechanism = arms.first(where: { $0.role == .mechanism })?.parameters, mechanism > 0 else {
      return "Parameters are to agree within \(Format.percent(fraction)); no run says whether they do."
    }
    let off = arms.compactMap { arm -> String? in
      guard arm.role != .reference, let count = arm.parameters else { return nil }
      let difference = Double(count) / Double(mechanism) - 1
      guard abs(difference) > fraction else { return nil }
      return "\(arm.name) has \(Format.percent(abs(difference))) \(difference > 0 ? "more" : "fewer")"
    }
    return off.isEmpty
      ? "Parameters agree within \(Format.percent(fraction))."
      : "Parameters differ: \(off.joined(separator: "; "))."
  }
}

extension ClaimReport {
  /// One line: verdict, claim, time.
  package var headline: String {
    "\(judgement.verdict.rawValue.uppercased()): \(sentence)"
  }

  /// The arms in a table, and what each condition says.
  package var text: String { text(columns: nil) }

  /// With tables folded to fit into `columns`, if told.
  package func text(columns: Int?) -> String {
    var lines = [headline, "", armTable.text(columns: columns), "", measuredTable.text(columns: columns), ""]
    for finding in judgement.findings {
      let found = finding.problem ?? finding.estimate.map { "found \(Format.estimate($0))" } ?? ""
      lines.append("  \(finding.verdict.rawValue): \(finding.condition); \(found)")
    }
    lines.append("  \(matching)")
    if judgement.verdict != .holds, let explanation { lines.append("  \(explanation)") }
    return lines.joined(separator: "\n")
  }

  private var armTable: Table {
    var table = Table([
      ("arm", .left), ("", .left), ("role", .left), ("parameters", .right), ("MACs", .right),
      ("seconds", .right),
    ])
    for arm in arms {
      let seconds = arm.runs.map(\.seconds)
      table.add([
        arm.id, arm.name, arm.role.rawValue, arm.parameters.map(Format.count) ?? "–",
        arm.multiplyAccumulates.map { Format.compact(Double($0)) } ?? "–",
        seconds.isEmpty ? "–" : Format.significant(Statistics.mean(seconds)),
      ])
    }
    return table
  }

  /// What was measured, a row for each metric; arms that nobody measured by any of them are left out.
  private var measuredTable: Table {
    let shown = arms.filter { arm in metrics.contains { arm.estimate($0.name) != nil } }
    var columns: [(title: String, alignment: Table.Alignment)] = [("measured", .left)]
    for arm in shown { columns.append((arm.id, .right)) }
    var table = Table(columns)
    for metric in metrics {
      let title = metric.unit.isEmpty ? metric.name : "\(metric.name), \(metric.unit)"
      table.add([title] + shown.map { $0.estimate(metric.name).map(Format.estimate) ?? "–" })
    }
    return table
  }
}
