import CallosumContracts
import CallosumExperiments
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite(.serialized) struct CheckpointTests {
  private static let settings: TrainingSettings = {
    var settings = Quarters.settings(steps: 60)
    settings.mirror = true
    return settings
  }()

  private static func train(
    seed: UInt64 = 1, checkpoint: CheckpointPlace? = nil, stopAfter last: Int = .max
  ) throws -> (outcome: Trainer.Outcome, weights: [String: [Float]], steps: Int) {
    var steps = 0
    let learner = Quarters.learner(settings)
    let outcome = try Trainer(settings: settings, task: Quarters()).train(
      learner, seed: seed, checkpoints: checkpoint,
      onEvent: { if case .examples(let count) = $0 { steps += count / settings.batchSize } },
      isCancelled: { steps >= last })
    return (outcome, learner.module.weights().mapValues(\.floats), steps)
  }

  /// Stopped at several places, within a pass over the data and between points, a training comes to the
  /// same bits as one that was not: weights, running statistics, losses, scores.
  @Test(arguments: [[1], [7, 8, 29], [12, 24, 36, 48], [59]]) func resumesToTheSameBits(_ stops: [Int]) throws
  {
    try inTemporaryFolder { folder in
      try Setting().run {
        let whole = try Self.train()
        let place = CheckpointPlace(path: folder + "/c.safetensors")
        for stop in stops {
          let part = try Self.train(checkpoint: place, stopAfter: stop)
          #expect(part.outcome.score == nil && part.outcome.steps == stop)
        }
        let resumed = try Self.train(checkpoint: place)
        #expect(resumed.weights == whole.weights)
        #expect(resumed.outcome.score == whole.outcome.score && resumed.steps == 60)
        #expect(resumed.outcome.points.map(\.value) == whole.outcome.points.map(\.value))
        #expect(resumed.outcome.points.map(\.step) == whole.outcome.points.map(\.step))
      }
    }
  }

  @Test func refusesTheCheckpointOfAnotherTraining() throws {
    try inTemporaryFolder { folder in
      let place = CheckpointPlace(path: folder + "/c.safetensors")
      _ = try Self.train(checkpoint: place, stopAfter: 3)
      let error = #expect(throws: InvalidInput.self) { try Self.train(seed: 2, checkpoint: place) }
      #expect(error?.description.contains("of another training") == true)
    }
  }

  /// A checkpoint that cannot be used says where it is and what to do, whatever is wrong with it.
  @Test func damagedCheckpointsSayWhatToDo() throws {
    try inTemporaryFolder { folder in
      let place = CheckpointPlace(path: folder + "/c.safetensors")
      _ = try Self.train(checkpoint: place, stopAfter: 3)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: place.path))
      // A file that is overwritten takes what was mapped from it along.
      try bytes.write(to: URL(fileURLWithPath: folder + "/whole"))
      let (tensors, metadata) = try Safetensors.load(folder + "/whole")
      let name = try #require(tensors.keys.filter { $0.hasPrefix("weights.") }.sorted().first)
      func save(_ name: String, _ tensor: Tensor?, _ progress: String? = nil) throws {
        var (tensors, metadata) = (tensors, metadata)
        tensors[name] = tensor
        if let progress { metadata["progress"] = progress }
        try Safetensors.save(tensors, metadata: metadata, to: place.path)
      }
      let progress = try #require(metadata["progress"])
      let damages: [() throws -> Void] = [
        { try bytes.dropLast(5).write(to: URL(fileURLWithPath: place.path)) },
        { try Data().write(to: URL(fileURLWithPath: place.path)) },
        { try save("order", nil) }, { try save("order", Tensor([Int32(1 << 30)])) },
        { try save("order", Tensor([Int32(-1)])) }, { try save("order", Tensor([Float.nan])) },
        { try save(name, nil) }, { try save(name, Tensor.ones([1, 2, 3])) },
        { try save("weights.more", Tensor.ones([1])) },
        { try save("more", nil, "{}") },
        {
          try save(
            "more", nil, progress.replacing(/"step":[0-9]+/, with: "\"step\":999999999", maxReplacements: 1))
        },
        {
          try save("more", nil, progress.replacing(/"taken":[0-9]+/, with: "\"taken\":9223372036854775807"))
        },
      ]
      for (index, damage) in damages.enumerated() {
        try damage()
        let error = #expect(throws: InvalidInput.self, "\(index)") { try Self.train(checkpoint: place) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("the checkpoint \(place.path) cannot be used: "), "\(index): \(text)")
        #expect(text.hasSuffix("; delete it, and the training begins anew and comes to the same"), "\(index)")
      }
    }
  }

  /// Killed at random moments while it writes checkpoint after checkpoint, and taken up each time, a
  /// training comes to the same bits. `CALLOSUM_KILLS` says how often.
  @Test func survivesBeingKilled() async throws {
    let kills = ProcessInfo.processInfo.environment["CALLOSUM_KILLS"].flatMap(Int.init) ?? 10
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("callosum-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/c.safetensors"
    var reached: Set<Int> = []
    for kill in 0..<kills {
      // Early kills come in the middle of training, whatever the machine's speed.
      let after = 1 + kill * 59 / kills
      let microseconds = UInt32.random(in: 0...3000)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, after = after as Int, microseconds = microseconds as UInt32] in
        var hasStarted = false
        var steps = 0
        _ = try Trainer(settings: CheckpointTests.settings, task: Quarters()).train(
          Quarters.learner(CheckpointTests.settings), seed: 1,
          checkpoints: CheckpointPlace(path: path, every: 0),
          onEvent: { event in
            if case .examples(let count) = event { steps += count / 40 }
            guard steps >= after, !hasStarted else { return }
            hasStarted = true
            Thread.detachNewThread {
              usleep(microseconds)
              Foundation.kill(getpid(), SIGKILL)
            }
          })
        // Trained to the end before it was killed.
        while true { usleep(1000) }
      }
      if FileManager.default.fileExists(atPath: path) {
        let progress = try #require(try Safetensors.load(path).metadata["progress"])
        let json = try JSONSerialization.jsonObject(with: Data(progress.utf8)) as? [String: Any]
        reached.insert(try #require(json?["step"] as? Int))
      }
    }
    #expect(reached.count > 2)
    try Setting().run {
      let place = CheckpointPlace(path: path)
      let resumed = try Self.train(checkpoint: place), whole = try Self.train()
      #expect(resumed.weights == whole.weights)
      #expect(resumed.outcome.score == whole.outcome.score)
      #expect(resumed.outcome.points.map(\.value) == whole.outcome.points.map(\.value))
    }
  }
}
