import CallosumTensors

// Computing again instead of keeping, for what depends on a module's parameters. The second
// computation meets the same parameters, and draws the same random numbers (dropout); it must not
// change buffers.

/// The result of `function`, whose inner results are computed again when the derivative needs them:
/// less memory for more arithmetic. `parameters` are those that `function` uses.
public func checkpointed(
  by parameters: [NamedParameter], at inputs: [Tensor],
  of function: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let count = inputs.count
  return checkpointedAlike(inputs + parameters.map(\.value)) { all in
    withParameters(parameters, as: Array(all.dropFirst(count))) { function(Array(all.prefix(count))) }
  }
}

/// `scan` with the steps of a module, of which `parameters` are those that the steps use.
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
