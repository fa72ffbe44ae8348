import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// Re-checks claims of papers and says how they fare.
struct Reproduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Re-check papers' claims with criteria that were fixed before; print verdicts.",
    discussion: """
      A verdict is 'holds', 'inconclusive' or 'contradicted', computed from all seeds. The exit code is 0 \
      whatever the verdicts, and 1 if a claim could not be judged; the others are judged all the same.
      """)

  @Argument(help: "Ids of claims; see 'callosum list --claims'.") var ids: [String] = []
  @Option(help: "All claims of a family.") var family: String?
  @Flag(help: "Every claim.") var all = false
  @Option(parsing: .unconditional, help: "Seeds, instead of the claim's own.") var seeds: Int?
  @Option(help: "quick (about three minutes a claim) or full.") var budget = "quick"
  @Option(parsing: .unconditional, help: "Runs side by side; one for each core by default.")
  var jobs: Int?
  @Flag(help: "Go on with the latest run of each claim that was stopped.") var resume = false
  @Option(
    defaultAsFlag: "Results", parsing: .next,
    help: ArgumentHelp(
      "Write what each claim comes to into ID.json in this folder, beside what the other budget came to.",
      valueName: "folder"))
  var record: String?
  @Flag(help: "Show no progress.") var quiet = false
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  /// What became of a claim: a report, or why there is none.
  private enum Outcome: Encodable {
    case judged(ClaimReport)
    case failed(Failure)

    struct Failure: Encodable {
      let id: String
      /// Why it could not be judged.
      let failed: String
    }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .judged(let report): try report.encode(to: encoder)
      case .failed(let failure): try failure.encode(to: encoder)
      }
    }

    /// Cells of the summary.
    var row: [String] {
      switch self {
      case .judged(let report):
        [report.id, report.judgement.verdict.rawValue, Format.significant(report.seconds)]
      case .failed(let failure): [failure.id, "failed", "–"]
      }
    }
  }

  func run() throws {
    let chosen = try fromCommandLine(chosenClaims)
    let budget = try named("budget", budget, as: ClaimBudget.self)
    let processes = jobs ?? ProcessInfo.processInfo.activeProcessorCount
    let reproductions = try fromCommandLine {
      try require((1...256).contains(processes), "--jobs must be from 1 to 256, is \(processes)")
      return try chosen.map { try Reproduction($0, budget: budget, seeds: seeds) }
    }
    try checkFiles(
      writing: record.map { folder in chosen.map { ("--record", "\(folder)/\($0.id).json") } } ?? [],
      inFolder: true, keeping: place)
    let store = try place.open()
    let results = record.map(ResultsFolder.init)
    Interruption.listen()
    var outcomes: [Outcome] = []
    for (claim, reproduction) in zip(chosen, reproductions) where !Interruption.requested {
      do {
        try results?.prepare(for: claim.id)
        let report = try reproduce(claim, reproduction, processes, in: store)
        if !report.wasInterrupted { try results?.record(report) }
        outcomes.append(.judged(report))
        if !output.json { Terminal.say(lines: report.text(columns: Terminal.width) + "\n") }
      } catch {
        // The other claims are as good as without it.
        let problem = "\(error)", name = claim.id
        Terminal.complain(problem.contains(name) ? problem : "\(name): \(problem)")
        outcomes.append(.failed(Outcome.Failure(id: name, failed: problem)))
      }
    }
    if output.json {
      Terminal.say(json: try ResultCoding.text(outcomes, pretty: true))
    } else if outcomes.count > 1 {
      var table = Table([("claim", .left), ("verdict", .left), ("seconds", .right)])
      for outcome in outcomes { table.add(outcome.row) }
      table.show()
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
    if outcomes.contains(where: { if case .failed = $0 { true } else { false } }) { throw ExitCode(1) }
  }

  private func chosenClaims() throws -> [Claim] {
    let catalogue = Program.catalogue
    if let record, catalogue.claims.contains(where: { $0.id == record }) {
      throw UsageError("--record takes '\(record)', the word behind it, as its folder; put it last")
    }
    try require(
      [!ids.isEmpty, family != nil, all].count { $0 } == 1,
      "name claims, or give --family, or --all; 'callosum list --claims' shows what there is")
    if all { return catalogue.claims }
    if let family {
      let wanted = try named("family", family, as: Family.self)
      let found = catalogue.claims.filter { $0.card.family == wanted }
      try require(!found.isEmpty, "the family \(family) has no claims yet")
      return found
    }
    return try ids.map { try catalogue.claim($0) }
  }

  private func reproduce(
    _ claim: Claim, _ reproduction: Reproduction, _ processes: Int, in store: RunStore
  ) throws -> ClaimReport {
    let kept = try StoredClaim(
      claim, budget: reproduction.budget, command: Program.commandLine, resume: resume, in: store)
    // Counted in thousandths of a run, so that long runs move too.
    let bar = ProgressBar(
      label: claim.id, total: (reproduction.jobs.count + 1) * 1000, unit: nil,
      style: .standardError(quiet: quiet))
    defer { bar.finish() }
    var done: [Reproduction.Job: Int] = [:]
    func reach(_ job: Reproduction.Job, _ fraction: Double) {
      let now = Int(fraction * 1000), before = done[job, default: 0]
      if now > before {
        bar.advance(by: now - before)
        done[job] = now
      }
    }
    do {
      let report = try run(reproduction, claim, kept, processes, reach: reach) { bar.label = $0 }
      bar.label = "\(claim.id): picture"
      try kept.end(report, drawing: bar.observer())
      if report.wasInterrupted {
        bar.finish()
        Interruption.say("'callosum reproduce \(claim.id) --resume' goes on with run \(kept.id)")
      }
      return report
    } catch {
      kept.fail(error)
      throw error
    }
  }

  private func run(
    _ reproduction: Reproduction, _ claim: Claim, _ kept: StoredClaim, _ processes: Int,
    reach: (Reproduction.Job, Double) -> Void, label: (String) -> Void
  ) throws -> ClaimReport {
    try reproduction.run(
      processes: processes, finished: kept.finished,
      worker: { job, budget in
        [
          "run-claim", claim.id, "--arm", job.arm, "--seed", "\(job.seed)", "--budget", budget.rawValue,
        ]
      },
      onEvent: { event in
        try kept.record(event)
        switch event {
        case .started(let job): label("\(claim.id): \(job.arm), seed \(job.seed)")
        case .message(let job, .progress(let fraction)): reach(job, fraction)
        case .message(let job, .result): reach(job, 1)
        case .message: break
        }
      },
      isCancelled: { Interruption.requested })
  }
}

/// One run of a claim, as `reproduce` starts it in a process of its own: tells what happens as lines of
/// JSON.
struct RunClaim: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run-claim", abstract: "Run one arm of a claim from one seed.", shouldDisplay: false)

  @Argument(help: "Id of the claim.") var id: String
  @Option(help: "Id of the arm.") var arm: String
  @Option(parsing: .unconditional, help: "Seed.") var seed: UInt64
  @Option(help: "quick or full.") var budget = "quick"

  func run() throws {
    let claim = try fromCommandLine { try Program.catalogue.claim(id) }
    guard claim.arms.contains(where: { $0.id == arm }) else {
      throw UsageError(unknownName("arm", arm, in: claim.arms.map(\.id)))
    }
    let budget = try named("budget", budget, as: ClaimBudget.self)
    Interruption.listen()
    let told = LineWriter()
    try Reproduction(claim, budget: budget).run(
      Reproduction.Job(arm: arm, seed: seed), onEvent: told.write, isCancelled: { Interruption.requested })
  }
}

/// Writes messages as lines, progress no more than some ten times a second.
private final class LineWriter {
  private var lastProgress = ContinuousClock.now - .seconds(1)

  func write(_ message: ClaimMessage) {
    if case .progress = message {
      guard ContinuousClock.now - lastProgress > .milliseconds(100) else { return }
      lastProgress = .now
    }
    guard let line = try? message.line else { return }
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }
}
