// Elman networks, GRU and LSTM over whole sequences, which may differ in length. What the cells are and
// the same step by step; RecurrentRuns.swift takes them through the kernels.
// Gates, shapes and biases are PyTorch's.

/// The weights of a recurrent layer; `gates` is 1 for an Elman network, 3 for a GRU (in the order r, z,
/// n), 4 for an LSTM (i, f, g, o).
public struct RecurrentWeights: Sendable {
  /// [gates * hidden, inputs]
  public var input: Tensor
  /// [gates * hidden, hidden]
  public var hidden: Tensor
  /// [gates * hidden]
  public var inputBias, hiddenBias: Tensor

  public init(input: Tensor, hidden: Tensor, inputBias: Tensor, hiddenBias: Tensor) {
    (self.input, self.hidden) = (input, hidden)
    (self.inputBias, self.hiddenBias) = (inputBias, hiddenBias)
  }

  var list: [Tensor] { [input, hidden, inputBias, hiddenBias] }
}

/// What an Elman network makes of the sum that arrives.
public enum RecurrentActivation: String, Codable, Sendable, CaseIterable {
  case tanh, relu
}

/// An Elman network over a sequence:
///
///     h_t = f(W x_t + b + U h_(t-1) + c)
///
/// - Parameters:
///   - x: [batch, time, inputs], at least one step.
///   - weights: with 1 gate.
///   - activation: f.
///   - initial: the state before the first step, [batch, hidden]; zeros if nil.
///   - reverse: from the last step to the first.
///   - lengths: how many steps of each row count, int32 [batch], from 0 to time; all if nil. What lies
///     behind is never looked at, the result is 0 there, and `reverse` begins at each row's own end.
/// - Returns: h_t, [batch, time, hidden], and the state of each row after its last step taken, [batch,
///   hidden].
public func rnn(
  _ x: Tensor, weights: RecurrentWeights, activation: RecurrentActivation = .tanh,
  initial: Tensor? = nil, reverse: Bool = false, lengths: Tensor? = nil
) -> (states: Tensor, last: Tensor) {
  let batch = SequenceBatch(x, weights, gates: 1, reverse, lengths, "rnn")
  let h = batch.state(initial)
  let states = fused(
    "rnn", [x, h] + weights.list,
    reference: { rnnSteps($0, batch, activation) },
    fast: { inputs in
      let run = ElmanRun(inputs, batch, activation)
      return (run.states, run.gradients)
    })
  return (states, batch.last(of: states, initial: h))
}

/// A gated recurrent unit over a sequence:
///
///     r, z = sigmoid(W x_t + b + U h_(t-1) + c),   n = tanh(W x_t + b + r (U h_(t-1) + c))
///     h_t = (1 - z) n + z h_(t-1)
///
/// - Parameters:
///   - x: [batch, time, inputs], at least one step.
///   - weights: with 3 gates: r, z, n.
///   - initial: the state before the first step, [batch, hidden]; zeros if nil.
///   - reverse: from the last step to the first.
///   - lengths: how many steps of each row count, as in `rnn`.
/// - Returns: h_t, [batch, time, hidden], and the state of each row after its last step taken, [batch,
///   hidden].
public func gru(
  _ x: Tensor, weights: RecurrentWeights, initial: Tensor? = nil, reverse: Bool = false,
  lengths: Tensor? = nil
) -> (states: Tensor, last: Tensor) {
  let batch = SequenceBatch(x, weights, gates: 3, reverse, lengths, "gru")
  let h = batch.state(initial)
  let states = fused(
    "gru", [x, h] + weights.list,
    reference: { gruSteps($0, batch) },
    fast: { inputs in
      let run = GRURun(inputs, batch)
      return (run.states, run.gradients)
    })
  return (states, batch.last(of: states, initial: h))
}

/// Long short-term memory over a sequence:
///
///     i, f, o = sigmoid(W x_t + b + U h_(t-1) + c),   g = tanh(W x_t + b + U h_(t-1) + c)
///     c_t = f c_(t-1) + i g,   h_t = o tanh(c_t)
///
/// - Parameters:
///   - x: [batch, time, inputs], at least one step.
///   - weights: with 4 gates: i, f, g, o.
///   - initial: h and c before the first step, each [batch, hidden]; zeros if nil.
///   - reverse: from the last step to the first.
///   - lengths: how many steps of each row count, as in `rnn`.
/// - Returns: h_t, [batch, time, hidden], and h and c of each row after its last step taken, [batch,
///   hidden].
public func lstm(
  _ x: Tensor, weights: RecurrentWeights, initial: (h: Tensor, c: Tensor)? = nil,
  reverse: Bool = false, lengths: Tensor? = nil
) -> (states: Tensor, last: (h: Tensor, c: Tensor)) {
  let batch = SequenceBatch(x, weights, gates: 4, reverse, lengths, "lstm")
  let h = batch.state(initial?.h), c = batch.state(initial?.c)
  let results = fused(
    "lstm", [x, h, c] + weights.list,
    reference: { lstmSteps($0, batch) },
    fast: { inputs in
      let run = LSTMRun(inputs, batch)
      return ([run.states, run.lastCell], run.gradients)
    })
  return (results[0], (batch.last(of: results[0], initial: h), results[1]))
}

// MARK: References, step by step

/// Takes W x + b of each step in turn through `step`, which changes the tensors of `state`, the first of
/// which is h: all h, [batch, time, hidden], and the state after it.
private func stepByStep(
  _ inputs: [Tensor], state: [Tensor], _ batch: SequenceBatch,
  _ step: (_ x: Tensor, _ state: [Tensor]) -> [Tensor]
) -> (states: Tensor, last: [Tensor]) {
  let weights = 1 + state.count
  let x = batch.valid.map { which($0, inputs[0], Tensor(0, inputs[0].dtype)) } ?? inputs[0]
  let all = linear(x, weight: inputs[weights], bias: inputs[weights + 2])
  let steps = all.split(parts: batch.time, axis: 1).map { $0.squeezed(axis: 1) }
  let valid = batch.valid?.split(parts: batch.time, axis: 1).map { $0.squeezed(axis: 1) }
  var state = state
  var states: [Tensor] = []
  for t in batch.reverse ? steps.indices.reversed() : Array(steps.indices) {
    let next = step(steps[t], state)
    if let valid {
      state = zip(next, state).map { which(valid[t], $0, $1) }
      states.append(which(valid[t], next[0], Tensor(0, next[0].dtype)))
    } else {
      state = next
      states.append(next[0])
    }
  }
  return (stacked(batch.reverse ? states.reversed() : states, axis: 1), state)
}

private func rnnSteps(_ inputs: [Tensor], _ batch: SequenceBatch, _ activation: RecurrentActivation)
  -> Tensor
{
  stepByStep(inputs, state: [inputs[1]], batch) { x, state in
    let sum = x + linear(state[0], weight: inputs[3], bias: inputs[5])
    return [activation == .relu ? relu(sum) : tanh(sum)]
  }.states
}

private func gruSteps(_ inputs: [Tensor], _ batch: SequenceBatch) -> Tensor {
  stepByStep(inputs, state: [inputs[1]], batch) { x, state in
    let x = x.split(parts: 3, axis: 1)
    let u = linear(state[0], weight: inputs[3], bias: inputs[5]).split(parts: 3, axis: 1)
    let r = sigmoid(x[0] + u[0]), z = sigmoid(x[1] + u[1])
    let n = tanh(x[2] + r * u[2])
    return [(1 - z) * n + z * state[0]]
  }.states
}

private func lstmSteps(_ inputs: [Tensor], _ batch: SequenceBatch) -> [Tensor] {
  let (states, last) = stepByStep(inputs, state: [inputs[1], inputs[2]], batch) { x, state in
    let sums = x + linear(state[0], weight: inputs[4], bias: inputs[6])
    let gates = sums.split(parts: 4, axis: 1)
    let c = sigmoid(gates[1]) * state[1] + sigmoid(gates[0]) * tanh(gates[2])
    return [sigmoid(gates[3]) * tanh(c), c]
  }
  return [states, last[1]]
}
