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
  /// What has no chance in it; nil in what older versions stored, as are the next two.
  public let checks: [Check]?
  public let tuning: Claim.Tuning?
  public let provenance: Provenance?
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

  /// A statement without chance, and whether it is true.
  public struct Check: Sendable, Equatable, Codable {
    public let statement: String
    public let outcome: Claim.Check.Outcome
  }

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
    _ claim: Claim, runs: [String: [Run]], checks: [Check] = [], budget: ClaimBudget, seconds: Double,
    provenance: Provenance, wasInterrupted: Bool = false, date: Date = Date()
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
    let arms = Arm.all(of: claim, runs)
    self.arms = arms
    judgement = Judgement(
      of: claim.criterion, metrics: claim.metrics,
      arms.flatMap { arm in
        arm.runs.flatMap { run in
          run.metrics.map {
            Judgement.Measurement(arm: arm.id, seed: run.seed, metric: $0.key, value: $0.value)
          }
        }
      })
    self.checks = checks
    tuning = claim.tuning
    self.provenance = provenance
    matching = ClaimReport.matching(claim, arms)
    explanation = claim.explanation(of: judgement.verdict) { metric, arm in
      arms.first { $0.id == arm }?.estimate(metric).map(Format.estimate) ?? "nothing"
    }
    self.budget = budget
    seeds = Set(arms.flatMap { $0.runs.map(\.seed) }).sorted()
    self.seconds = seconds
    self.date = date
    self.wasInterrupted = wasInterrupted
    version = Version.current
  }

  static func matching(_ claim: Claim, _ arms: [Arm]) -> String {
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

extension ClaimReport.Arm {
  /// The arms of a claim and what they measured, by seed.
  static func all(of claim: Claim, _ runs: [String: [ClaimReport.Run]]) -> [Self] {
    claim.arms.map { arm in
      let runs = (runs[arm.id] ?? []).sorted { $0.seed < $1.seed }
      return Self(
        id: arm.id, name: arm.name, role: arm.role, parameters: runs.first?.parameters,
        multiplyAccumulates: runs.first?.multiplyAccumulates, runs: runs)
    }
  }
}

extension ClaimReport {
  /// One line: verdict, claim.
  package var headline: String {
    "\(judgement.verdict.rawValue.uppercased()): \(sentence)"
  }

  /// The arms in a table, and what each condition says.
  package var text: String { text(columns: nil) }

  /// With tables folded to fit into `columns`, if told.
  package func text(columns: Int?) -> String {
    var lines = [headline, "", ArmTables(arms, metrics).text(columns: columns), ""]
    for check in checks ?? [] {
      lines.append(
        "  \(check.outcome.isTrue ? "true" : "FALSE"): \(Format.clause(check.statement)); \(check.outcome.found)"
      )
    }
    for gate in judgement.gates { lines.append("  gate, " + gate.text) }
    for finding in judgement.findings { lines.append("  " + finding.text) }
    lines.append("  \(matching)")
    if let tuning { lines.append("  \(tuning.text)") }
    if let provenance { lines.append("  \(provenance.sentence)") }
    if let explanation { lines.append("  \(explanation)") }
    return lines.joined(separator: "\n")
  }
}

extension Claim.Tuning {
  /// In a sentence.
  package var text: String {
    "Tuned on seeds \(Format.list(seeds.map(String.init))), \(trialsPerArm) settings an arm: \(choice)"
  }
}

extension Judgement.Finding {
  /// In a line: verdict, condition, and what decided it.
  package var text: String {
    ([verdict.rawValue + ": " + condition] + details).joined(separator: "; ")
  }

  /// What the seeds say, in words with figures.
  package var details: [String] {
    if let problem { return [problem] }
    var parts: [String] = []
    if let wins, let losses {
      let contra =
        pro == contra ? "" : ", \(losses) of \(values.count) short of \(Format.significant(contra ?? 0))"
      parts.append("\(wins) of \(values.count) seeds for it\(contra)")
    }
    if let estimate {
      parts.append(
        "mean \(Format.estimate(estimate))" + (median.map { ", median \(Format.significant($0))" } ?? ""))
    }
    if let effect { parts.append("\(Format.significant(effect)) standard deviations") }
    if verdict == .undecided, let detectable {
      parts.append("80 % to be found from \(Format.significant(detectable)) on")
    }
    for (arm, seeds) in (diverged ?? [:]).sorted(by: { $0.key < $1.key }) {
      parts.append(
        "\(arm) diverged in \(seeds.count == 1 ? "seed" : "seeds") \(Format.list(seeds.map(String.init)))")
    }
    return parts
  }
}
