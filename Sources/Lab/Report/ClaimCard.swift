import CallosumContracts

/// A claim as a card: verdict, arms, conditions, curves, and a picture of the mechanism.
struct ClaimCard {
  let report: ClaimReport
  let picture: Picture?
  /// Points of its runs by metric and arm, a line for each seed.
  let curves: [String: [String: [[Plot.Position]]]]

  var html: HTML {
    let verdict = report.judgement.verdict
    return """
      <section class="card" id="claim-\(report.id)">
      <p class="eyebrow"><span class="verdict \(verdict.rawValue)">\(verdict.rawValue)</span> \
      \(report.id) · \(report.family.rawValue) · \(report.paper), \(report.year)</p>
      <h3>\(report.sentence)</h3>
      <p>\(report.experiment)</p>
      <p class="soft">The paper: \(report.paperFigure).</p>
      \(interruption)
      \(arms)
      \(conditions)
      \(explanation)
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
    guard report.judgement.verdict != .holds, let text = report.explanation else { return "" }
    return "<p><strong>Why:</strong> \(text)</p>"
  }

  /// A row for each metric, a column for each arm.
  private var arms: HTML {
    func row(_ title: String, _ cells: [String]) -> HTML {
      let values = zip(report.arms, cells).map { arm, cell in
        "<td data-label=\"\(arm.name)\">\(Format.unbroken(cell))</td>" as HTML
      }
      return "<tr><th scope=\"row\">\(title)</th>\(values)</tr>"
    }
    let heads = report.arms.enumerated().map { index, arm -> HTML in
      "<th scope=\"col\">\(Figures.key(index))\(arm.name)<br/><span class=\"soft\">\(arm.role.rawValue)</span></th>"
    }
    let measured = report.metrics.map { metric in
      row(
        metric.unit.isEmpty ? metric.name : "\(metric.name), \(metric.unit)",
        report.arms.map { $0.estimate(metric.name).map(Format.estimate) ?? "–" })
    }
    let sizes = [
      row("parameters", report.arms.map { $0.parameters.map(Format.count) ?? "–" }),
      row(
        "multiply-accumulates",
        report.arms.map { $0.multiplyAccumulates.map { Format.compact(Double($0)) } ?? "–" }),
    ]
    return """
      <div class="wide">
      <table class="arms">
      <thead><tr><th scope="col">Measured</th>\(heads)</tr></thead>
      <tbody>
      \(measured + sizes)
      </tbody>
      </table>
      </div>
      """
  }

  private var conditions: HTML {
    let items = report.judgement.findings.map { finding -> HTML in
      let found = finding.problem ?? finding.estimate.map { "found \(Format.estimate($0))" } ?? ""
      return """
        <li><span class="verdict \(finding.verdict.rawValue)">\(finding.verdict.rawValue)</span> \
        \(Format.unbroken("\(finding.condition); \(found)"))</li>
        """
    }
    return "<ul class=\"conditions\">\(items)</ul>"
  }

  private var figures: [HTML] {
    let drawn = curves.keys.sorted().prefix(2).compactMap { metric -> HTML? in
      let marks = report.arms.enumerated().flatMap { index, arm in
        (curves[metric]?[arm.id] ?? []).map { Plot.Mark.line($0, arm: index) }
      }
      let all = (curves[metric] ?? [:]).values.joined().joined()
      let values = all.map(\.y).filter(\.isFinite), steps = all.map(\.x)
      guard let low = values.min(), let high = values.max(), let last = steps.max(), all.count > 1 else {
        return nil
      }
      let plot = Plot(
        x: Axis("step", over: 0...max(last, 1), floor: 0), y: Axis(metric, over: low...high),
        summary: "\(metric) of each run while it went on.", marks: marks)
      return "<figure><figcaption>\(metric)<span>A line for each run.</span></figcaption>\(plot.svg)</figure>"
    }
    return drawn + (picture.map { PictureDrawing($0).figures } ?? [])
  }
}
