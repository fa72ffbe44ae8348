import CallosumAnalysis
import CallosumContracts

/// What the arms of a claim are and what they measured, in two tables for the terminal.
struct ArmTables {
  private let arms: [ClaimReport.Arm]
  private let metrics: [Metric]

  init(_ arms: [ClaimReport.Arm], _ metrics: [Metric]) { (self.arms, self.metrics) = (arms, metrics) }

  /// Folded to fit into `columns`, if told.
  func text(columns: Int?) -> String {
    sizes.text(columns: columns) + "\n\n" + measured.text(columns: columns)
  }

  private var sizes: Table {
    var table = Table([
      ("arm", .left), ("", .left), ("role", .left), ("parameters", .right), ("MACs", .right),
      ("seconds", .right),
    ])
    for arm in arms {
      let seconds = arm.runs.map(\.seconds)
      table.add([
        arm.id, arm.name, arm.role.rawValue, arm.parameters.map(Format.count) ?? "–",
        arm.multiplyAccumulates.map { Format.compact(Double($0)) } ?? "–",
        seconds.isEmpty ? "–" : Format.significant(Statistics.mean(seconds)),
      ])
    }
    return table
  }

  /// A row for each metric; arms that nobody measured by any of them are left out.
  private var measured: Table {
    let shown = arms.filter { arm in metrics.contains { arm.estimate($0.name) != nil } }
    var columns: [(title: String, alignment: Table.Alignment)] = [("measured", .left)]
    for arm in shown { columns.append((arm.id, .right)) }
    var table = Table(columns)
    for metric in metrics {
      let title = metric.unit.isEmpty ? metric.name : "\(metric.name), \(metric.unit)"
      table.add([title] + shown.map { $0.estimate(metric.name).map(Format.estimate) ?? "–" })
    }
    return table
  }
}
