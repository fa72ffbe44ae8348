import CallosumContracts
import CallosumLab
import CallosumTestSupport
import Foundation
import Testing

private func reported(
  lead: Double = 0.5, budget: ClaimBudget = .quick, seeds: Int? = nil
) throws -> ClaimReport {
  try Reproduction(madeUpClaim(lead: lead), budget: budget, seeds: seeds).run(
    processes: 1, worker: { _, _ in [] }, onEvent: { _ in }, isCancelled: { false })
}

@Suite struct RecordedResultTests {
  /// Every number that the verdict rests on comes back as it was, to the last bit.
  @Test func holdsWhatWasFound() throws {
    try inTemporaryFolder { folder in
      let report = try reported(lead: -0.5, seeds: 8), results = ResultsFolder(folder + "/a/Results")
      try results.record(report)
      let result = try #require(try results.result(of: "made-up"))
      let run = try #require(result.runs["quick"])
      #expect(result.claim == "made-up" && result.runs.count == 1)
      #expect(run.verdict == "contradicted" && run.seeds == [1, 2, 3, 4, 5, 6, 7, 8])
      #expect(run.explanation == report.explanation && run.explanation?.hasPrefix("Two sentences.") == true)
      #expect(run.provenance == report.provenance && run.checks?.map(\.isTrue) == [true])
      #expect(run.arms.map(\.id) == ["a", "b"] && run.arms.map(\.parameters) == [100, 120])
      #expect(run.arms[1].runs.map(\.metrics) == report.arms[1].runs.map(\.metrics))
      #expect(run.findings[0].values == report.judgement.findings[0].values)
      #expect(run.findings[0].figures["mean"] == report.judgement.findings[0].estimate?.mean)
      #expect(run.version == Version.current && run.machine == .thisOne)
      #expect(abs(run.date.timeIntervalSince(report.date)) < 1)
    }
  }

  /// One budget does not disturb the other, an explanation stands only where it explains something, and the
  /// same result gives the same bytes.
  @Test func budgetsLieSideBySide() throws {
    try inTemporaryFolder { folder in
      let results = ResultsFolder(folder), path = folder + "/made-up.json"
      let quick = try reported(lead: -0.5), full = try reported(budget: .full)
      try results.record(quick)
      let before = try results.result(of: "made-up")?.runs["quick"]
      try results.record(full)
      let first = try String(contentsOfFile: path, encoding: .utf8)
      let both = try results.result(of: "made-up")
      #expect(both?.runs["quick"] == before && both?.runs["full"]?.verdict == "holds")
      #expect(both?.runs["full"]?.explanation == nil)
      try results.record(full)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == first)
      #expect(first.hasSuffix("}\n") && !first.contains("\\/"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["made-up.json"])
      #expect(try results.claims() == ["made-up"])
    }
  }

  /// A file of another version: keys that are new are passed over, what may be missing may be missing, and a
  /// verdict that this version cannot give is still a word.
  @Test func filesOfOtherVersionsStayReadable() throws {
    let text = """
      {"claim": "made-up", "format": 9, "runs": {"quick": {
        "verdict": "undecided", "findings": [{"condition": "x", "verdict": "undecided", "values": ["nan", 1],
        "figures": {"wins": 1}, "looks": [7]}],
        "arms": [{"id": "a", "role": "mechanism", "runs": [{"seed": 1, "seconds": 2, "metrics": {}}]}],
        "seeds": [1], "seconds": 1.5, "date": "2026-11-21T10:00:00Z", "version": "0.1.0", "commit": "abc",
        "machine": {"processor": "P", "cores": 1, "threads": 1, "instructionSet": "i", "memory": 1,
        "operatingSystem": "o", "libraries": {}, "callosumVersion": "0.1.0", "extra": 1}}}}
      """
    try inTemporaryFolder { folder in
      try text.write(toFile: folder + "/made-up.json", atomically: true, encoding: .utf8)
      let run = try #require(try ResultsFolder(folder).result(of: "made-up")?.runs["quick"])
      #expect(run.verdict == "undecided" && run.findings[0].figures == ["wins": 1])
      #expect(run.findings[0].values[0].isNaN && run.matching == nil && run.arms[0].parameters == nil)
    }
  }

  /// A file that is something else is not overwritten, and a place that cannot be written is noticed early.
  @Test func whatCannotBeRecorded() throws {
    try inTemporaryFolder { folder in
      let results = ResultsFolder(folder), path = folder + "/made-up.json"
      for text in ["{", #"{"claim": "another", "runs": {}}"#] {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let line =
          "\(path) does not hold the result of made-up; restore it, or delete it and record the claim again"
        #expect(throws: InvalidInput(line)) { try results.prepare(for: "made-up") }
        #expect(throws: InvalidInput(line)) { try results.record(reported()) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      }
      #expect(throws: InvalidInput("\(path) is a file, not a folder; choose another place for --record")) {
        try ResultsFolder(path).prepare(for: "made-up")
      }
      #expect(
        throws: InvalidInput("there is no folder \(folder)/none; 'callosum reproduce ID --record' makes it")
      ) {
        try ResultsFolder(folder + "/none").claims()
      }
    }
  }
}

@Suite struct GeneratedListTests {
  private let page = """
    # Title
    <!-- callosum: claims -->
    old
    <!-- callosum: end -->
    between
    <!-- callosum: results -->
    <!-- callosum: end -->
    last
    """

  private func lists(_ claim: Claim, _ folder: String) throws -> GeneratedLists {
    try GeneratedLists([claim], ResultsFolder(folder))
  }

  @Test func pagesAreMadeFromResults() throws {
    try inTemporaryFolder { folder in
      try ResultsFolder(folder).record(reported(lead: -0.5))
      let lists = try lists(madeUpClaim(lead: 0), folder)
      #expect(lists.problems == [])
      let fresh = try lists.rewritten(page, of: "page")
      let lines = fresh.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      #expect(lines.first == "# Title" && lines.last == "last" && lines.contains("between"))
      #expect(!fresh.contains("old"))
      #expect(lines.contains("1 claim. Recorded: 1 with the quick budget (contradicted 1)."))
      #expect(lines.contains("| `made-up` | A is larger than B. | **contradicted** |"))
      #expect(
        lines.contains {
          $0.hasPrefix("- contradicted: score(a) − score(b): a lead of at least 0.1; 0 of 7 seeds for it")
        })
      #expect(lines.contains { $0.hasPrefix("Two sentences. They explain that a made ") })
      #expect(lines.contains("- true: One is one; 1") && lines.contains("First run."))
      // Made anew, it stays as it is.
      #expect(try lists.rewritten(fresh, of: "page") == fresh)
    }
  }

  @Test func stalePagesAreFound() throws {
    try inTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/docs", withIntermediateDirectories: true)
      try ResultsFolder(folder + "/Results").record(reported())
      let lists = try lists(madeUpClaim(lead: 0), folder + "/Results")
      try page.write(toFile: folder + "/docs/claims.md", atomically: true, encoding: .utf8)
      try "no lists".write(toFile: folder + "/README.md", atomically: true, encoding: .utf8)
      let stale = try lists.stalePages(in: folder)
      #expect(stale.map(\.path) == [folder + "/docs/claims.md"])
      for page in stale { try page.text.write(toFile: page.path, atomically: true, encoding: .utf8) }
      #expect(try lists.stalePages(in: folder).isEmpty)
    }
  }

  @Test func whatDoesNotFitIsSaid() throws {
    try inTemporaryFolder { folder in
      try ResultsFolder(folder).record(reported())
      let changed = madeUpClaim(lead: 0, arms: [.init("a", "A", .mechanism), .init("c", "C", .baseline)])
      #expect(
        try lists(changed, folder).problems == [
          "made-up: its conditions or arms are not those of the recorded run; "
            + "'callosum reproduce made-up --budget quick --record' makes it anew"
        ])
      #expect(
        try GeneratedLists([], ResultsFolder(folder)).problems == [
          "\(folder)/made-up.json: there is no claim of that name; delete the file"
        ])
      try FileManager.default.removeItem(atPath: folder + "/made-up.json")
      let lists = try lists(madeUpClaim(lead: 0), folder)
      #expect(lists.problems == ["made-up has no result; 'callosum reproduce made-up --record' makes it"])
      #expect(try lists.rewritten(page, of: "page").contains("1 claim. Recorded: none."))
      #expect(throws: InvalidInput("page: unknown list 'claim'; did you mean 'claims'?")) {
        try lists.rewritten("<!-- callosum: claim -->\n<!-- callosum: end -->", of: "page")
      }
      #expect(
        throws: InvalidInput("page: the list 'claims' has no end; write '<!-- callosum: end -->' behind it")
      ) {
        try lists.rewritten("<!-- callosum: claims -->\n", of: "page")
      }
    }
  }
}
