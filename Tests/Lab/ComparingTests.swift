import CallosumAnalysis
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumMixers
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// Equal size, equal treatment, and telling arms apart.
@Suite struct ComparingTests {
  private static let catalogue = Catalogue(Catalogue.mixers, skeletons: [.backbone])

  private func plan(
    _ parts: [(String, JSONValue?)], steps: Int = 4, seeds: Int = 2,
    _ change: (inout ComparisonPlan.Settings) -> Void = { _ in }
  ) throws -> ComparisonPlan {
    var settings = ComparisonPlan.Settings()
    settings.skeletons["backbone"] = ["width": 8, "depth": 2, "patch": 1]
    (settings.training.steps, settings.training.batchSize, settings.training.evaluations) = (steps, 10, 2)
    change(&settings)
    return try ComparisonPlan(
      task: Quarters(), arms: parts.map { ArmChoice(try Self.catalogue.part($0.0), $0.1) },
      settings: settings,
      seeds: seeds, catalogue: Self.catalogue)
  }

  private func compared(_ plan: ComparisonPlan) throws -> Comparison {
    var result: Comparison?
    try inTemporaryFolder {
      result = try plan.run(in: RunStore(path: $0 + "/runs.sqlite"), command: "").comparison
    }
    return try #require(result)
  }

  private let unequal: [(String, JSONValue?)] = [
    ("average-pooling", nil), ("softmax-attention", ["heads": 2]), ("spatial-mlp", nil),
  ]

  @Test(arguments: [Matching.Rule.parameters, .macs]) func armsAreMadeEqual(_ rule: Matching.Rule) throws {
    let result = try compared(plan(unequal) { $0.match = rule })
    let sizes = result.arms.map { rule == .macs ? $0.multiplyAccumulates : $0.parameters }
    let largest = Double(sizes.max() ?? 0)
    #expect(sizes.allSatisfy { abs(Double($0) / largest - 1) < 0.02 }, "\(sizes)")
    #expect(result.matching.rule == rule && abs((result.matching.target ?? 0) / largest - 1) < 0.02)
    #expect(result.arms.allSatisfy { ($0.size ?? 0) >= 32 })
    let plain = try compared(plan(unequal) { $0.match = .none })
    let free = plain.arms.map { rule == .macs ? $0.multiplyAccumulates : $0.parameters }
    #expect(Double(free.max() ?? 0) / Double(free.min() ?? 1) > 1.1)
  }

  /// Two settings of one part are two arms; what is in them stands in their names.
  @Test func onePartTwice() throws {
    let result = try compared(
      plan([("softmax-attention", ["heads": 1]), ("softmax-attention", ["heads": 4])]))
    #expect(result.arms.map(\.id) == ["softmax-attention{\"heads\":1}", "softmax-attention{\"heads\":4}"])
    #expect(result.arms[1].name == "Softmax self-attention {heads:4}")
    let refusal = #expect(throws: InvalidInput.self) {
      try self.plan([("softmax-attention", nil), ("softmax-attention", nil)])
    }
    #expect(refusal?.description == "two arms are the same, 'softmax-attention'")
  }

  /// Every arm has the same trials, on validation data alone, and is compared with what did best for it.
  @Test func settingsAreChosenForEachArm() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let plan = try plan([("average-pooling", nil), ("identity-mixer", nil)], steps: 30) {
        $0.tune = [.learningRate]
        $0.training.learningRate = 1e-4
      }
      let (id, result) = try plan.run(in: store, command: "")
      let tuning = try #require(result.tuning)
      #expect(
        tuning.trials.count == 10 && tuning.seeds == [100]
          && tuning.trials.allSatisfy { $0.scores.count == 1 })
      for arm in result.arms {
        let own = tuning.trials.filter { $0.arm == arm.id }
        let best = try #require(
          own.max {
            ($0.scores[0], -($0.values[.learningRate] ?? 0)) < (
              $1.scores[0], -($1.values[.learningRate] ?? 0)
            )
          })
        #expect(arm.tuned["learning-rate"] == best.values[.learningRate])
        #expect(arm.runs.map(\.seed) == [1, 2])
      }
      // Trials saw no test example.
      let trials = try store.runs(RunFilter(.partOf(id))).filter { $0.seed == 100 }
      #expect(trials.count == 10)
      for trial in trials {
        let results = try store.results(of: trial.id)
        #expect(results["validation accuracy"] != nil && results["accuracy"] == nil)
      }
      #expect(
        result.notes.contains { $0.hasPrefix("Tuned for each arm by 5 trials on validation data (seed 100)") }
      )
    }
  }

  /// A loss that is no number: no score, no winner, and it is said.
  @Test func aDivergedArmIsNoWinner() throws {
    let result = try compared(
      plan(unequal, steps: 20) { ($0.training.learningRate, $0.training.clipNorm) = (1e30, 0) })
    #expect(result.arms.flatMap(\.runs).allSatisfy { $0.status == .diverged && $0.testScore == nil })
    #expect(!result.wasInterrupted && result.table.text.contains("diverged"))
    #expect(
      Finding(result).headline
        == "No run was completed on Quarters; Average pooling diverged, Softmax self-attention {heads:2} diverged "
        + "and Spatial MLP diverged.")
    #expect(Report(result).text.contains("diverged"))
    var some = SampleComparison.make(gap: 0.03)
    some.arms[3].runs[1].status = .diverged
    some.arms[3].runs[1].testScore = nil
    #expect(Finding(some).headline.hasSuffix("; Depthwise 7x7 convolution diverged in 1 of 3 seeds."))
    #expect(some.table.lines[5].contains("1 diverged"))
  }

  /// Student's distribution with one and two degrees of freedom has closed forms.
  @Test func probabilitiesOfStudent() {
    for t in [0.0, 0.1, 1, 2, 4.303, 60, 1e9] {
      let one = Statistics.studentProbability(beyond: t, degreesOfFreedom: 1)
      let two = Statistics.studentProbability(beyond: t, degreesOfFreedom: 2)
      #expect(abs(one - (1 - 2 / Double.pi * atan(t))) < 1e-12)
      #expect(abs(two - 2 / ((2 + t * t).squareRoot() * ((2 + t * t).squareRoot() + t))) < 1e-12)
    }
    #expect(Statistics.studentProbability(beyond: .infinity, degreesOfFreedom: 3) == 0)
  }

  /// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
  @Test func correctedForTheirNumber() {
    let corrected = holm([0.01, 0.04, nil, 0.03, 0.005])
    for (found, expected) in zip(corrected, [0.03, 0.06, nil, 0.06, 0.02] as [Double?]) {
      #expect(found.map { $0 - (expected ?? 0) }.map { abs($0) < 1e-12 } ?? (expected == nil))
    }
    #expect(holm([0.6, 0.7]) == [1, 1] && holm([]).isEmpty)
  }

  @Test func armsAreToldApartInPairs() throws {
    let differences = SampleComparison.make(gap: 0.03).differences
    #expect(
      differences.count == 6 && differences[0].first == "pooling" && differences[0].second == "attention")
    for difference in differences {
      #expect((difference.corrected ?? 0) >= (difference.probability ?? 1))
      #expect(difference.isToldApart == ((difference.corrected ?? 1) < 0.05))
    }
    #expect(
      SampleComparison.make(seeds: [1]).differences.allSatisfy { $0.probability == nil && !$0.isToldApart })
    // Exactly the same in two seeds is no certainty.
    var two = SampleComparison.make(seeds: [1, 2], arms: 2)
    for seed in 0..<2 {
      two.arms[0].runs[seed].testScore = 0.5
      two.arms[1].runs[seed].testScore = 0.25
    }
    #expect(two.differences[0].probability == 0.5 && !two.differences[0].isToldApart)
  }

  /// Errors are better when smaller, in sentence, order and table.
  @Test func errorsAreBetterWhenSmaller() {
    var result = SampleComparison.make(gap: 0.03)
    result.task.metric = Metric("relative error", higherIsBetter: false)
    #expect(Finding(result).headline.hasPrefix("Average pooling did best on Fashion-MNIST: 0.8613 ± 0.0045"))
    #expect(result.table.lines[0].contains("test relative error, 95 % interval"))
    #expect(!Report(result).text.contains("accuracy, %"))
  }

  @Test func severalTasksMakeAMatrix() {
    var other = SampleComparison.make(gap: 0.03)
    other.task.id = "other"
    let lines = ComparisonMatrix([SampleComparison.make(gap: 0.03), other]).table.lines
    #expect(
      lines.count == 2 + 4 && lines[0].contains("fashion-mnist, accuracy")
        && lines[0].contains("other, accuracy"))
    #expect(
      lines[5].hasPrefix("Depthwise 7x7 convolution") && lines[5].hasSuffix("*") && !lines[2].contains("*"))
  }
}

/// What earlier versions stored.
@Suite struct OldStoreTests {
  /// A store of version 0.1.0: a comparison, one that was interrupted, a training, a claim.
  @Test func opensListsReportsAndExports() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      try FileManager.default.copyItem(
        at: Golden.folder.appendingPathComponent("stores/0.1.0.sqlite"), to: URL(fileURLWithPath: path))
      let store = try RunStore(path: path)
      let runs = try store.runs(RunFilter(.top))
      #expect(runs.map(\.kind) == [.comparison, .comparison, .training, .claim])
      #expect(runs.map(\.status) == [.complete, .interrupted, .complete, .complete])

      let comparison = try Comparison(run: 1, in: store)
      #expect(comparison.arms.map(\.id) == ["average-pooling", "softmax-attention"])
      #expect(comparison.task.metric.name == "accuracy" && comparison.task.metric.chance == 0.1)
      #expect(comparison.arms[0].runs.map(\.testScore) == [0.1423, 0.1843])
      #expect(comparison.arms.flatMap(\.runs).allSatisfy { !$0.curve.isEmpty && $0.examplesPerSecond > 0 })
      #expect(
        comparison.table.text.contains("16 ± 27 %") && Report(comparison).text.contains("Average pooling"))
      let stopped = try Comparison(run: 6, in: store)
      #expect(stopped.wasInterrupted && stopped.arms[0].runs.map(\.status) == [.complete, .interrupted])
      let refusal = #expect(throws: InvalidInput.self) {
        try ComparisonPlan(of: 6, in: store, catalogue: Catalogue())
      }
      #expect(refusal?.description.hasPrefix("run 6 was begun by Callosum 0.1.0, this is ") == true)

      #expect(try StoreReport(store).text.contains("critical-periods-linear"))
      let reports = try store.claimReports()
      #expect(reports.map(\.report.id) == ["critical-periods-linear"] && reports[0].picture != nil)
      for run in try store.runs() {
        let document = try RunDocument(run, in: store)
        #expect(try !document.json().text().isEmpty && document.csv.allSatisfy(\.isASCII))
      }
      #expect(try RunTable([1, 6], in: store).rows.count == 4)
      #expect(try store.isSound())
    }
  }

  /// A record that cannot be decoded costs that record alone.
  @Test func aDamagedRecordCostsItself() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      try FileManager.default.copyItem(
        at: Golden.folder.appendingPathComponent("stores/0.1.0.sqlite"), to: URL(fileURLWithPath: path))
      let store = try RunStore(path: path)
      try store.execute("UPDATE runs SET machine = '{' WHERE id = 10")
      try store.execute("UPDATE attachments SET text = '{}' WHERE run = 6")
      try store.execute("UPDATE verdicts SET details = '{\"id\": 3}'")
      #expect(try store.runs(RunFilter(.top)).map(\.id) == [1, 6, 11])
      for (damaged, words) in [(10, "its record is damaged"), (6, "it is damaged")] as [(Int64, String)] {
        let refusal = #expect(throws: InvalidInput.self) { try Comparison(run: damaged, in: store) }
        #expect(refusal?.description.contains(words) == true)
      }
      #expect(try store.claimReports().isEmpty)
      let page = try StoreReport(store).text
      #expect(page.contains("Comparison, run 1") && !page.contains("Comparison, run 6"))
    }
  }
}
