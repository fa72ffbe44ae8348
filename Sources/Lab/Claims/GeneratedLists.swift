import CallosumContracts
import CallosumTensors
import Foundation

/// The lists in a package's pages that are made from its claims and their results, never by hand. A list
/// stands between two comments, and what is between them is replaced:
///
///     <!-- callosum: claims -->
///     <!-- callosum: end -->
///
/// `claims` is a table of verdicts, `results` has what each claim says, found and rests on.
package struct GeneratedLists {
  private let claims: [Claim]
  private let results: [String: RecordedResult]
  /// What does not fit between claims and results, a line each: one without the other, or a result that was
  /// judged by other conditions than the claim has now.
  package let problems: [String]

  /// - Throws: `InvalidInput` if results cannot be read.
  package init(_ claims: [Claim], _ folder: ResultsFolder) throws {
    let claims = claims.sorted { $0.id < $1.id }
    let recorded = try folder.claims()
    var results: [String: RecordedResult] = [:], problems: [String] = []
    for id in recorded {
      results[id] = try folder.result(of: id)
      if !claims.contains(where: { $0.id == id }) {
        problems.append("\(folder.path)/\(id).json: there is no claim of that name; delete the file")
      }
    }
    for claim in claims {
      let conditions = claim.criterion.conditions.map(\.text), arms = claim.arms.map(\.id)
      guard let runs = results[claim.id]?.runs, !runs.isEmpty else {
        problems.append("\(claim.id) has no result; 'callosum reproduce \(claim.id) --record' makes it")
        continue
      }
      for (budget, run) in runs.sorted(by: { $0.key < $1.key })
      where run.findings.map(\.condition) != conditions || run.arms.map(\.id) != arms {
        problems.append(
          "\(claim.id): its conditions or arms are not those of the recorded run; "
            + "'callosum reproduce \(claim.id) --budget \(budget) --record' makes it anew")
      }
    }
    (self.claims, self.results, self.problems) = (claims, results, problems)
  }

  // MARK: Pages

  /// The pages of the package in `root` whose lists are not as they should be: README.md and those in docs/.
  /// - Throws: `InvalidInput` for a page whose comments make no sense.
  package func stalePages(in root: String) throws -> [(path: String, text: String)] {
    let docs = (try? FileManager.default.contentsOfDirectory(atPath: root + "/docs")) ?? []
    let names = ["README.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "docs/" + $0 }
    return try names.compactMap { name in
      let path = "\(root)/\(name)"
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
      let fresh = try rewritten(text, of: path)
      return fresh == text ? nil : (path, fresh)
    }
  }

  /// The page with its lists made anew.
  package func rewritten(_ page: String, of path: String) throws -> String {
    let opening = "<!-- callosum: ", closing = " -->"
    var lines: [Substring] = []
    var rest = page.split(separator: "\n", omittingEmptySubsequences: false)[...]
    while let line = rest.popFirst() {
      lines.append(line)
      guard line.hasPrefix(opening), line.hasSuffix(closing) else { continue }
      let name = String(line.dropFirst(opening.count).dropLast(closing.count))
      guard let end = rest.firstIndex(of: Substring(opening + "end" + closing)) else {
        throw InvalidInput(
          "\(path): the list '\(name)' has no end; write '\(opening)end\(closing)' behind it")
      }
      let lists = ["claims": verdicts, "results": details]
      guard let list = lists[name] else {
        throw InvalidInput("\(path): \(unknownName("list", name, in: lists.keys))")
      }
      lines += list.map { Substring($0) } + [rest[end]]
      rest = rest[(end + 1)...]
    }
    return lines.joined(separator: "\n")
  }

  // MARK: Lists

  /// How many claims hold, and a table of all.
  private var verdicts: [String] {
    let budgets = ClaimBudget.allCases.map(\.rawValue).filter { budget in
      claims.contains { results[$0.id]?.runs[budget] != nil }
    }
    let counts = budgets.map { budget in
      let found = claims.compactMap { results[$0.id]?.runs[budget]?.verdict }
      let words = Set(found).sorted().map { verdict in "\(verdict) \(found.count { $0 == verdict })" }
      return "\(found.count) with the \(budget) budget (\(words.joined(separator: ", ")))"
    }
    let rows = claims.map { claim in
      let cells = budgets.map { results[claim.id]?.runs[$0].map { "**\($0.verdict)**" } ?? "" }
      return row(["`\(claim.id)`", claim.sentence] + cells)
    }
    return [
      "\(Format.count(claims.count, "claim")). Recorded: \(counts.isEmpty ? "none" : Format.list(counts)).",
      "",
      row(["claim", "says"] + budgets), row(["---", "---"] + budgets.map { _ in "---" }),
    ] + rows
  }

  private func row(_ cells: [String]) -> String {
    "| \(cells.map { $0.replacingOccurrences(of: "|", with: "\\|") }.joined(separator: " | ")) |"
  }

  /// A section for each claim.
  private var details: [String] {
    let sections = claims.map { claim -> [String] in
      let paper =
        claim.card.paper.link.map { "[\(claim.card.paper.citation)](\($0))" } ?? claim.card.paper.citation
      let runs = ClaimBudget.allCases.flatMap { budget -> [String] in
        results[claim.id]?.runs[budget.rawValue].map { details($0, budget.rawValue) } ?? []
      }
      return [
        "", "## \(claim.id)", "", claim.sentence, "", "- Paper: \(paper): \(claim.paperFigure).",
        "- Here: \(claim.experiment)",
      ] + runs
    }
    return sections.flatMap { $0 } + [""]
  }

  private func details(_ run: RecordedResult.Run, _ budget: String) -> [String] {
    let day = run.date.formatted(.iso8601.year().month().day())
    let lines =
      [
        "",
        "**\(run.verdict)** (\(budget) budget): \(run.seeds.count) seeds, \(Format.significant(run.seconds)) s on "
          + "\(run.machine.processor), \(day), version \(run.version).", "",
      ]
      + (run.checks ?? []).map {
        "- \($0.isTrue ? "true" : "**false**"): \(Format.clause($0.statement)); \($0.found)"
      }
      + (run.gates ?? []).map { "- gate, \(words($0))" } + run.findings.map { "- \(words($0))" }
    let notes = [run.tuning, run.provenance?.sentence, run.explanation].compactMap { $0 }
    return lines + notes.flatMap { ["", $0] }
  }

  private func words(_ finding: RecordedResult.Finding) -> String {
    let mean = finding.figures["mean"].map {
      "found " + Format.estimate(mean: $0, halfWidth: finding.figures["halfWidth"])
    }
    let details = finding.details ?? [finding.problem ?? mean ?? "found nothing"]
    return (["\(finding.verdict): \(finding.condition)"] + details).joined(separator: "; ")
  }
}
