import CallosumKernels

// Recurrent cells through their kernels. The products with the inputs of all steps are one product, and
// so are the gradients of the weights; between them one kernel goes through time.

/// What all cells share: `sums` begins as W x + b of all packed rows, [rows, gates hidden], and ends as the
/// active gates, or as the states of an Elman network.
private struct Unrolled {
  let batch: SequenceBatch
  let x, start, inputWeight, hiddenWeight: Tensor
  let sums, states: Tensor
  let relu: Bool

  /// Inputs: x, h, perhaps more states, then W and U at `weights` and behind.
  init(
    _ inputs: [Tensor], weights at: Int, bias: Tensor, _ batch: SequenceBatch,
    inPlace: Bool = false, relu: Bool = false
  ) {
    (self.batch, self.relu) = (batch, relu)
    x = batch.packed(inputs[0])
    start = batch.ordered(inputs[1])
    (inputWeight, hiddenWeight) = (inputs[at].packed, inputs[at + 1].packed)
    sums = linear(x, weight: inputWeight, bias: bias)
    states = inPlace ? sums : Tensor(uninitialized: [x.dim(0), batch.hidden], .float32)
    ThreadState.count(multiplyAccumulates: x.dim(0) * batch.gates * batch.hidden * batch.hidden)
  }

  /// Hands the kernels what they need to know.
  func run(_ body: (UnsafePointer<callosum_sequence>) -> Void) {
    batch.first.withUnsafeBufferPointer { first in
      var sequence = callosum_sequence(
        time: batch.time, batch: batch.batch, hidden: batch.hidden, first: first.baseAddress,
        relu: relu, weight: hiddenWeight.floats32, start: start.floats32, gates: sums.floats32,
        states: states.floats32)
      body(&sequence)
    }
  }

  /// Gradients of x, h, W, U, b and c from those of the sums on the side of x and of h, and of h ordered.
  func gradients(_ gx: Tensor, _ gproduct: Tensor, start gstart: Tensor, _ needsGradient: NeedsGradient) -> (
    x: Tensor?, h: Tensor, weights: [Tensor]
  ) {
    let input = matmul(gx.transposed(), x)
    let hidden = matmul(gproduct.transposed(), batch.earlier(states, start: start))
    let bias = gx.sum(axis: 0)
    let hiddenBias = gx.storage === gproduct.storage ? bias : gproduct.sum(axis: 0)
    let back = needsGradient[0] ? batch.unpacked(matmul(gx, inputWeight)) : nil
    return (back, batch.restored(gstart), [input, hidden, bias, hiddenBias])
  }
}

struct ElmanRun {
  private let unrolled: Unrolled

  var states: Tensor { unrolled.batch.unpacked(unrolled.states) }

  /// Inputs: x, h, W, U, b, c.
  init(_ inputs: [Tensor], _ batch: SequenceBatch, _ activation: RecurrentActivation) {
    unrolled = Unrolled(
      inputs, weights: 2, bias: inputs[4] + inputs[5], batch, inPlace: true, relu: activation == .relu)
    unrolled.run { callosum_rnn($0) }
  }

  func gradients(_ arriving: Tensor, _ needsGradient: NeedsGradient) -> [Tensor?] {
    let outside = unrolled.batch.packed(arriving)
    let sums = Tensor(uninitialized: unrolled.sums.shape, .float32)
    let gstart = Tensor(uninitialized: unrolled.start.shape, .float32)
    unrolled.run { callosum_rnn_backward($0, outside.floats32, sums.floats32, gstart.floats32) }
    let (x, h, weights) = unrolled.gradients(sums, sums, start: gstart, needsGradient)
    return [x, h] + weights
  }
}

struct GRURun {
  private let unrolled: Unrolled
  /// U h + c of the gate n, which r multiplies.
  private let inner: Tensor

  var states: Tensor { unrolled.batch.unpacked(unrolled.states) }

  /// Inputs: x, h, W, U, b, c.
  init(_ inputs: [Tensor], _ batch: SequenceBatch) {
    unrolled = Unrolled(inputs, weights: 2, bias: inputs[4], batch)
    let inner = Tensor(uninitialized: unrolled.states.shape, .float32)
    let bias = inputs[5].packed
    unrolled.run { callosum_gru($0, bias.floats32, inner.floats32) }
    self.inner = inner
  }

  func gradients(_ arriving: Tensor, _ needsGradient: NeedsGradient) -> [Tensor?] {
    let outside = unrolled.batch.packed(arriving)
    let gx = Tensor(uninitialized: unrolled.sums.shape, .float32)
    let gproduct = Tensor(uninitialized: unrolled.sums.shape, .float32)
    let gstart = Tensor(uninitialized: unrolled.start.shape, .float32)
    unrolled.run {
      callosum_gru_backward(
        $0, inner.floats32, outside.floats32, gx.floats32, gproduct.floats32, gstart.floats32)
    }
    let (x, h, weights) = unrolled.gradients(gx, gproduct, start: gstart, needsGradient)
    return [x, h] + weights
  }
}

struct LSTMRun {
  private let unrolled: Unrolled
  private let startCell, cells: Tensor

  var states: Tensor { unrolled.batch.unpacked(unrolled.states) }
  /// Each row's last c.
  var lastCell: Tensor { unrolled.batch.lastPacked(cells, start: startCell) }

  /// Inputs: x, h, c, W, U, b, c.
  init(_ inputs: [Tensor], _ batch: SequenceBatch) {
    unrolled = Unrolled(inputs, weights: 3, bias: inputs[5] + inputs[6], batch)
    let start = batch.ordered(inputs[2])
    let cells = Tensor(uninitialized: unrolled.states.shape, .float32)
    unrolled.run { callosum_lstm($0, start.floats32, cells.floats32) }
    (startCell, self.cells) = (start, cells)
  }

  func gradients(_ arriving: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?] {
    let batch = unrolled.batch
    let outside = arriving[0].map(batch.packed)
    let sums = Tensor(uninitialized: unrolled.sums.shape, .float32)
    let gstart = Tensor(uninitialized: startCell.shape, .float32)
    // The kernel overwrites the gradient of c, so it gets memory of its own.
    let none = Tensor.zeros(startCell.shape)
    let gcell = arriving[1].map { none + batch.ordered($0) } ?? none
    unrolled.run {
      callosum_lstm_backward(
        $0, startCell.floats32, cells.floats32, outside?.floats32, gcell.floats32, sums.floats32,
        gstart.floats32)
    }
    let (x, h, weights) = unrolled.gradients(sums, sums, start: gstart, needsGradient)
    return [x, h, batch.restored(gcell)] + weights
  }
}
