import CallosumContracts
import CallosumLab
import Foundation
import Testing

/// A claim about two numbers that differ by `lead` and a little noise that depends on the seed; with names that
/// do not fit together, if told.
func madeUpClaim(
  lead: Double, failing: String? = nil, arms: [Claim.Arm]? = nil, metrics: [String] = ["score"],
  reading: (metric: String, arm: String) = ("score", "b"), measuring: String = "score",
  gates: [Condition] = []
) -> Claim {
  Claim(
    of: Card(
      id: "made-up", name: "Made up", family: .mixers,
      paper: Paper("None", by: ["Nobody"], year: 2000, link: nil),
      summary: "", verification: ""),
    sentence: "A is larger than B.",
    paperFigure: "none", experiment: "none",
    arms: arms ?? [.init("a", "Arm A", .mechanism), .init("b", "Arm B", .baseline)],
    metrics: metrics.map { Metric($0) },
    criterion: Criterion(
      Condition(.measured("score", of: "a") - .measured(reading.metric, of: reading.arm), .leads(by: 0.1)),
      gates: gates),
    matching: .parameters(within: 0.05), checks: [.init("One is one.") { _ in .init(1 == 1, found: "1") }],
    explanations: [.contradicted: "Two sentences. They explain that a made {score(a)}."]
  ) { run in
    var random = run.random("noise")
    let noise = random.normal([1]).doubles[0]
    for step in 1...4 {
      try run.progress(Double(step) / 4)
      run.note("loss", 1 / Double(step), step: step)
    }
    if run.arm == failing { throw InvalidInput("the arm fell off") }
    return ClaimResult(
      [measuring: noise + (run.arm == "a" ? lead : 0)], parameters: run.arm == "a" ? 100 : 120,
      multiplyAccumulates: 7)
  }
}

@Suite struct ReproductionTests {
  private func report(_ claim: Claim, seeds: Int? = nil, stopAfter: Int = .max) throws -> ClaimReport {
    var results = 0
    return try Reproduction(claim, budget: .quick, seeds: seeds).run(
      processes: 1, worker: { _, _ in [] },
      onEvent: { if case .message(_, .result) = $0 { results += 1 } }, isCancelled: { results >= stopAfter })
  }

  @Test func judgesAllArmsAndSeeds() throws {
    let report = try report(madeUpClaim(lead: 0.5))
    #expect(report.judgement.verdict == .holds)
    #expect(report.arms.map(\.runs.count) == [7, 7] && report.seeds == [1, 2, 3, 4, 5, 6, 7])
    #expect(report.checks?.map(\.outcome.isTrue) == [true] && report.text.contains("  true: One is one; 1"))
    #expect(report.arms.map(\.parameters) == [100, 120])
    #expect(report.matching == "Parameters differ: Arm B has 20.00 % more.")
    #expect(!report.wasInterrupted && report.text.hasPrefix("HOLDS: A is larger than B."))
    #expect(!report.text.contains("They explain"))
    let other = try self.report(madeUpClaim(lead: -0.5), seeds: 9)
    #expect(other.judgement.verdict == .contradicted && other.seeds.count == 9)
    // The figure is that of this run.
    let figure = try #require(other.arms[0].estimate("score").map(Format.estimate))
    #expect(other.explanation == "Two sentences. They explain that a made \(figure).")
  }

  /// More looks are taken where one does not decide, and then of the arms alone that are still read.
  @Test func runsAsFarAsItMust() throws {
    let third = Claim.Arm("c", "Arm C", .reference)
    let arms = [Claim.Arm("a", "Arm A", .mechanism), .init("b", "Arm B", .baseline), third]
    // The gate is about c, which never is what it asks for; the condition is decided at the first look.
    let gate = Condition(.measured("score", of: "c") - .measured("score", of: "c"), .leads(by: 0))
    let gated = try report(madeUpClaim(lead: 0.5, arms: arms, gates: [gate]))
    #expect(gated.judgement.verdict == .notTested && gated.arms.map(\.runs.count) == [7, 7, 16])
    #expect(gated.judgement.findings[0].verdict == .holds)
    // Somebody wants to see more seeds: all arms, and the verdict is that of the looks.
    let seen = try report(madeUpClaim(lead: 0.5, arms: arms), seeds: 14)
    #expect(seen.arms.map(\.runs.count) == [14, 14, 14] && seen.judgement.findings[0].decidedAfter == 7)
    // No time for a second look.
    let short = try Reproduction(madeUpClaim(lead: 0.5, arms: arms, gates: [gate]), budget: .quick).run(
      processes: 1, limit: .zero, worker: { _, _ in [] }, onEvent: { _ in }, isCancelled: { false })
    #expect(short.seeds.count == 7 && !short.wasInterrupted && short.judgement.verdict == .notTested)
  }

  @Test func tuningSeedsAreNeverJudged() throws {
    let rehearsal = try Reproduction(madeUpClaim(lead: 0.5), budget: .quick).rehearse(
      seeds: 2, processes: 1, worker: { _, _ in [] },
      onEvent: { if case .started(let job) = $0 { #expect(job.seed >= 100) } }, isCancelled: { false })
    #expect(rehearsal.text(columns: nil).hasPrefix("REHEARSAL of made-up, which judges nothing"))
    #expect(throws: InvalidInput.self) { try report(madeUpClaim(lead: 0.5), seeds: 100) }
  }

  /// A result says what text and code it is of, and how often the claim was judged before.
  @Test func resultsSayWhereTheyComeFrom() throws {
    let claim = madeUpClaim(lead: 0.5)
    let first = try #require(try report(claim).provenance)
    #expect(first.claim?.count == 64 && first.machine == .thisOne && first.sentence == "First run.")
    func earlier(_ text: String?, _ day: Double) -> Provenance.Earlier {
      .init(date: Date(timeIntervalSince1970: day), budget: "quick", verdict: .undecided, claim: text)
    }
    func sentence(_ runs: Provenance.Earlier...) -> String { Provenance(of: claim, earlier: runs).sentence }
    #expect(sentence(earlier(first.claim, 1)) == "Run 2, nothing changed between them.")
    #expect(
      sentence(earlier("x", 2), earlier("y", 1), earlier("x", 2))
        == "Run 3; changed 2 times after judged seeds were seen.")
  }

  @Test func anInterruptedClaimIsUndecided() throws {
    let report = try report(madeUpClaim(lead: 0.5), stopAfter: 3)
    #expect(report.wasInterrupted && report.judgement.verdict == .undecided)
    #expect(report.arms.map(\.runs.count) == [2, 1])
  }

  @Test func aFailingArmIsNamed() throws {
    #expect(throws: InvalidInput("made-up, arm b, seed 1: the arm fell off")) {
      try report(madeUpClaim(lead: 1, failing: "b"))
    }
    let line =
      "--seeds must be from 7 to 99, is 3: a verdict takes 7, and seeds from 100 on are for choosing settings"
    #expect(throws: InvalidInput(line)) { try report(madeUpClaim(lead: 1), seeds: 3) }
  }

  /// A misspelt name is refused, where nobody could tell an undecided claim from it.
  @Test func namesThatDoNotFitAreRefused() throws {
    let a = Claim.Arm("a", "Arm A", .mechanism), b = Claim.Arm("b", "Arm B", .baseline)
    let wrong: [(Claim, String)] = [
      (
        madeUpClaim(lead: 1, reading: ("scores", "b")),
        "claim made-up, criterion: unknown metric 'scores'; did you mean 'score'?"
      ),
      (
        madeUpClaim(lead: 1, arms: [a, .init("beta", "Arm B", .baseline)], reading: ("score", "bet")),
        "claim made-up, criterion: unknown arm 'bet'; did you mean 'beta'?"
      ),
      (madeUpClaim(lead: 1, arms: [a, b, b]), "claim made-up: two arms have the name 'b'"),
      (
        madeUpClaim(lead: 1, metrics: ["score", "score"]), "claim made-up: two metrics have the name 'score'"
      ),
      (
        madeUpClaim(lead: 1, arms: [.init("a", "Arm A", .baseline), b]),
        "claim made-up: no arm has the role 'mechanism'"
      ),
    ]
    for (claim, line) in wrong {
      #expect(throws: InvalidInput(line)) { try report(claim) }
      #expect(throws: InvalidInput(line)) {
        try ClaimReport(claim, runs: [:], budget: .quick, seconds: 1, provenance: Provenance(of: claim))
      }
    }
    let lines = [
      (
        madeUpClaim(lead: 1, measuring: "scroe"),
        "claim made-up, arm a: unknown metric 'scroe'; did you mean 'score'?"
      ),
      (
        madeUpClaim(lead: 1, metrics: ["score", "size"], measuring: "size"),
        "claim made-up: the criterion reads 'score' of a, which does not measure it"
      ),
    ]
    for (claim, line) in lines {
      #expect(throws: InvalidInput("made-up, arm a, seed 1: " + line)) { try report(claim) }
      let run = ClaimReport.Run(
        seed: 1, result: try claim.run(ClaimRun(arm: "a", seed: 1, budget: .quick)), seconds: 1)
      #expect(throws: InvalidInput(line)) {
        try ClaimReport(
          claim, runs: ["a": [run]], budget: .quick, seconds: 1, provenance: Provenance(of: claim))
      }
    }
  }

  /// A trial takes two steps; it is no budget, so that nobody can ask for it or be judged by it.
  @Test func howMuchARunDoes() {
    func amounts(_ run: ClaimRun) -> [Int] {
      [
        run.steps(quick: 800, full: 4000), run.steps(1000), run.steps(0),
        run.count(quick: 4, full: 12, trial: 3), run.count(128, trial: 8),
      ]
    }
    #expect(amounts(ClaimRun(arm: "a", seed: 1, budget: .quick)) == [800, 1000, 0, 4, 128])
    #expect(amounts(ClaimRun(arm: "a", seed: 1, budget: .full)) == [4000, 1000, 0, 12, 128])
    #expect(amounts(ClaimRun(trialOf: "a", seed: 1)) == [2, 2, 0, 3, 8])
    #expect(ClaimBudget.allCases == [.quick, .full])
  }

  @Test func messagesSurviveTheirLine() throws {
    let run = ClaimReport.Run(
      seed: 3, result: ClaimResult(["score": .nan, "x": 2], parameters: 4), seconds: 1.5)
    for message in [
      ClaimMessage.progress(0.25), .point(step: 3, metric: "loss", value: .infinity), .failed("a\nb"),
    ] {
      #expect(!(try message.line).contains("\n"))
      #expect(try ClaimMessage(line: message.line) == message)
    }
    guard case .result(let copy) = try ClaimMessage(line: ClaimMessage.result(run).line) else {
      Issue.record("no result")
      return
    }
    #expect(copy.metrics["score"]?.isNaN == true && copy.metrics["x"] == 2 && copy.parameters == 4)
  }
}
