/// What a comparison found, in a sentence that claims no more than the intervals carry.
package struct Finding: Equatable {
  /// The sentence.
  package let headline: String
  /// What else is worth knowing about it.
  package let detail: String

  package init(_ result: Comparison) {
    let unfinished = result.arms.count - result.summaries.count { $0.accuracy != nil }
    let task = result.task.name + (unfinished > 0 ? ", among the arms that finished" : "")
    let ranked = result.summaries
      .compactMap { arm in arm.accuracy.map { (arm: arm, accuracy: $0) } }
      .sorted { $0.accuracy.mean > $1.accuracy.mean }
    guard let best = ranked.first else {
      headline = "No run was completed on \(result.task.name)."
      detail = "There is nothing to compare."
      return
    }
    let score = Format.percent(best.accuracy)
    let others = ranked.dropFirst()
    guard let second = others.first else {
      headline = "\(best.arm.name) reached \(score) test accuracy on \(result.task.name)."
      detail = "No other arm completed a run, so this says nothing about how it compares."
      return
    }
    // The same seed gives two arms the same batches, so the difference by seed is the sharper look.
    let paired = best.arm.lead(over: second.arm).flatMap { lead in
      lead.interval.map { interval in
        "Seed by seed, \(best.arm.name) differs from \(second.arm.name) by"
          + " \(Format.difference(lead)) percentage points, an interval that"
          + " \(interval.contains(0) ? "includes" : "excludes") zero."
      }
    }
    guard ranked.allSatisfy({ $0.accuracy.interval != nil }) else {
      headline =
        "\(best.arm.name) scored highest on \(task), \(score);"
        + " one seed cannot tell that from luck."
      detail = "Intervals need at least two completed seeds of every arm."
      return
    }
    let rivals = others.filter { other in
      best.arm.lead(over: other.arm)?.interval.map { $0.contains(0) } ?? true
    }
    if rivals.isEmpty {
      headline =
        "\(best.arm.name) was the most accurate on \(task): \(score),"
        + " ahead of every other by more than the seeds vary."
    } else if rivals.count == others.count, rivals.count > 1 {
      headline =
        "No clear winner on \(task): \(best.arm.name) scored highest, \(score),"
        + " but its lead over every other may be chance."
    } else {
      headline =
        "No clear winner on \(task): \(best.arm.name) scored highest, \(score),"
        + " but its lead over \(Format.list(rivals.map(\.arm.name))) may be chance."
    }
    let below = others.filter { other in !rivals.contains { $0.arm.name == other.arm.name } }
    let beaten =
      rivals.isEmpty || below.isEmpty
      ? nil : "Clearly below: \(Format.list(below.map(\.arm.name)))."
    detail = [paired, beaten].compactMap { $0 }.joined(separator: " ")
  }
}
