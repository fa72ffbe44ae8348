import CallosumContracts
import Foundation

/// Keeps what a reproduction finds as it goes on: a run of kind `claim` with a part for each arm and seed,
/// and at the end a verdict with all that it was computed from.
package final class StoredClaim {
  private let claim: Claim
  private let whole: RunWriter
  /// The run's number in the store.
  package var id: Int64 { whole.id }
  private var parts: [Reproduction.Job: RunWriter] = [:]
  /// Runs that an earlier process completed, by arm.
  package let finished: [String: [ClaimReport.Run]]

  /// Notes that the claim starts. With `resume`, takes up the latest run of it that was stopped, of the same
  /// budget and version of Callosum.
  /// - Throws: `InvalidInput` if there is nothing to take up.
  package init(
    _ claim: Claim, budget: ClaimBudget, command: String, resume: Bool, in store: RunStore
  ) throws {
    self.claim = claim
    guard resume else {
      finished = [:]
      whole = try store.begin(
        RunRecord(kind: .claim, subject: claim.id, budget: budget.rawValue, command: command))
      return
    }
    let stopped = try store.runs(
      RunFilter(.top, kind: .claim, subject: claim.id, budget: budget.rawValue, codeVersion: Version.current)
    ).filter { $0.status == .interrupted || $0.status == .failed }
    guard let latest = stopped.max(by: { $0.started < $1.started }) else {
      throw InvalidInput(
        "no run of \(claim.id) with the budget \(budget.rawValue) was stopped; leave out --resume")
    }
    var finished: [String: [ClaimReport.Run]] = [:]
    for part in try store.runs(RunFilter(.partOf(latest.id), status: .complete)) {
      guard let arm = part.arm, let run = try ClaimReport.Run(part, in: store) else { continue }
      finished[arm, default: []].append(run)
    }
    self.finished = finished
    whole = try store.resume(latest.id)
  }

  /// Writes what an event tells.
  package func record(_ event: Reproduction.Event) throws {
    switch event {
    case .started(let job):
      parts[job] = try whole.begin(arm: job.arm, seed: job.seed)
    case .message(let job, .point(let step, let metric, let value)):
      try parts[job]?.note(metric, value, step: step)
    case .message(let job, .result(let run)):
      let writer = parts.removeValue(forKey: job)
      try writer?.record(
        RunSizes(parameters: run.parameters, multiplyAccumulates: run.multiplyAccumulates))
      try writer?.finish(run.metrics.merging(["seconds": run.seconds]) { own, _ in own })
    case .message(let job, .failed(let problem)):
      let isInterruption = problem == "interrupted"
      try parts.removeValue(forKey: job)?.end(
        isInterruption ? .interrupted : .failed, message: isInterruption ? nil : problem)
    case .planned, .message(_, .progress): break
    }
  }

  /// The claim is judged. Without its picture if `drawing` wants that to end.
  package func end(_ report: ClaimReport, drawing: ClaimRun.Observer = ClaimRun.Observer()) throws {
    guard !report.wasInterrupted else { return try whole.end(.interrupted) }
    do {
      if let picture = try claim.picture?(drawing) {
        let text = try ResultCoding.text(picture)
        try whole.attach(Attachment(name: "picture", mediaType: "application/json", text: text))
      }
    } catch is CancellationError {}
    try whole.store.record(
      VerdictRecord(
        claim: claim.id, budget: report.budget.rawValue, verdict: report.judgement.verdict, run: whole.id,
        details: try ResultCoding.json(report), date: report.date))
    try whole.finish()
  }

  /// The claim cannot be judged.
  package func fail(_ problem: any Error) {
    try? whole.end(.failed, message: "\(problem)")
  }
}

extension ClaimReport.Run {
  /// What the store keeps of one arm and seed; nil if it is not complete.
  fileprivate init?(_ part: RunRecord, in store: RunStore) throws {
    guard let seed = part.seed, let sizes = try store.sizes(of: part.id) else { return nil }
    var metrics = try store.results(of: part.id)
    let seconds = metrics.removeValue(forKey: "seconds") ?? 0
    self.init(
      seed: seed,
      result: ClaimResult(
        metrics, parameters: sizes.parameters, multiplyAccumulates: sizes.multiplyAccumulates),
      seconds: seconds)
  }
}

extension RunStore {
  /// When a claim was judged, and what the claim was then.
  package func judgedRuns(of claim: String) throws -> [Provenance.Earlier] {
    try verdicts(claim: claim).map { record in
      let report: ClaimReport? = try? ResultCoding.value(record.details)
      return Provenance.Earlier(
        date: record.date, budget: record.budget, verdict: record.verdict, claim: report?.provenance?.claim)
    }
  }

  /// The latest report of each claim, in alphabetical order, with its picture if it has one.
  package func claimReports() throws -> [(report: ClaimReport, picture: Picture?, run: Int64?)] {
    var latest: [String: VerdictRecord] = [:]
    for verdict in try verdicts() { latest[verdict.claim] = verdict }
    return try latest.values.sorted { $0.claim < $1.claim }.compactMap { record in
      let picture = try record.run.flatMap { run in
        try attachments(of: run).first { $0.name == "picture" }
      }
      return try ifReadable("the verdict on \(record.claim)") {
        (
          try ResultCoding.value(record.details), try picture.map { try ResultCoding.value($0.text) },
          record.run
        )
      }
    }
  }
}
