import CallosumKernels

// GRU and LSTM over whole sequences. The products with the inputs of all steps are one product, and
// so are the gradients of the weights; between them one kernel goes through time.
// Gates, shapes and biases are PyTorch's.

/// The weights of a recurrent layer; `gates` is 3 for a GRU (in the order r, z, n), 4 for an LSTM
/// (i, f, g, o).
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

  fileprivate var list: [Tensor] { [input, hidden, inputBias, hiddenBias] }
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
/// - Returns: h_t, [batch, time, hidden], and the state after the last step taken, [batch, hidden].
public func gru(
  _ x: Tensor, weights: RecurrentWeights, initial: Tensor? = nil, reverse: Bool = false
) -> (states: Tensor, last: Tensor) {
  let shape = SequenceShape(x, weights, gates: 3, "gru")
  let h = shape.state(initial, "gru")
  let states = fused(
    "gru", [x, h] + weights.list,
    reference: { gruSteps($0, shape, reverse) },
    fast: { inputs in
      let run = GRURun(inputs, shape, reverse)
      return (run.states, run.gradients)
    })
  return (states, shape.last(of: states, reverse))
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
/// - Returns: h_t, [batch, time, hidden], and h and c after the last step taken, [batch, hidden].
public func lstm(
  _ x: Tensor, weights: RecurrentWeights, initial: (h: Tensor, c: Tensor)? = nil,
  reverse: Bool = false
) -> (states: Tensor, last: (h: Tensor, c: Tensor)) {
  let shape = SequenceShape(x, weights, gates: 4, "lstm")
  let h = shape.state(initial?.h, "lstm"), c = shape.state(initial?.c, "lstm")
  let results = fused(
    "lstm", [x, h, c] + weights.list,
    reference: { lstmSteps($0, shape, reverse) },
    fast: { inputs in
      let run = LSTMRun(inputs, shape, reverse)
      return ([run.states, run.cell], run.gradients)
    })
  return (results[0], (shape.last(of: results[0], reverse), results[1]))
}

// MARK: References, step by step

/// W x + b of every step, in order.
private func projections(_ inputs: [Tensor], _ weights: Int, _ shape: SequenceShape, _ reverse: Bool)
  -> [Tensor]
{
  let all = linear(inputs[0], weight: inputs[weights], bias: inputs[weights + 2])
  let steps = all.split(parts: shape.time, axis: 1).map { $0.squeezed(axis: 1) }
  return reverse ? steps.reversed() : steps
}

private func gruSteps(_ inputs: [Tensor], _ shape: SequenceShape, _ reverse: Bool) -> Tensor {
  var h = inputs[1]
  var states: [Tensor] = []
  for step in projections(inputs, 2, shape, reverse) {
    let x = step.split(parts: 3, axis: 1)
    let u = linear(h, weight: inputs[3], bias: inputs[5]).split(parts: 3, axis: 1)
    let r = sigmoid(x[0] + u[0]), z = sigmoid(x[1] + u[1])
    let n = tanh(x[2] + r * u[2])
    h = (1 - z) * n + z * h
    states.append(h)
  }
  return stacked(reverse ? states.reversed() : states, axis: 1)
}

private func lstmSteps(_ inputs: [Tensor], _ shape: SequenceShape, _ reverse: Bool) -> [Tensor] {
  var h = inputs[1], c = inputs[2]
  var states: [Tensor] = []
  for step in projections(inputs, 3, shape, reverse) {
    let gates = (step + linear(h, weight: inputs[4], bias: inputs[6])).split(parts: 4, axis: 1)
    c = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh(gates[2])
    h = sigmoid(gates[3]) * tanh(c)
    states.append(h)
  }
  return [stacked(reverse ? states.reversed() : states, axis: 1), c]
}

// MARK: What both cells share

private struct SequenceShape {
  let batch, time, inputs, hidden, gates: Int
  let dtype: DType

  init(_ x: Tensor, _ weights: RecurrentWeights, gates: Int, _ name: StaticString) {
    require(
      x.ndim == 3 && x.dim(1) > 0 && x.dtype.isFloatingPoint, name,
      "the input must be real, [batch, time, inputs] with a step at least, is \(x.dtype) \(x.shape)")
    (batch, time, inputs, self.gates, dtype) = (x.dim(0), x.dim(1), x.dim(2), gates, x.dtype)
    let hidden = weights.hidden.shape.last ?? 0
    self.hidden = hidden
    let rows = gates * hidden
    let expected = [[rows, x.dim(2)], [rows, hidden], [rows], [rows]]
    let found = weights.list.map(\.shape)
    require(
      expected == found && weights.list.allSatisfy { $0.dtype == x.dtype }, name,
      "weights must be \(x.dtype) \(expected) for input \(x.shape) and hidden \(hidden), are \(found)")
  }

  /// The given state, checked, or zeros.
  func state(_ given: Tensor?, _ name: StaticString) -> Tensor {
    guard let given else { return .zeros([batch, hidden], dtype: dtype) }
    require(
      given.shape == [batch, hidden] && given.dtype == dtype, name,
      "the initial state must be \(dtype) [batch \(batch), hidden \(hidden)], is \(given.dtype) \(given.shape)"
    )
    return given
  }

  func last(of states: Tensor, _ reverse: Bool) -> Tensor {
    let at = reverse ? 0 : time - 1
    return states.sliced(axis: 1, from: at, to: at + 1).squeezed(axis: 1)
  }
}

extension Tensor {
  /// [batch, time, width] as contiguous [time, batch, width], and back as a view.
  fileprivate var timeFirst: Tensor { transposed(1, 0, 2).packed }
  fileprivate var batchFirst: Tensor { transposed(1, 0, 2) }
}

/// One sequence on its way through a cell: [time, batch, width] throughout, so that each step is
/// contiguous. `gates` begins as W x + b and ends as the active gates.
private struct Unrolled {
  let shape: SequenceShape
  let x, start, inputWeight, hiddenWeight: Tensor
  let gates, states: Tensor
  let reverse: Bool

  init(_ inputs: [Tensor], weights at: Int, bias: Tensor, _ shape: SequenceShape, _ reverse: Bool) {
    (self.shape, self.reverse) = (shape, reverse)
    x = inputs[0].timeFirst
    start = inputs[1].packed
    (inputWeight, hiddenWeight) = (inputs[at].packed, inputs[at + 1].packed)
    gates = linear(x, weight: inputWeight, bias: bias)
    states = Tensor(uninitialized: [shape.time, shape.batch, shape.hidden], .float32)
    ThreadState.count(
      multiplyAccumulates: shape.time * shape.batch * shape.gates * shape.hidden * shape.hidden)
  }

  /// Hands the kernels what they need to know.
  func run(_ body: (UnsafePointer<callosum_sequence>) -> Void) {
    var sequence = callosum_sequence(
      time: shape.time, batch: shape.batch, hidden: shape.hidden, reverse: reverse,
      weight: hiddenWeight.floats32, start: start.floats32, gates: gates.floats32,
      states: states.floats32)
    body(&sequence)
  }

  /// The states before every step, [time, batch, hidden].
  private var earlier: Tensor {
    let first = start.expandedDimensions(axis: 0)
    return reverse
      ? concatenated([states.sliced(axis: 0, from: 1), first])
      : concatenated([first, states.sliced(axis: 0, to: shape.time - 1)])
  }

  /// Gradients of x, W, U, b and c from those of the sums on the side of x and of h.
  func weightGradients(
    _ gx: Tensor, _ gproduct: Tensor, wantsInput: Bool
  ) -> (x: Tensor?, weights: [Tensor]) {
    let rows = shape.time * shape.batch
    let sums = gx.reshaped([rows, -1]), products = gproduct.reshaped([rows, -1])
    let input = matmul(sums.transposed(), x.reshaped([rows, shape.inputs]))
    let hidden = matmul(products.transposed(), earlier.reshaped([rows, shape.hidden]))
    let bias = sums.sum(axis: 0)
    let hiddenBias = gx.storage === gproduct.storage ? bias : products.sum(axis: 0)
    let back = wantsInput ? matmul(gx, inputWeight).batchFirst : nil
    return (back, [input, hidden, bias, hiddenBias])
  }
}

private struct GRURun {
  private let unrolled: Unrolled
  /// U h + c of the gate n, which r multiplies.
  private let inner: Tensor

  var states: Tensor { unrolled.states.batchFirst }

  /// Inputs: x, h, W, U, b, c.
  init(_ inputs: [Tensor], _ shape: SequenceShape, _ reverse: Bool) {
    unrolled = Unrolled(inputs, weights: 2, bias: inputs[4], shape, reverse)
    let inner = Tensor(uninitialized: unrolled.states.shape, .float32)
    let bias = inputs[5].packed
    unrolled.run { callosum_gru($0, bias.floats32, inner.floats32) }
    self.inner = inner
  }

  func gradients(_ arriving: Tensor, _ wants: Wants) -> [Tensor?] {
    let outside = arriving.timeFirst
    let gx = Tensor(uninitialized: unrolled.gates.shape, .float32)
    let gproduct = Tensor(uninitialized: unrolled.gates.shape, .float32)
    let gstart = Tensor(uninitialized: unrolled.start.shape, .float32)
    unrolled.run {
      callosum_gru_backward(
        $0, inner.floats32, outside.floats32, gx.floats32, gproduct.floats32, gstart.floats32)
    }
    let (back, weights) = unrolled.weightGradients(gx, gproduct, wantsInput: wants[0])
    return [back, gstart] + weights
  }
}

private struct LSTMRun {
  private let unrolled: Unrolled
  private let startCell, cells: Tensor

  var states: Tensor { unrolled.states.batchFirst }
  /// The last c.
  var cell: Tensor {
    let at = unrolled.reverse ? 0 : unrolled.shape.time - 1
    return cells.sliced(axis: 0, from: at, to: at + 1).squeezed(axis: 0)
  }

  /// Inputs: x, h, c, W, U, b, c.
  init(_ inputs: [Tensor], _ shape: SequenceShape, _ reverse: Bool) {
    unrolled = Unrolled(inputs, weights: 3, bias: inputs[5] + inputs[6], shape, reverse)
    let start = inputs[2].packed, cells = Tensor(uninitialized: unrolled.states.shape, .float32)
    unrolled.run { callosum_lstm($0, start.floats32, cells.floats32) }
    (startCell, self.cells) = (start, cells)
  }

  func gradients(_ arriving: [Tensor?], _ wants: Wants) -> [Tensor?] {
    let outside = arriving[0]?.timeFirst
    let sums = Tensor(uninitialized: unrolled.gates.shape, .float32)
    let gstart = Tensor(uninitialized: startCell.shape, .float32)
    // The kernel overwrites the gradient of c, so it gets memory of its own.
    let none = Tensor.zeros(startCell.shape)
    let gcell = arriving[1].map { none + $0 } ?? none
    unrolled.run {
      callosum_lstm_backward(
        $0, startCell.floats32, cells.floats32, outside?.floats32, gcell.floats32, sums.floats32,
        gstart.floats32)
    }
    let (back, weights) = unrolled.weightGradients(sums, sums, wantsInput: wants[0])
    return [back, gstart, gcell] + weights
  }
}
