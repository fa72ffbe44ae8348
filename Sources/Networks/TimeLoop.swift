import CallosumTensors

extension State: Carried {
  /// In alphabetical order of their names. The name `tensors` is taken by the table itself.
  public var carried: [Tensor] { names.compactMap { tensors[$0] } }
  public func replacing(carried tensors: [Tensor]) -> State {
    State(Dictionary(uniqueKeysWithValues: zip(names, tensors)))
  }
}

/// `scan` with the steps of a module, of which `parameters` are those that the steps use. With
/// `checkpointEvery`, steps that are computed again meet the same parameters and draw the same random
/// numbers (dropout); they must not change buffers.
public func scan<State: Carried>(
  over inputs: [Tensor], axis: Int = 1, initial: State, by parameters: [NamedParameter],
  truncateEvery: Int? = nil, checkpointEvery: Int? = nil,
  _ step: @escaping (_ x: [Tensor], _ state: State) -> (outputs: [Tensor], state: State)
) -> (outputs: [Tensor], state: State) {
  scan(
    over: inputs, axis: axis, initial: initial, weights: parameters.map(\.value),
    truncateEvery: truncateEvery, checkpointEvery: checkpointEvery
  ) { x, state, weights in withParameters(parameters, as: weights) { step(x, state) } }
}
