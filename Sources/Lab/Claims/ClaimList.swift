import CallosumContracts
import Foundation

/// All claims in a Markdown table: what papers say, what was found here, when and with which version.
package struct ClaimList {
  private let reports: [ClaimReport]

  package init(_ reports: [ClaimReport]) { self.reports = reports }

  package var markdown: String {
    var lines = [
      "# Claims", "",
      "Made by `callosum report --markdown docs/claims.md` from the store of runs; not written by hand. Each",
      "claim's criterion stands in code (`Sources/Claims`) and was fixed before its first run. Figures are",
      "means over seeds ± half their 95 % interval.", "",
      "| claim | says | paper's figure | ours | verdict | seconds | version | date |",
      "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for report in reports {
      let cells = [
        "`\(report.id)`", report.sentence, report.paperFigure, figures(report),
        "**\(report.judgement.verdict.rawValue)** (\(report.budget.rawValue), \(report.seeds.count) seeds)",
        Format.significant(report.seconds), report.version, day(report.date),
      ]
      let text = cells.map { $0.replacingOccurrences(of: "|", with: "\\|") }
      lines.append("| \(text.joined(separator: " | ")) |")
    }
    var seen: Set<String> = []
    let explained = reports.filter { report in
      report.judgement.verdict != .holds && report.explanation != nil && seen.insert(report.id).inserted
    }
    if !explained.isEmpty { lines += ["", "## What does not hold, and why", ""] }
    for report in explained { lines += ["- `\(report.id)`: \(report.explanation ?? "")"] }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What each condition found.
  private func figures(_ report: ClaimReport) -> String {
    report.judgement.findings.map { finding in
      "\(finding.condition): \(finding.problem ?? finding.estimate.map(Format.estimate) ?? "nothing")"
    }.joined(separator: "; ")
  }

  private func day(_ date: Date) -> String {
    date.formatted(.iso8601.year().month().day())
  }
}
