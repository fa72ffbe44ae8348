/// Reverse-mode derivatives, as functions of functions. They nest: a gradient taken inside a
/// function that is itself being differentiated is part of what is differentiated.

/// The value of `function` at `inputs`, and a pullback: from the gradients of the values (nil for
/// none) to those of the inputs. The pullback may be called many times.
public func valueAndPullback(
  at inputs: [Tensor], of function: ([Tensor]) throws -> [Tensor]
) rethrows -> (values: [Tensor], pullback: ([Tensor?]) -> [Tensor]) {
  let (values, walk) = try record(at: inputs) { leaves, _ in try function(leaves) }
  return (values, { walk($0, false) })
}

/// The value of `function` at `inputs` and the gradient of that value by each input. The function
/// returns one number (a tensor of one element).
public func valueAndGradient(
  at inputs: [Tensor], of function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  for input in inputs { input.requireReal("valueAndGradient") }
  let (values, walk) = try record(at: inputs) { leaves, _ in [try function(leaves)] }
  return (values[0], walk([.ones(like: oneNumber(values[0]))], true))
}

/// The value of `function` at `x` and its gradient.
public func valueAndGradient(
  at x: Tensor, of function: (Tensor) throws -> Tensor
) rethrows -> (value: Tensor, gradient: Tensor) {
  let (value, gradients) = try valueAndGradient(at: [x]) { try function($0[0]) }
  return (value, gradients[0])
}

/// The value of `function` at `inputs`, and the gradients of that value by each input and by each
/// tensor that the function hands to `observer`, which gives it back to be used from there on: gradients
/// by what arises inside.
public func valueAndGradient(
  at inputs: [Tensor],
  observing function: (_ inputs: [Tensor], _ observer: @escaping (Tensor) -> Tensor) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor], observed: [Tensor]) {
  for input in inputs { input.requireReal("valueAndGradient") }
  let (values, walk) = try record(at: inputs) { [try function($0, $1)] }
  let gradients = walk([.ones(like: oneNumber(values[0]))], true)
  return (values[0], Array(gradients.prefix(inputs.count)), Array(gradients.dropFirst(inputs.count)))
}

/// The gradient of `function` at `x`.
public func gradient(
  at x: Tensor, of function: (Tensor) throws -> Tensor
) rethrows -> Tensor {
  try valueAndGradient(at: x, of: function).gradient
}

/// The function that computes the gradient of `function`.
public func gradient(of function: @escaping (Tensor) -> Tensor) -> (Tensor) -> Tensor {
  { gradient(at: $0, of: function) }
}

/// `x` as a constant: derivatives do not pass.
public func stopGradient(_ x: Tensor) -> Tensor { x.unmarked }

/// A result of unrecorded inputs depends on a variable only if the function took it from elsewhere.
let elsewhere = "what the function uses beside its inputs"

/// The result of `function`, with `rule` in place of its derivative: from the gradient of the
/// result, the inputs and the result to a gradient for each input (nil for none).
public func withDerivative(
  _ name: StaticString = "withDerivative", at inputs: [Tensor],
  of function: ([Tensor]) -> Tensor,
  _ rule: @escaping (_ gradient: Tensor, _ inputs: [Tensor], _ result: Tensor) -> [Tensor?]
) -> Tensor {
  let result = function(inputs.map(\.unmarked)).requireConstant(name, elsewhere)
  return result.recorded(
    name, from: inputs,
    byResult: { gradient, result in
      checked(rule(gradient, inputs, result), for: inputs, name)
    })
}

private func checked(_ gradients: [Tensor?], for inputs: [Tensor], _ name: StaticString) -> [Tensor?] {
  precondition(
    gradients.count == inputs.count, name,
    "its derivative returned \(gradients.count) gradients for \(inputs.count) inputs")
  return gradients
}

/// The results of `function`, with one `rule` in place of their derivatives: from the gradients of the
/// results (nil where nothing depends on one), the inputs and the results to a gradient for each input
/// (nil for none).
public func withDerivative(
  _ name: StaticString = "withDerivative", at inputs: [Tensor],
  of function: ([Tensor]) -> [Tensor],
  _ rule: @escaping (_ gradients: [Tensor?], _ inputs: [Tensor], _ results: [Tensor]) -> [Tensor?]
) -> [Tensor] {
  let results = function(inputs.map(\.unmarked)).map { $0.requireConstant(name, elsewhere) }
  return Tensor.recorded(name, results: results, from: inputs) { gradients, results in
    checked(rule(gradients, inputs, results), for: inputs, name)
  }
}

/// The result of `function` with a rule for each input, from the gradient of the result and the inputs to the
/// gradient of that one; only the rules of inputs that matter run.
public func withDerivatives(
  _ name: StaticString = "withDerivatives", at inputs: [Tensor],
  of function: ([Tensor]) -> Tensor,
  _ rules: [(_ gradient: Tensor, _ inputs: [Tensor]) -> Tensor]
) -> Tensor {
  precondition(
    rules.count == inputs.count, name, "there are \(rules.count) rules for \(inputs.count) inputs")
  return function(inputs.map(\.unmarked)).requireConstant(name, elsewhere)
    .recorded(name, from: inputs) { gradient, needsGradient in
      rules.indices.map { needsGradient[$0] ? rules[$0](gradient, inputs) : nil }
    }
}

/// Runs `body` unrecorded, as for evaluation inside a function that is being differentiated.
public func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
  let state = ThreadState.current
  let tape = state.tape
  state.tape = nil
  defer { state.tape = tape }
  return try body()
}

private func oneNumber(_ value: Tensor) -> Tensor {
  precondition(
    value.size == 1, "valueAndGradient",
    "the function must return one number, but returned shape \(value.shape)")
  return value
}

/// What `record` hands to a function beside its inputs: something more to differentiate by.
private final class Leaves {
  var leaves: [Tensor]
  init(_ leaves: [Tensor]) { self.leaves = leaves }
}

private func record(
  at inputs: [Tensor], _ function: ([Tensor], _ observer: @escaping (Tensor) -> Tensor) throws -> [Tensor]
) rethrows -> (values: [Tensor], walk: (_ gradients: [Tensor?], _ releasing: Bool) -> [Tensor]) {
  let state = ThreadState.current
  let outer = state.tape
  let tape = outer ?? Tape()
  let start = tape.count
  let leaves = inputs.map(tape.leaf)
  let all = Leaves(leaves)
  state.tape = tape
  defer { state.tape = outer }
  let values = try function(leaves) { x in
    let leaf = tape.leaf(x)
    all.leaves.append(leaf)
    return leaf
  }
  let marks = values.map(tape.index(of:))
  let (shapes, types) = (values.map(\.shape), values.map(\.dtype))
  let variables = all.leaves
  return (
    values,
    { gradients, releasing in
      var outputs: [(index: Int, gradient: Tensor)] = []
      for (position, gradient) in gradients.enumerated() {
        guard let gradient, marks[position] >= start else { continue }
        precondition(
          gradient.shape == shapes[position], "pullback",
          "gradient \(position) has shape \(gradient.shape), but the value has \(shapes[position])")
        precondition(
          gradient.dtype == types[position], "pullback",
          "gradient \(position) is \(gradient.dtype), but the value is \(types[position])")
        outputs.append((marks[position], gradient))
      }
      let found = tape.gradients(
        of: variables.map(\.mark.index), from: start, outputs: outputs, releasing: releasing && outer == nil)
      return zip(variables, found).map { $1 ?? .zeros(like: $0) }
    }
  )
}
