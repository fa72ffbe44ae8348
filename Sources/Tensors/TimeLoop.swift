/// What a time loop carries from one step to the next: a tensor, an array, or any type that can list
/// its tensors.
public protocol Carried {
  var carried: [Tensor] { get }
  /// The same with other tensors, in that order.
  func replacing(carried tensors: [Tensor]) -> Self
}

extension Tensor: Carried {
  public var carried: [Tensor] { [self] }
  public func replacing(carried tensors: [Tensor]) -> Tensor { tensors[0] }
}

extension Array: Carried where Element: Carried {
  public var carried: [Tensor] { flatMap { $0.carried } }
  public func replacing(carried tensors: [Tensor]) -> [Element] {
    var rest = tensors[...]
    return map { element in
      let own: [Tensor] = Array<Tensor>(rest.prefix(element.carried.count))
      rest = rest.dropFirst(own.count)
      return element.replacing(carried: own)
    }
  }
}

/// Runs `step` over a time axis, handing the state that it returns to the next step. For recurrences
/// that have no kernel of their own (`gru`, `linearRecurrence`, `deltaRule`, ... have).
///
/// Backpropagation through all steps keeps everything that any of them computed. With
/// `checkpointEvery` n, only the states before every n-th step are kept, and each group of n steps is
/// computed again when the derivative needs it: n about the square root of the length costs the least
/// memory, and one more forward pass. Values and gradients stay the same.
///
/// The last m values of something, [batch, neurons, m], are a state too: a step goes on with
/// `concatenated([history.sliced(axis: 2, from: 1), new], axis: 2)`. A copy of the history each step is
/// what a derivative must keep of it anyway.
///
/// - Parameters:
///   - inputs: sequences of one length, at least one step long.
///   - axis: their time axis.
///   - initial: the state before the first step.
///   - weights: what else the steps depend on and derivatives go to. `step` must use what it is
///     handed, not these tensors themselves, which with `checkpointEvery` would stop the program.
///   - truncateEvery: no derivative passes the state into every n-th step (truncated backpropagation
///     through time); nil for never.
///   - checkpointEvery: the size of a group, nil to keep everything.
///   - step: from the inputs of a step (without the time axis), state and weights to outputs and the
///     next state. It is called twice for each step with `checkpointEvery`.
/// - Returns: the outputs of all steps, with the time axis at `axis`, and the state after the last.
public func scan<State: Carried>(
  over inputs: [Tensor], axis: Int = 1, initial: State, weights: [Tensor] = [],
  truncateEvery: Int? = nil, checkpointEvery: Int? = nil,
  _ step: @escaping (_ x: [Tensor], _ state: State, _ weights: [Tensor]) -> (outputs: [Tensor], state: State)
) -> (outputs: [Tensor], state: State) {
  TimeLoop(axis: axis, truncateEvery: truncateEvery, checkpointEvery: checkpointEvery, step: step)
    .run(over: inputs, initial: initial, weights: weights)
}

/// The loop behind `scan`.
private struct TimeLoop<State: Carried> {
  typealias Step = ([Tensor], State, [Tensor]) -> (outputs: [Tensor], state: State)
  let axis: Int
  let truncateEvery, checkpointEvery: Int?
  let step: Step

  init(axis: Int, truncateEvery: Int?, checkpointEvery: Int?, step: @escaping Step) {
    for every in [truncateEvery, checkpointEvery].compactMap({ $0 }) {
      precondition(every > 0, "scan", "truncateEvery and checkpointEvery must be positive, one is \(every)")
    }
    (self.axis, self.truncateEvery, self.checkpointEvery) = (axis, truncateEvery, checkpointEvery)
    self.step = step
  }

  func run(
    over inputs: [Tensor], initial: State, weights: [Tensor]
  ) -> (outputs: [Tensor], state: State) {
    let axes = inputs.map { resolved(axis, rank: $0.ndim, "scan") }
    let lengths = zip(inputs, axes).map { $0.dim($1) }
    guard let time = lengths.first, time > 0, lengths.allSatisfy({ $0 == time }) else {
      preconditionFailure(
        "scan", "inputs must have one length along axis \(axis), 1 at least, are \(inputs.map(\.shape))")
    }
    guard let every = checkpointEvery, every < time else {
      return steps(of: inputs, from: 0, initial, weights)
    }
    let sizes = stride(from: 0, to: time, by: every).map { min(every, time - $0) }
    let groups = zip(inputs, axes).map { $0.split(sizes: sizes, axis: $1) }
    var state = initial
    var outputs: [[Tensor]] = []
    for group in sizes.indices {
      let pieces = groups.map { $0[group] }, before = state, count = state.carried.count
      let results = checkpointed(at: pieces + state.carried, weights: weights) { all in
        let rest = all.dropFirst(pieces.count)
        let (outputs, after) = steps(
          of: Array(all.prefix(pieces.count)), from: group * every,
          before.replacing(carried: Array(rest.prefix(count))), Array(rest.dropFirst(count)))
        return outputs + after.carried
      }
      state = before.replacing(carried: Array(results.suffix(count)))
      outputs.append(results.dropLast(count))
    }
    let joined = outputs[0].indices.map { which in concatenated(outputs.map { $0[which] }, axis: axis) }
    return (joined, state)
  }

  /// A group of steps, the first of which is step `first` of the sequence.
  private func steps(of inputs: [Tensor], from first: Int, _ initial: State, _ weights: [Tensor])
    -> (outputs: [Tensor], state: State)
  {
    let time = inputs[0].dim(axis), shapes = initial.carried.map(\.shape)
    let slices = inputs.map { x in x.split(parts: time, axis: axis).map { $0.squeezed(axis: axis) } }
    var state = initial
    var outputs: [[Tensor]] = []
    for t in 0..<time {
      if let every = truncateEvery, (first + t) % every == 0 {
        state = state.replacing(carried: state.carried.map(stopGradient))
      }
      let result = step(slices.map { $0[t] }, state, weights)
      state = result.state
      outputs.append(result.outputs)
      let found = state.carried.map(\.shape)
      precondition(
        found == shapes && result.outputs.count == outputs[0].count, "scan",
        "step \(first + t) returned \(result.outputs.count) outputs and a state \(found), "
          + "steps before it \(outputs[0].count) and \(shapes)")
    }
    return (outputs[0].indices.map { which in stacked(outputs.map { $0[which] }, axis: axis) }, state)
  }
}
