import CallosumTensors

/// A training pass under way: layers that behave differently while learning (dropout, batch
/// normalisation) ask for it, and draw their random numbers from it. Outside, layers evaluate.
public final class TrainingPass: TrainingState {
  public var generator: RandomGenerator
  init(_ generator: RandomGenerator) { self.generator = generator }
  package func copy() -> any TrainingState { TrainingPass(generator) }

  /// The pass of this thread, nil during evaluation.
  public static var current: TrainingPass? { ThreadState.current.trainingPass as? TrainingPass }
}

/// Runs `body` in training mode, with random numbers from `generator`.
public func training<Result>(
  using generator: inout RandomGenerator, _ body: () throws -> Result
) rethrows -> Result {
  let state = ThreadState.current
  let outer = state.trainingPass
  let pass = TrainingPass(generator)
  state.trainingPass = pass
  defer {
    state.trainingPass = outer
    generator = pass.generator
  }
  return try body()
}
