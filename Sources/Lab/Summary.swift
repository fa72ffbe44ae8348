import CallosumAnalysis

/// One arm in the few figures that the table and the report show.
struct ArmSummary {
  let name: String
  /// Test accuracies of the complete runs by seed.
  let accuracies: [UInt64: Double]
  /// Over the complete runs; nil if there is none.
  let accuracy: Estimate?
  let parameters: Int
  let multiplyAccumulatesPerImage: Int
  /// Median over the runs; nil if there is none.
  let imagesPerSecond: Double?
  /// Training seconds of a complete run, mean over them; nil if there is none.
  let seconds: Double?

  init(_ arm: Comparison.Arm) {
    name = arm.name
    let complete = arm.runs.filter { $0.testAccuracy?.isFinite ?? false }
    accuracies = Dictionary(
      complete.compactMap { run in run.testAccuracy.map { (run.seed, $0) } },
      uniquingKeysWith: { first, _ in first })
    accuracy = Estimate(of: complete.compactMap(\.testAccuracy))
    parameters = arm.parameters
    multiplyAccumulatesPerImage = arm.multiplyAccumulatesPerImage
    imagesPerSecond = arm.runs.isEmpty ? nil : Statistics.median(arm.runs.map(\.imagesPerSecond))
    seconds = complete.isEmpty ? nil : Statistics.mean(complete.map(\.trainingSeconds))
  }

  /// The seeds one by one, for a picture; none for a single run, which is the mean already.
  var dots: [Double] { accuracies.count > 1 ? accuracies.values.sorted() : [] }

  /// How much more accurate this arm is than `other`, over the seeds that both completed.
  func lead(over other: ArmSummary) -> Estimate? {
    let shared = accuracies.keys.filter { other.accuracies[$0] != nil }.sorted()
    return Estimate(
      ofPairedDifference: shared.compactMap { accuracies[$0] },
      minus: shared.compactMap { other.accuracies[$0] })
  }
}

extension Comparison {
  /// The arms as they were given.
  var summaries: [ArmSummary] { arms.map(ArmSummary.init) }

  /// The table for the terminal.
  package var table: Table {
    let seeds = budget.seeds.count
    var table = Table([
      ("arm", .left),
      (seeds > 1 ? "test accuracy, 95 % interval" : "test accuracy", .right),
      ("parameters", .right), ("MACs/image", .right), ("images/s", .right), ("seconds", .right),
    ])
    for arm in summaries {
      table.add([
        arm.name,
        arm.accuracy.map { Format.percent($0, of: seeds) } ?? "–",
        Format.count(arm.parameters),
        Format.compact(Double(arm.multiplyAccumulatesPerImage)),
        arm.imagesPerSecond.map(Format.rate) ?? "–",
        arm.seconds.map(Format.significant) ?? "–",
      ])
    }
    return table
  }
}
