import CallosumTensors

/// A module as a function of its weights: for derivatives, for weights that another network makes, and
/// for steps that are tried and taken back. The module has its own weights again afterwards, whatever
/// happened inside and however such calls nest.

/// The value of `loss` and its gradient by each of `parameters`; zeros for frozen ones.
public func valueAndGradient(
  by parameters: [NamedParameter], of loss: () throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let trainable = parameters.filter { !$0.isFrozen }, values = trainable.map(\.value)
  let (value, gradients) = try valueAndGradient(at: values) { leaves in
    try exchanging(trainable, for: leaves, restoring: values, loss)
  }
  return (value, withZeros(gradients, parameters))
}

/// The gradients of the parameters that are not frozen, with zeros between them for those that are.
private func withZeros(_ gradients: [Tensor], _ parameters: [NamedParameter]) -> [Tensor] {
  var rest = gradients[...]
  return parameters.map { $0.isFrozen ? .zeros(like: $0.value) : rest.removeFirst() }
}

/// The values of `function`, and a pullback to the parameters: from the gradients of the values (nil for
/// none) to those of the parameters. It may be called many times: the gradients of several losses in one
/// pass forward, each to be weighted for each parameter as one likes.
public func valueAndPullback(
  by parameters: [NamedParameter], of function: () throws -> [Tensor]
) rethrows -> (values: [Tensor], pullback: ([Tensor?]) -> [Tensor]) {
  let trainable = parameters.filter { !$0.isFrozen }, values = trainable.map(\.value)
  let (results, pullback) = try valueAndPullback(at: values) { leaves in
    try exchanging(trainable, for: leaves, restoring: values, function)
  }
  return (results, { withZeros(pullback($0), parameters) })
}

/// What the gradient of `loss` by the parameters would keep between its two passes; see
/// `savedBytes(at:of:)`. Runs the loss once, leaving no traces.
public func savedBytes(
  by parameters: [NamedParameter], of loss: () throws -> Tensor
) rethrows -> SavedBytes {
  let trainable = parameters.filter { !$0.isFrozen }, values = trainable.map(\.value)
  let state = ThreadState.current
  return try state.again(in: state.surroundings) {
    try savedBytes(at: values) { leaves in
      [try exchanging(trainable, for: leaves, restoring: values, loss)]
    }
  }
}

/// The result of `body` with `values` in place of the parameters. Derivatives pass to the values.
public func withParameters<Result>(
  _ parameters: [NamedParameter], as values: [Tensor], _ body: () throws -> Result
) rethrows -> Result {
  precondition(
    parameters.count == values.count, "withParameters",
    "got \(values.count) values for \(parameters.count) parameters")
  for (parameter, value) in zip(parameters, values) {
    precondition(
      parameter.value.shape == value.shape, "withParameters",
      "\(parameter.name) has shape \(parameter.value.shape), the value given \(value.shape)")
  }
  return try exchanging(parameters, for: values, body)
}

/// The result of `body` with the parameters moved by `factor` times `steps`, from which they return
/// exactly.
public func withParameters<Result>(
  _ parameters: [NamedParameter], movedBy steps: [Tensor], times factor: Double = 1,
  _ body: () throws -> Result
) rethrows -> Result {
  precondition(
    parameters.map(\.value.shape) == steps.map(\.shape), "withParameters",
    "steps of shapes \(steps.map(\.shape)) do not fit parameters of shapes \(parameters.map(\.value.shape))")
  return try exchanging(parameters, for: zip(parameters, steps).map { $0.value + $1 * factor }, body)
}

/// `withParameters` without looking at shapes; `before` are the present values, where they are known.
package func exchanging<Result>(
  _ parameters: [NamedParameter], for values: [Tensor], restoring before: [Tensor]? = nil,
  _ body: () throws -> Result
) rethrows -> Result {
  let before = before ?? parameters.map(\.value)
  for (parameter, value) in zip(parameters, values) { parameter.value = value }
  defer { for (parameter, value) in zip(parameters, before) { parameter.value = value } }
  return try body()
}

extension Module {
  /// The result of `body` with `weights` in place of the parameters and buffers of those names; the
  /// others stay. Derivatives pass to the weights: this is how a hypernetwork learns.
  public func withWeights<Result>(
    _ weights: [String: Tensor], _ body: () throws -> Result
  ) rethrows -> Result {
    let places = places(weights.keys, "withWeights")
    return try withParameters(places, as: places.compactMap { weights[$0.name] }, body)
  }

  /// The parameters and buffers of these names; stops at a name that nothing has.
  func places(_ names: some Collection<String>, _ operation: StaticString) -> [NamedParameter] {
    let all = parameters() + buffers(), wanted = Set(names)
    let found = all.filter { wanted.contains($0.name) }
    if found.count < wanted.count {
      let unknown = wanted.subtracting(found.map(\.name))
      preconditionFailure(
        operation,
        "\(type(of: self)) has no weight \(nameList(unknown)); it has \(nameList(all.map(\.name), upTo: 12))")
    }
    return found
  }
}

/// Up to a few names, sorted.
func nameList(_ names: some Collection<String>, upTo most: Int = 3) -> String {
  names.sorted().prefix(most).joined(separator: ", ")
    + (names.count > most ? " and \(names.count - most) more" : "")
}

extension Layer {
  /// The layer's result at `x`, of which only `x` is kept for the derivative, in the given form; the
  /// inside is computed again when it is needed. See `checkpointed(at:weights:keeping:of:)`.
  public func recomputed(_ x: Tensor, keeping form: SavedForm = .exact) -> Tensor {
    let parameters = parameters()
    return checkpointed(at: [x], weights: parameters.map(\.value), keeping: form) { all in
      // Without looking at shapes: they may be sets of weights now, and no longer when this runs again.
      [exchanging(parameters, for: Array(all.dropFirst())) { self(all[0]) }]
    }[0]
  }
}
