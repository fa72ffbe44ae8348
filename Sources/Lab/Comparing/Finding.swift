import CallosumContracts

/// What a comparison found, in a sentence that claims no more than the intervals carry.
package struct Finding: Equatable {
  /// The sentence.
  package let headline: String
  /// What else is worth knowing about it.
  package let detail: String

  package init(_ result: Comparison) {
    let metric = result.task.metric
    let divergences = result.summaries.filter { $0.diverged > 0 }.map { arm in
      "\(arm.name) diverged"
        + (arm.scores.isEmpty ? "" : " in \(arm.diverged) of \(arm.diverged + arm.scores.count) seeds")
    }
    func closed(_ sentence: String) -> String {
      divergences.isEmpty ? "\(sentence)." : "\(sentence); \(Format.list(divergences))."
    }
    let unfinished = result.arms.count - result.summaries.count { $0.score != nil || $0.diverged > 0 }
    let task = result.task.name + (unfinished > 0 ? ", among the arms that finished" : "")
    guard let best = result.ranked.first, let score = best.score.map({ Format.score($0, metric) }) else {
      headline = closed("No run was completed on \(result.task.name)")
      detail = "There is nothing to compare."
      return
    }
    let others = result.ranked.dropFirst()
    guard let second = others.first else {
      headline = closed("\(best.name) reached \(score) test \(metric.name) on \(result.task.name)")
      detail = "No other arm completed a run, so this says nothing about how it compares."
      return
    }
    // The same seed gives two arms the same batches, so the difference by seed is the sharper look.
    let paired = best.difference(from: second).flatMap { lead in
      lead.interval.map { interval in
        "Seed by seed, \(best.name) differs from \(second.name) by"
          + " \(Format.difference(lead, metric))\(metric.isFraction ? " percentage points" : ""), an interval that"
          + " \(interval.contains(0) ? "includes" : "excludes") zero."
      }
    }
    guard result.ranked.allSatisfy({ $0.score?.interval != nil }) else {
      headline = closed("\(best.name) did best on \(task), \(score); one seed cannot tell that from luck")
      detail = "Intervals need at least two completed seeds of every arm."
      return
    }
    let rivals = others.filter { !(result.difference(best.id, $0.id)?.isToldApart ?? false) }
    if rivals.isEmpty {
      headline = closed(
        "\(best.name) did best on \(task): \(score), ahead of every other by more than the seeds vary")
    } else {
      let all = rivals.count == others.count && rivals.count > 1
      headline = closed(
        "No clear winner on \(task): \(best.name) came first, \(score), but its lead over"
          + " \(all ? "every other" : Format.list(rivals.map(\.name))) may be chance")
    }
    let behind = others.filter { other in !rivals.contains { $0.id == other.id } }
    let beaten =
      rivals.isEmpty || behind.isEmpty ? nil : "Clearly behind: \(Format.list(behind.map(\.name)))."
    detail = [paired, beaten].compactMap { $0 }.joined(separator: " ")
  }
}
