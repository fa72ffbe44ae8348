/// What each arm of a comparison reached and cost.
struct ComparisonTable {
  let result: Comparison

  var html: HTML {
    let arms = result.summaries
    let best = arms.filter { $0.accuracy != nil }
      .max { ($0.accuracy?.mean ?? 0) < ($1.accuracy?.mean ?? 0) }
    let rows = arms.enumerated().map { index, arm -> DataTable.Row in
      let behind = best.flatMap { best in
        best.name == arm.name ? "best" : arm.lead(over: best).map(Format.difference)
      }
      return DataTable.Row(
        title: "\(Figures.key(index))\(arm.name)",
        cells: [
          DataTable.Cell(arm.accuracy.map { Format.percent($0, of: result.budget.seeds.count) }),
          DataTable.Cell(behind),
          DataTable.Cell(Format.count(arm.parameters)),
          DataTable.Cell(Format.compact(Double(arm.multiplyAccumulatesPerImage))),
          DataTable.Cell(arm.imagesPerSecond.map(Format.rate)),
          DataTable.Cell(arm.seconds.map(Format.significant)),
        ])
    }
    let titles = ["Test accuracy", "Against the best", "Parameters", "MACs per image", "Images/s", "Seconds"]
    return DataTable(subject: "Arm", columns: titles.map { DataTable.Column(title: $0) }, rows: rows).html
  }
}
