import CallosumTensors

/// `scan` with the steps of a module, of which `parameters` are those that the steps use. With
/// `checkpointEvery`, steps that are computed again meet the same parameters and draw the same random
/// numbers (dropout); they must not change buffers.
public func scan<State: Carried>(
  over inputs: [Tensor], axis: Int = 1, initial: State, by parameters: [NamedParameter],
  truncateEvery: Int? = nil, checkpointEvery: Int? = nil,
  _ step: @escaping (_ x: [Tensor], _ state: State) -> (outputs: [Tensor], state: State)
) -> (outputs: [Tensor], state: State) {
  let loop = TimeLoop<State>(axis: axis, truncateEvery: truncateEvery, checkpointEvery: checkpointEvery) {
    x, state, weights in withParameters(parameters, as: weights) { step(x, state) }
  }
  return loop.run(
    over: inputs, initial: initial, weights: parameters.map(\.value), checkpoint: checkpointedAlike)
}

/// `checkpointed`, where each computation after the first runs in the training pass of the first,
/// from its random numbers on; or in none, if there was none.
private func checkpointedAlike(
  _ inputs: [Tensor], _ function: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let generator = TrainingPass.current?.generator
  var isFirst = true
  return checkpointed(at: inputs) { all in
    if isFirst {
      isFirst = false
      return function(all)
    }
    if var generator { return training(using: &generator) { function(all) } }
    let state = ThreadState.current, present = state.trainingPass
    state.trainingPass = nil
    defer { state.trainingPass = present }
    return function(all)
  }
}
