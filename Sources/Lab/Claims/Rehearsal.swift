import CallosumContracts

/// What the arms of a claim measure from seeds of tuning, for whoever chooses settings. It judges nothing, and
/// nothing of it is kept.
package struct Rehearsal: Encodable {
  private let id: String
  private let arms: [ClaimReport.Arm]
  private let metrics: [Metric]
  private let quantities: [Row]

  /// A gate or condition and its quantity, seed by seed.
  private struct Row: Encodable {
    let condition: String
    let values: [Double]
  }

  init(_ claim: Claim, runs: [String: [ClaimReport.Run]]) {
    id = claim.id
    arms = ClaimReport.Arm.all(of: claim, runs)
    metrics = claim.metrics
    let seeds = Set(runs.values.joined().map(\.seed)).sorted()
    quantities = (claim.criterion.gates + claim.criterion.conditions).map { condition in
      Row(
        condition: condition.text,
        values: seeds.compactMap { seed in
          condition.quantity.value { metric, arm in
            runs[arm]?.first { $0.seed == seed }?.metrics[metric]
          }
        })
    }
  }

  /// The arms in tables, and each condition's quantity by seed, folded to fit into `columns`, if told.
  package func text(columns: Int?) -> String {
    let rows = quantities.map { row in
      "  \(row.condition); found \(row.values.map { Format.significant($0) }.joined(separator: ", "))"
    }
    return
      (["REHEARSAL of \(id), which judges nothing", "", ArmTables(arms, metrics).text(columns: columns), ""]
      + rows).joined(separator: "\n")
  }
}
