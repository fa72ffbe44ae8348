/// Several comparisons of the same arms as one table of arms by tasks.
package struct ComparisonMatrix {
  private let comparisons: [Comparison]

  package init(_ comparisons: [Comparison]) { self.comparisons = comparisons }

  /// A row for each arm, a column for each task; a star stands where no other arm did better that could be
  /// told apart.
  package var table: Table {
    var columns: [(title: String, alignment: Table.Alignment)] = [("arm", .left)]
    for comparison in comparisons {
      columns.append(("\(comparison.task.id), \(comparison.task.metric.name)", .right))
    }
    var table = Table(columns)
    var arms: [(id: String, name: String)] = []
    for arm in comparisons.flatMap(\.arms) where !arms.contains(where: { $0.id == arm.id }) {
      arms.append((arm.id, arm.name))
    }
    for arm in arms {
      let cells = comparisons.map { comparison -> String in
        guard let own = comparison.summaries.first(where: { $0.id == arm.id }) else { return "–" }
        let isBeaten = comparison.best.map { best in
          best.id != arm.id && comparison.difference(best.id, arm.id)?.isToldApart ?? false
        }
        let mark = own.score != nil && isBeaten == false ? " *" : "  "
        return own.text(comparison.task.metric, of: comparison.budget.seeds.count) + mark
      }
      table.add([arm.name] + cells)
    }
    return table
  }
}
