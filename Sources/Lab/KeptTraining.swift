import CallosumContracts
import CallosumExperiments
import CallosumNetworks

extension Trainer {
  /// One training whose size, points, results and checkpoints are kept as a run of the store, which is ended
  /// by it: complete, interrupted when `isCancelled` says so, diverged, or failed. A run that was taken up
  /// again goes on from its checkpoint, or from the beginning if it has none; both come to the same.
  ///
  /// Results are the test scores under the names of the objective's metrics, `training seconds` and
  /// `examples per second`.
  public func train(
    _ learner: any Learner, seed: UInt64, judgedOn split: Split = .test, keptAs run: RunWriter,
    progress: (_ examples: Int) -> Void = { _ in },
    answering: (_ split: Split, _ done: Int, _ count: Int) -> Void = { _, _, _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> Outcome {
    do {
      try run.record(RunSizes(parameters: learner.module.parameterCount))
      let outcome = try train(
        learner, seed: seed, judgedOn: split,
        checkpoints: CheckpointPlace(path: run.store.checkpointPath(of: run.id)),
        onEvent: { event in
          switch event {
          case .examples(let count): progress(count)
          case .answered(let split, let done, let count): answering(split, done, count)
          case .points(let points): try run.note(points)
          }
        }, isCancelled: isCancelled)
      let scores = split == .test ? outcome.scores : outcome.score.map { [resultName(split): $0] } ?? [:]
      let results = scores.merging([
        "training seconds": outcome.seconds, "examples per second": outcome.examplesPerSecond,
      ]) { score, _ in score }
      switch outcome.end {
      case .complete: try run.end(.complete, results: results)
      case .stopped: try run.end(.interrupted, results: results)
      case .diverged:
        try run.end(
          .diverged, message: "the loss was no number after step \(outcome.steps)", results: results)
      }
      if outcome.end != .stopped { run.store.removeCheckpoint(of: run.id) }
      return outcome
    } catch {
      try? run.end(.failed, message: "\(error)")
      throw error
    }
  }
}
