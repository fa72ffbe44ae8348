/// What each arm of a comparison reached and cost.
struct ComparisonTable {
  let result: Comparison

  var html: HTML {
    let arms = result.summaries, best = result.best, metric = result.task.metric
    let rows = arms.enumerated().map { index, arm -> DataTable.Row in
      let behind = best.flatMap { best in
        best.id == arm.id ? "best" : arm.difference(from: best).map { Format.difference($0, metric) }
      }
      return DataTable.Row(
        title: "\(Figures.key(index))\(arm.name)",
        cells: [
          DataTable.Cell(arm.text(metric, of: result.budget.seeds.count)),
          DataTable.Cell(behind),
          DataTable.Cell(
            best.flatMap { result.difference($0.id, arm.id)?.corrected }.map(Format.probability)),
          DataTable.Cell(Format.count(arm.parameters)),
          DataTable.Cell(Format.compact(Double(arm.multiplyAccumulates))),
          DataTable.Cell(arm.examplesPerSecond.map(Format.rate)),
          DataTable.Cell(arm.seconds.map(Format.significant)),
        ])
    }
    let titles = [
      "Test \(metric.name)", "Against the best", "p", "Parameters", "MACs per example", "Examples/s",
      "Seconds",
    ]
    return DataTable(subject: "Arm", columns: titles.map { DataTable.Column(title: $0) }, rows: rows).html
  }
}
