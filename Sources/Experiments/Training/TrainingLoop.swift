import CallosumNetworks

/// The loop of every training: steps with a schedule of learning rates, until there are enough, somebody asks
/// to stop, or the loss is no number any more.
struct TrainingLoop {
  let steps: Int
  let schedule: Schedule

  enum End: Equatable {
    case complete, stopped
    /// The loss of the last step was not finite.
    case diverged
  }

  /// - Parameters:
  ///   - first: the first step to do, of those counted from 0.
  ///   - step: learns once at a share of the learning rate, and returns the loss.
  ///   - done: what is to be done after a step, given its loss.
  func run(
    from first: Int = 0, isCancelled: () -> Bool = { false },
    step: (_ index: Int, _ rateFactor: Double) throws -> Double,
    done: (_ index: Int, _ loss: Double) throws -> Void
  ) rethrows -> End {
    for index in first..<max(first, steps) {
      if isCancelled() { return .stopped }
      let loss = try step(index, schedule.factor(step: index, of: steps))
      try done(index, loss)
      if !loss.isFinite { return .diverged }
    }
    return .complete
  }
}
