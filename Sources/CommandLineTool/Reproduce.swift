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
      Seeds are looked at after 7, 12 and 16, until they decide: 'holds', 'contradicted' or 'smaller than \
      claimed', else 'undecided'; 'not tested' where a gate says that the experiment means nothing. The exit \
      code is 0 whatever the verdicts, and 1 if a claim could not be judged; the others are judged all the same.
      """)

  @Argument(help: "Ids of claims; see 'callosum list --claims'.") var ids: [String] = []
  @Option(help: "All claims of a family.") var family: String?
  @Flag(help: "Every claim.") var all = false
  @Option(parsing: .unconditional, help: "Run so many seeds at least; the verdict is that of the looks.")
  var seeds: Int?
  @Option(help: "quick (ten minutes a claim at most) or full.") var budget = "quick"
  @Option(parsing: .unconditional, help: "Take no further look after so many minutes.") var minutes: Double?
  @Option(
    parsing: .unconditional,
    help: "Judge nothing: run so many of the seeds from 100 on, which are for choosing settings.")
  var rehearse: Int?
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
    try fromCommandLine {
      try require(minutes.map { $0 > 0 } ?? true, "--minutes must be above 0")
      if let rehearse {
        try require((1...100).contains(rehearse), "--rehearse must be from 1 to 100, is \(rehearse)")
      }
    }
    if let rehearse { return try self.rehearse(zip(chosen, reproductions), seeds: rehearse, processes) }
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
        let judged = try store.judgedRuns(of: claim.id) + (results?.result(of: claim.id)?.judgedRuns ?? [])
        let report = try reproduce(claim, reproduction.after(judged), processes, in: store)
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
    let bar = ProgressBar(
      label: claim.id, total: 1000, unit: nil, style: .standardError(quiet: quiet))
    defer { bar.finish() }
    let show = shower(of: claim, on: bar)
    do {
      let report = try reproduction.run(
        processes: processes, finished: kept.finished, limit: minutes.map { .seconds($0 * 60) },
        worker: worker(claim),
        onEvent: { event in
          try kept.record(event)
          show(event)
        }, isCancelled: { Interruption.requested })
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

  /// Runs claims from seeds that nobody judges.
  private func rehearse(
    _ reproductions: Zip2Sequence<[Claim], [Reproduction]>, seeds: Int, _ processes: Int
  ) throws {
    Interruption.listen()
    var rehearsals: [Rehearsal] = []
    for (claim, reproduction) in reproductions where !Interruption.requested {
      let bar = ProgressBar(
        label: claim.id, total: 1, unit: nil, style: .standardError(quiet: quiet))
      defer { bar.finish() }
      let rehearsal = try reproduction.rehearse(
        seeds: seeds, processes: processes, worker: worker(claim), onEvent: shower(of: claim, on: bar),
        isCancelled: { Interruption.requested })
      bar.finish()
      rehearsals.append(rehearsal)
      if !output.json { Terminal.say(lines: rehearsal.text(columns: Terminal.width) + "\n") }
    }
    if output.json { Terminal.say(json: try ResultCoding.text(rehearsals, pretty: true)) }
    if let code = Interruption.exitCode { throw ExitCode(code) }
  }

  /// How a process of this program is told to run a job.
  private func worker(_ claim: Claim) -> (Reproduction.Job, ClaimBudget) -> [String] {
    { job, budget in
      ["run-claim", claim.id, "--arm", job.arm, "--seed", "\(job.seed)", "--budget", budget.rawValue]
    }
  }

  /// Shows events on a bar, counted in thousandths of a run, so that long runs move too.
  private func shower(of claim: Claim, on bar: ProgressBar) -> (Reproduction.Event) -> Void {
    var done: [Reproduction.Job: Int] = [:]
    func reach(_ job: Reproduction.Job, _ fraction: Double) {
      let now = Int(fraction * 1000), before = done[job, default: 0]
      guard now > before else { return }
      bar.advance(by: now - before)
      done[job] = now
    }
    return { event in
      switch event {
      case .planned(let jobs): bar.extend(by: jobs * 1000)
      case .started(let job): bar.label = "\(claim.id): \(job.arm), seed \(job.seed)"
      case .message(let job, .progress(let fraction)): reach(job, fraction)
      case .message(let job, .result): reach(job, 1)
      case .message: break
      }
    }
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
