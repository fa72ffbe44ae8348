import CallosumContracts
import CallosumLab
import Testing

/// A claim about two numbers that differ by `lead` and a little noise that depends on the seed.
private func madeUpClaim(lead: Double, failing: String? = nil) -> Claim {
  Claim(
    of: Card(
      id: "made-up", name: "Made up", family: .mixers,
      paper: Paper("None", by: ["Nobody"], year: 2000, link: nil),
      summary: "", verification: ""),
    sentence: "A is larger than B.",
    paperFigure: "none", experiment: "none",
    arms: [.init("a", "Arm A", .mechanism), .init("b", "Arm B", .baseline)],
    metrics: [Metric("score")],
    criterion: Criterion(
      Condition(.measured("score", of: "a") - .measured("score", of: "b"), .beats(by: 0.1))),
    matching: .parameters(within: 0.05), explanation: "Two sentences. They explain."
  ) { run in
    var random = run.random("noise")
    let noise = random.normal([1]).doubles[0]
    for step in 1...4 {
      try run.progress(Double(step) / 4)
      run.note("loss", 1 / Double(step), step: step)
    }
    if run.arm == failing { throw InvalidInput("the arm fell off") }
    return ClaimResult(
      ["score": noise + (run.arm == "a" ? lead : 0)], parameters: run.arm == "a" ? 100 : 120,
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
    #expect(report.arms.map(\.runs.count) == [3, 3] && report.seeds == [1, 2, 3])
    #expect(report.arms.map(\.parameters) == [100, 120])
    #expect(report.matching == "Parameters differ: Arm B has 20.00 % more.")
    #expect(!report.wasInterrupted && report.text.hasPrefix("HOLDS: A is larger than B."))
    #expect(!report.text.contains("They explain"))
    #expect(try self.report(madeUpClaim(lead: -0.5), seeds: 5).judgement.verdict == .contradicted)
    #expect(try self.report(madeUpClaim(lead: -0.5)).text.contains("They explain"))
  }

  @Test func anInterruptedClaimIsInconclusive() throws {
    let report = try report(madeUpClaim(lead: 0.5), stopAfter: 3)
    #expect(report.wasInterrupted && report.judgement.verdict == .inconclusive)
    #expect(report.arms.map(\.runs.count) == [2, 1])
  }

  @Test func aFailingArmIsNamed() throws {
    #expect(throws: InvalidInput("made-up, arm b, seed 1: the arm fell off")) {
      try report(madeUpClaim(lead: 1, failing: "b"))
    }
    #expect(throws: InvalidInput("--seeds must be from 1 to 1000, is 0")) {
      try report(madeUpClaim(lead: 1), seeds: 0)
    }
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
