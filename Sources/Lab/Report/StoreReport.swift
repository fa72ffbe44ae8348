import CallosumContracts
import CallosumTensors
import Foundation

/// Everything in a store as one page that needs nothing else: claims as cards, comparisons, trained networks,
/// the machine.
package struct StoreReport {
  private let claims: [ClaimCard]
  private let comparisons: [(id: Int64, result: Comparison)]
  private let trainings: [TrainingCard]
  private let machine: Machine

  package init(_ store: RunStore) throws {
    claims = try store.claimReports().map { report, picture, run in
      let parts = try run.map { try store.runs(RunFilter(.partOf($0))) } ?? []
      let arms = parts.compactMap { part in
        report.arms.firstIndex { $0.id == part.arm }.map { (run: part.id, arm: $0) }
      }
      return ClaimCard(report: report, picture: picture, curves: try RunCurves(arms, in: store))
    }
    comparisons = try store.runs(RunFilter(.top, kind: .comparison))
      .sorted { $0.started > $1.started }.prefix(20)
      .compactMap { run in
        try store.ifReadable("run \(run.id)") { (run.id, try Comparison(run: run.id, in: store)) }
      }
    trainings = try TrainingCard.all(in: store)
    machine = .thisOne
  }

  /// Writes the page to `path`, whole or not at all.
  package func write(to path: String) throws { try AtomicFile.write(text, to: path) }

  package var text: String { page.text }

  private var page: HTML {
    .page(
      title: "Callosum: claims and comparisons",
      """
      <p class="eyebrow">Callosum report</p>
      <h1>\(headline)</h1>
      \(overview)
      \(claims.map(\.html))
      \(comparisonSection)
      \(trainingSection)
      <h2>What is not known</h2>
      <p>A claim is re-checked at a small scale, with the criterion that stands in its file and was fixed
      before the first run. “Holds” says that the effect shows at this scale, not that the paper's figure was
      reached; “contradicted” may owe to the scale. Intervals cover the luck of seeds, not the choice of task.</p>
      <h2>Machine</h2>
      <dl>
      \(machine.rows.map { "<dt>\($0.name)</dt><dd>\($0.value)</dd>" as HTML })
      </dl>
      """)
  }

  private var headline: String {
    guard !claims.isEmpty else {
      let networks = trainings.reduce(0) { $0 + $1.runs.count }
      let found = [(comparisons.count, "comparison"), (networks, "training")].filter { $0.0 > 0 }
        .map { Format.count($0, $1) }
      return "\(found.isEmpty ? "Nothing complete" : Format.list(found)), no claims yet"
    }
    let counts = Verdict.allCases.compactMap { verdict -> String? in
      let count = claims.count { $0.report.judgement.verdict == verdict }
      return count > 0 ? "\(count) \(verdict.rawValue)" : nil
    }
    return "\(Format.count(claims.count, "claim")) re-checked: \(Format.list(counts))"
  }

  private var overview: HTML {
    guard !claims.isEmpty else { return "" }
    let rows = claims.map { card in
      let report = card.report
      return DataTable.Row(
        title: "<a href=\"#claim-\(report.id)\">\(report.id)</a>",
        cells: [
          .text(report.sentence), .text(report.family.rawValue), .html(report.judgement.verdict.badge),
        ])
    }
    let columns = ["Says", "Family", "Verdict"].map { DataTable.Column(title: $0) }
    return """
      \(DataTable(subject: "Claim", columns: columns, rows: rows, style: "prose sortable").html)
      <p class="soft">\(expectedErrors)</p>
      \(Self.sorting)
      """
  }

  /// How many of the verdicts are false, if every effect lies where a verdict errs most.
  private var expectedErrors: String {
    let judgements = claims.map(\.report.judgement)
    let holding = judgements.count { $0.verdict == .holds || $0.verdict == .smallerThanClaimed }
    let conditions = judgements.filter { $0.verdict == .contradicted }.map(\.findings.count).reduce(0, +)
    let most = Looks.error * Double(holding + conditions)
    return "Coins would make each verdict in \(Format.percent(Looks.error)) of cases: of these, at most "
      + "\(Format.significant(most)) are to be expected false."
  }

  /// Buttons that sort the list, for whoever runs scripts.
  private static let sorting: HTML = """
    <script>
    document.querySelectorAll("table.sortable").forEach(table => {
      const bar = document.createElement("p"), body = table.tBodies[0];
      bar.append("Sort by ");
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        const button = document.createElement("button");
        button.textContent = head.textContent;
        button.onclick = () => body.append(...[...body.rows].sort((a, b) =>
          a.cells[column].textContent.localeCompare(b.cells[column].textContent)));
        if (head.textContent != "Says") bar.append(button, " ");
      });
      table.before(bar);
    });
    </script>
    """

  private var comparisonSection: HTML {
    guard !comparisons.isEmpty else { return "" }
    let sections = comparisons.map { id, result -> HTML in
      let finding = Finding(result)
      return """
        <section class="card">
        <p class="eyebrow">Comparison, run \(Int(id))</p>
        <h3>\(Format.unbroken(finding.headline))</h3>
        <p>\(Format.unbroken(finding.detail))</p>
        \(ComparisonTable(result: result).html)
        <div class="figures">
        \(Figures(result).all)
        </div>
        </section>
        """
    }
    return "<h2>Comparisons</h2>\(sections)"
  }

  private var trainingSection: HTML {
    trainings.isEmpty ? "" : "<h2>Trained networks</h2>\(trainings.map(\.html))"
  }
}
