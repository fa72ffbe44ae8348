import CallosumContracts

/// A claim as a card: verdict, arms, conditions, curves, and a picture of the mechanism.
struct ClaimCard {
  let report: ClaimReport
  let picture: Picture?
  let curves: RunCurves

  /// Title and authors, with a link where there is one.
  private var paper: HTML {
    // A store is no safe place: an address may be one that runs something.
    let link = report.link.flatMap { $0.hasPrefix("https://") || $0.hasPrefix("http://") ? $0 : nil }
    let title: HTML = link.map { "<a href=\"\($0)\">\(report.paper)</a>" } ?? "\(report.paper)"
    return report.authors.map { "\($0.joined(separator: ", ")): \(title)" } ?? title
  }

  var html: HTML {
    return """
      <section class="card" id="claim-\(report.id)">
      <p class="eyebrow">\(report.judgement.verdict.badge) \
      \(report.id) · \(report.family.rawValue) · \(paper), \(report.year)</p>
      <h3>\(report.sentence)</h3>
      <p>\(report.experiment)</p>
      <p class="soft">The paper: \(report.paperFigure).</p>
      \(interruption)
      \(arms)
      \(conditions)
      \(explanation)
      <p class="soft">\(history)</p>
      <p class="soft">\(report.matching) Budget \(report.budget.rawValue), \(report.seeds.count) seeds,
      \(Format.duration(report.seconds)) in all, Callosum \(report.version).</p>
      <div class="figures">
      \(figures)
      </div>
      </section>
      """
  }

  private var interruption: HTML {
    guard report.wasInterrupted else { return "" }
    return "<p class=\"notice\" role=\"note\"><strong>Stopped early:</strong> not all runs are complete.</p>"
  }

  private var explanation: HTML {
    guard let text = report.explanation else { return "" }
    return "<p><strong>Why:</strong> \(text)</p>"
  }

  /// How settings were chosen, how often the claim was run, of what code, and where.
  private var history: String {
    var parts: [String] = []
    if let tuning = report.tuning { parts.append(tuning.text) }
    if let provenance = report.provenance {
      parts.append(provenance.sentence)
      if let commit = provenance.commit { parts.append("Commit \(commit).") }
      parts.append("On \(provenance.machine.processor).")
    }
    return parts.joined(separator: " ")
  }

  /// A row for each metric, a column for each arm.
  private var arms: HTML {
    let columns = report.arms.enumerated().map { index, arm in
      DataTable.Column(
        title: arm.name,
        head: "\(Figures.key(index))\(arm.name)<br/><span class=\"soft\">\(arm.role.rawValue)</span>")
    }
    func row(_ title: String, _ cell: (ClaimReport.Arm) -> String?) -> DataTable.Row {
      DataTable.Row(title: "\(title)", cells: report.arms.map { DataTable.Cell(cell($0)) })
    }
    let measured = report.metrics.map { metric in
      row(metric.unit.isEmpty ? metric.name : "\(metric.name), \(metric.unit)") {
        $0.estimate(metric.name).map(Format.estimate)
      }
    }
    let sizes = [
      row("parameters") { $0.parameters.map(Format.count) },
      row("multiply-accumulates") { $0.multiplyAccumulates.map { Format.compact(Double($0)) } },
    ]
    let table = DataTable(subject: "Measured", columns: columns, rows: measured + sizes, style: "arms")
    return "<div class=\"wide\">\(table.html)</div>"
  }

  private var conditions: HTML {
    let judgement = report.judgement
    let checks = (report.checks ?? []).map { check -> HTML in
      """
      <li><span class="verdict \(check.outcome.isTrue ? "holds" : "contradicted")">\
      \(check.outcome.isTrue ? "true" : "false")</span> \(Format.clause(check.statement)): \(check.outcome.found)</li>
      """
    }
    func items(_ findings: [Judgement.Finding], _ kind: String) -> [HTML] {
      findings.map { finding in
        let found = ([kind + finding.condition] + finding.details).joined(separator: "; ")
        return
          "<li>\(finding.verdict.badge) \(Format.unbroken(found))\(SeedStrip(finding: finding).svg ?? "")</li>"
      }
    }
    return """
      <ul class="conditions">\(checks)\(items(judgement.gates, "gate: "))\(items(judgement.findings, ""))</ul>
      """
  }

  private var figures: [HTML] {
    curves.figures(2) + (picture.map { PictureDrawing($0).figures } ?? [])
  }
}

extension Verdict {
  /// Its word in its colour.
  var badge: HTML {
    "<span class=\"verdict \(rawValue.replacing(" ", with: "-"))\">\(rawValue)</span>"
  }
}
