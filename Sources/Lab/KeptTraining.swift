import CallosumContracts
import CallosumExperiments
import CallosumNetworks

extension Trainer {
  /// One training whose size, points, results and checkpoints are kept as a run of the store, which is ended
  /// by it: complete, interrupted when `isCancelled` says so, or failed. A run that was taken up again goes on
  /// from its checkpoint, or from the beginning if it has none; both come to the same.
  ///
  /// Results are the judged score under the name of ``metric``, `training seconds` and `examples per second`.
  public func train(
    _ learner: any Learner, seed: UInt64, keptAs run: RunWriter,
    progress: (_ examples: Int) -> Void = { _ in }, isCancelled: () -> Bool = { false }
  ) throws -> Outcome {
    do {
      try run.record(RunSizes(parameters: learner.module.parameterCount))
      let outcome = try train(
        learner, seed: seed, checkpoints: CheckpointPlace(path: run.store.checkpointPath(of: run.id)),
        onEvent: { event in
          switch event {
          case .examples(let count): progress(count)
          case .points(let points): try run.note(points)
          }
        }, isCancelled: isCancelled)
      var results = [
        "training seconds": outcome.seconds, "examples per second": outcome.examplesPerSecond,
      ]
      results[metric] = outcome.score
      try run.end(outcome.score == nil ? .interrupted : .complete, results: results)
      if outcome.score != nil { run.store.removeCheckpoint(of: run.id) }
      return outcome
    } catch {
      try? run.end(.failed, message: "\(error)")
      throw error
    }
  }
}
