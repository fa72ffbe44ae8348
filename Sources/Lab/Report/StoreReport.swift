import CallosumContracts
import CallosumTensors
import Foundation

/// Everything in a store as one page that needs nothing else: claims as cards, comparisons, the machine.
package struct StoreReport {
  private let claims: [ClaimCard]
  private let comparisons: [(id: Int64, result: Comparison)]
  private let machine: Machine

  package init(_ store: RunStore) throws {
    claims = try store.claimReports().map { report, picture, run in
      ClaimCard(
        report: report, picture: picture, curves: try run.map { try Self.curves(of: $0, store) } ?? [:])
    }
    comparisons = try store.runs(RunFilter(.top, kind: .comparison))
      .sorted { $0.started > $1.started }.prefix(20)
      .map { ($0.id, try Comparison(run: $0.id, in: store)) }
    machine = .thisOne
  }

  /// Writes the page to `path`, whole or not at all.
  package func write(to path: String) throws { try AtomicFile.write(page.text, to: path) }

  private static func curves(
    of run: Int64, _ store: RunStore
  ) throws -> [String: [String: [[Plot.Position]]]] {
    var curves: [String: [String: [[Plot.Position]]]] = [:]
    for part in try store.runs(RunFilter(.partOf(run))) {
      guard let arm = part.arm else { continue }
      for (metric, points) in Dictionary(grouping: try store.points(of: part.id), by: \.metric) {
        let line = points.sorted { $0.step < $1.step }.map { (x: Double($0.step), y: $0.value) }
        curves[metric, default: [:]][arm, default: []].append(line)
      }
    }
    return curves
  }

  private var page: HTML {
    .page(
      title: "Callosum: claims and comparisons",
      """
      <p class="eyebrow">Callosum report</p>
      <h1>\(headline)</h1>
      \(overview)
      \(claims.map(\.html))
      \(comparisonSection)
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
    guard !claims.isEmpty else { return "\(comparisons.count) comparisons, no claims yet" }
    let counts = Verdict.allCases.compactMap { verdict -> String? in
      let count = claims.count { $0.report.judgement.verdict == verdict }
      return count > 0 ? "\(count) \(verdict.rawValue)" : nil
    }
    return "\(claims.count) \(claims.count == 1 ? "claim" : "claims") re-checked: \(Format.list(counts))"
  }

  private var overview: HTML {
    guard !claims.isEmpty else { return "" }
    let rows = claims.map { card -> HTML in
      let report = card.report, verdict = report.judgement.verdict.rawValue
      return """
        <tr><th scope="row"><a href="#claim-\(report.id)">\(report.id)</a></th>\
        <td data-label="Says">\(report.sentence)</td>\
        <td data-label="Verdict"><span class="verdict \(verdict)">\(verdict)</span></td></tr>
        """
    }
    return """
      <table class="prose">
      <thead><tr><th scope="col">Claim</th><th scope="col">Says</th><th scope="col">Verdict</th></tr></thead>
      <tbody>
      \(rows)
      </tbody>
      </table>
      """
  }

  private var comparisonSection: HTML {
    guard !comparisons.isEmpty else { return "" }
    let sections = comparisons.map { id, result -> HTML in
      let finding = Finding(result)
      return """
        <section class="card">
        <p class="eyebrow">Comparison, run \(Int(id))</p>
        <h3>\(Format.unbroken(finding.headline))</h3>
        <p>\(Format.unbroken(finding.detail))</p>
        <pre>\(result.table.text)</pre>
        <div class="figures">
        \(Figures(result).all)
        </div>
        </section>
        """
    }
    return "<h2>Comparisons</h2>\(sections)"
  }
}
