import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumMixers
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct StoredComparisonTests {
  private static let catalogue = Catalogue(Catalogue.mixers, skeletons: [.backbone])

  private func plan(steps: Int = 6) throws -> ComparisonPlan {
    var settings = ComparisonPlan.Settings()
    settings.skeletons["backbone"] = ["width": 8, "depth": 1, "patch": 2]
    (settings.training.steps, settings.training.batchSize, settings.training.evaluations) = (steps, 10, 2)
    return try ComparisonPlan(
      task: Quarters(),
      arms: [
        ArmChoice(try Self.catalogue.part("average-pooling")),
        ArmChoice(try Self.catalogue.part("spatial-mlp")),
      ], settings: settings, seeds: 2, catalogue: Self.catalogue)
  }

  @Test func isRebuiltFromTheStore() throws {
    try inTemporaryFolder { folder in
      let path = folder + "/runs.sqlite"
      let (id, result) = try plan().run(in: RunStore(path: path), command: "callosum compare")
      #expect(result.arms.map(\.id) == ["average-pooling", "spatial-mlp"])
      #expect(result.arms.allSatisfy { $0.runs.map(\.seed) == [1, 2] && $0.parameters > 0 })
      let runs = result.arms.flatMap(\.runs)
      #expect(runs.allSatisfy { $0.testScore != nil && $0.trainingSeconds > 0 && $0.examplesPerSecond > 0 })
      #expect(runs.allSatisfy { $0.curve.map(\.step) == [3, 6] })
      let points = runs.flatMap(\.curve)
      #expect(points.allSatisfy { $0.trainingLoss != nil && $0.validationScore != nil })
      #expect(!result.wasInterrupted && result.task.validationExamples == 100)
      // Another process would see the same, in the table and in the report.
      let again = try Comparison(run: id, in: RunStore(path: path))
      #expect(again == result)
      #expect(again.table.text == result.table.text && Report(again).text == Report(result).text)
      let store = try RunStore(path: path)
      #expect(try store.runs().map(\.status) == Array(repeating: .complete, count: 5))
      #expect(throws: InvalidInput.self) { try Comparison(run: id + 1, in: store) }
    }
  }

  /// Stopped in the middle of a run and resumed by a plan that was made from the store alone, a comparison
  /// comes to the same curves and accuracies.
  @Test(arguments: [3, 8, 14, 21]) func resumesToTheSameFigures(_ stop: Int) throws {
    try inTemporaryFolder { folder in
      try Setting().run {
        let store = try RunStore(path: folder + "/runs.sqlite")
        let whole = try plan().run(in: store, command: "").comparison
        var batches = 0
        let (id, part) = try plan().run(
          in: store, command: "",
          observer: .init(progress: { _ in batches += 1 }, isCancelled: { batches >= stop }))
        #expect(part.wasInterrupted)
        #expect(try store.run(id).status == .interrupted)
        let again = try ComparisonPlan(
          of: id, in: store, catalogue: Self.catalogue, task: { _ in Quarters() })
        let resumed = try again.run(in: store, command: "", resuming: id).comparison
        func figures(_ comparison: Comparison) -> [[Double?]] {
          comparison.arms.flatMap(\.runs).map { run in
            [run.testScore] + run.curve.flatMap { [$0.trainingLoss, $0.validationScore] }
          }
        }
        #expect(figures(resumed) == figures(whole))
        #expect(!resumed.wasInterrupted)
        #expect(resumed.configuration == whole.configuration)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.path + ".checkpoints").isEmpty)
        #expect(throws: InvalidInput.self) { try again.run(in: store, command: "", resuming: id) }
      }
    }
  }

  @Test func anotherVersionDoesNotGoOn() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let run = try store.begin(RunRecord(kind: .comparison, subject: "quarters"))
      var comparison = SampleComparison.make()
      comparison.machine.callosumVersion = "0.0.9"
      try run.attach(
        Attachment(name: "comparison", mediaType: "application/json", text: comparison.json()))
      try run.end(.interrupted)
      let error = #expect(throws: InvalidInput.self) {
        try ComparisonPlan(of: run.id, in: store, catalogue: Self.catalogue, task: { _ in Quarters() })
      }
      #expect(error?.description.hasPrefix("run 1 was begun by Callosum 0.0.9, this is ") == true)
    }
  }

  /// A run that fails says why, and can be taken up again.
  @Test func aFailedTraining() throws {
    struct Broken: Error, CustomStringConvertible { let description = "the rule broke" }
    final class Breaking: Learner {
      let inner = Quarters.learner(Quarters.settings(steps: 10))
      var stepsLeft: Int
      init(after steps: Int) { stepsLeft = steps }
      var module: any Module { inner.module }
      var rateFactor: Double {
        get { inner.rateFactor }
        set { inner.rateFactor = newValue }
      }
      var state: [String: Tensor] { inner.state }
      func restore(_ state: [String: Tensor]) throws { try inner.restore(state) }
      func predict(_ inputs: Tensor) throws -> Tensor { try inner.predict(inputs) }
      func learn(
        _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
      ) throws -> Double {
        if stepsLeft == 0 { throw Broken() }
        stepsLeft -= 1
        return try inner.learn(batch, objective, using: &generator)
      }
    }
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let run = try store.begin(RunRecord(kind: .training, subject: "quarters", seed: 1))
      let trainer = try Trainer(settings: Quarters.settings(steps: 10), task: Quarters())
      #expect(throws: Broken.self) {
        try trainer.train(Breaking(after: 5), seed: 1, keptAs: run)
      }
      let failed = try store.run(run.id)
      #expect(failed.status == .failed && failed.message == "the rule broke")
      #expect(try store.points(of: run.id, metric: "loss").map(\.step) == [2, 4])
      let again = try store.resume(run.id)
      let outcome = try trainer.train(Breaking(after: 10), seed: 1, keptAs: again)
      #expect(try store.run(run.id).status == .complete)
      #expect(try store.results(of: run.id)["accuracy"] == outcome.score)
      #expect(try store.sizes(of: run.id) == RunSizes(parameters: 16 * 24 + 24 + 48 + 24 * 4 + 4))
    }
  }

  @Test func tableAndExport() throws {
    try inTemporaryFolder { folder in
      let store = try RunStore(path: folder + "/runs.sqlite")
      let a = try plan().run(in: store, command: "").id
      let b = try plan(steps: 4).run(in: store, command: "").id
      let table = try RunTable([a, b], in: store)
      #expect(table.rows.map(\.arm) == ["average-pooling", "spatial-mlp", "average-pooling", "spatial-mlp"])
      #expect(table.rows.allSatisfy { $0.count == 2 && $0.results["accuracy"]?.count == 2 })
      #expect(table.differences.map(\.setting) == ["budget", "settings.training.steps"])
      #expect(table.differences.map(\.values) == [["6 steps of 10", "4 steps of 10"], ["6", "4"]])
      let document = try RunDocument(try store.run(a + 1), in: store)
      let lines = document.csv.split(separator: "\n")
      #expect(lines.count == 4 + 3)
      #expect(lines[0].hasPrefix("\(a + 1),\(a),comparison,quarters,average-pooling,1,complete,loss,3,"))
      #expect(lines[4].hasPrefix("\(a + 1),\(a),comparison,quarters,average-pooling,1,complete,accuracy,,,"))
      let columns = RunDocument.csvHeading.count { $0 == "," }
      #expect(lines.allSatisfy { $0.count { $0 == "," } == columns })
    }
  }
}
