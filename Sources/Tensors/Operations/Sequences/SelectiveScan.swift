import CallosumKernels

// The selective scan of Mamba: a linear recurrence for each channel whose decay, writing and reading
// change with the input. Time is linear in the length; memory holds the state of every 16th step or so.

/// What a selective scan's channels have of their own.
public struct SelectiveScanWeights: Sendable {
  /// A, [channels, states]; below 0 for states that fade.
  public var a: Tensor
  /// D, the share of x that passes to the output, [channels]; nil for none.
  public var skip: Tensor?
  /// Added to delta, [channels]; nil for nothing.
  public var deltaBias: Tensor?

  public init(a: Tensor, skip: Tensor? = nil, deltaBias: Tensor? = nil) {
    (self.a, self.skip, self.deltaBias) = (a, skip, deltaBias)
  }
}

/// The selective scan of Mamba (Gu and Dao, arXiv:2312.00752): each channel has a state h [states],
///
///     h_t = exp(delta_t A) h_(t-1) + delta_t B_t x_t,   y_t = (C_t h_t + D x_t) silu(gate_t)
///
/// as `selective_scan_ref` of the authors' code computes it, with time before channels.
///
/// - Parameters:
///   - x: [batch, time, channels], float32 or float64.
///   - delta: how long each step takes, of the shape of x.
///   - b: B, what is written, [batch, time, states], or [batch, time, groups, states] where neighbouring
///     channels, channels / groups of them, share one.
///   - c: C, what is read, of the shape of b.
///   - weights: A, D and a bias of delta.
///   - softplus: delta becomes softplus(delta + bias).
///   - gate: z, of the shape of x; nil for no gate.
///   - initial: the state before the first step, [batch, channels, states]; zeros if nil.
/// - Returns: y, of the shape of x, and the state after the last step.
public func selectiveScan(
  _ x: Tensor, delta: Tensor, b: Tensor, c: Tensor, weights: SelectiveScanWeights,
  softplus: Bool = false, gate: Tensor? = nil, initial: Tensor? = nil
) -> (output: Tensor, state: Tensor) {
  let name: StaticString = "selectiveScan"
  precondition(
    x.ndim == 3 && delta.shape == x.shape && (gate.map { $0.shape == x.shape } ?? true), name,
    "x \(x.shape), delta \(delta.shape) and gate \(gate?.shape ?? x.shape) must be one [batch, time, channels]"
  )
  let (batch, time, channels) = (x.dim(0), x.dim(1), x.dim(2)), a = weights.a
  precondition(
    a.ndim == 2 && a.dim(0) == channels && a.dim(1) > 0, name,
    "A must be [channels \(channels), states], is \(a.shape)")
  let states = a.dim(1), groups = b.ndim == 4 ? b.dim(2) : 1
  precondition(
    b.shape == c.shape && (b.ndim == 3 || b.ndim == 4) && groups > 0 && channels % groups == 0
      && b.shape == [batch, time] + (b.ndim == 4 ? [groups] : []) + [states], name,
    "B \(b.shape) and C \(c.shape) must be [\(batch), \(time), \(states)], or the same in groups of the "
      + "\(channels) channels")
  for vector in [weights.skip, weights.deltaBias].compactMap({ $0 }) {
    precondition(
      vector.shape == [channels], name, "D and the bias must be [\(channels)], one is \(vector.shape)")
  }
  let start = initial ?? .zeros([batch, channels, states], dtype: x.dtype)
  precondition(
    start.shape == [batch, channels, states], name,
    "the state must be \([batch, channels, states]), is \(start.shape)")
  let grouped = [batch, time, groups, states]
  let given = [weights.skip, weights.deltaBias, gate]
  let inputs = [x, delta, a, b.reshaped(grouped), c.reshaped(grouped), start] + given.compactMap { $0 }
  realType(of: inputs, name)
  if time == 0 { return (x, start) }

  let form = SelectiveForm(softplus: softplus, present: given.map { $0 != nil })
  let results = fused(
    name, inputs, reference: form.plainly,
    fast: { inputs in
      let run = SelectiveRun(inputs, form)
      return ([run.output, run.state], run.gradients)
    })
  return (results[0], results[1])
}

/// Which of the optional inputs there are. Inputs are x, delta, A, B, C, the initial state, then D, the
/// bias of delta and the gate where they are present.
private struct SelectiveForm {
  let softplus: Bool
  /// Of D, bias and gate.
  let present: [Bool]

  var skip: Int? { place(0) }
  var bias: Int? { place(1) }
  var gate: Int? { place(2) }

  private func place(_ which: Int) -> Int? {
    present[which] ? 6 + present[..<which].count { $0 } : nil
  }

  /// In ordinary operations, with the states of all steps at once.
  func plainly(_ inputs: [Tensor]) -> [Tensor] {
    let (x, a) = (inputs[0], inputs[2]), (time, groups) = (x.dim(1), inputs[3].dim(2))
    let shape = x.shape + [a.dim(1)]
    let raw = bias.map { inputs[1] + inputs[$0] } ?? inputs[1]
    let delta = softplus ? CallosumTensors.softplus(raw) : raw
    /// B and C for every channel, [batch, time, channels, states].
    func spread(_ x: Tensor) -> Tensor {
      let one = x.expandedDimensions(axis: 3), each = shape[2] / groups
      return one.broadcast(to: [shape[0], time, groups, each, shape[3]]).reshaped(shape)
    }
    let written = (delta * x).expandedDimensions(axis: 3) * spread(inputs[3])
    let states = linearRecurrence(
      exp(delta.expandedDimensions(axis: 3) * a), written, initial: inputs[5], axis: 1)
    var y = (states * spread(inputs[4])).sum(axis: 3)
    if let skip { y = y + x * inputs[skip] }
    if let gate { y = y * silu(inputs[gate]) }
    return [y, states.sliced(axis: 1, from: time - 1).squeezed(axis: 1)]
  }
}

/// A sequence on its way through the kernel, which keeps the states with channels last.
private struct SelectiveRun {
  private let form: SelectiveForm
  private let inputs: [Tensor]
  let output: Tensor
  private let last: Tensor
  private let kept: Tensor?

  /// [batch, channels, states]
  var state: Tensor { last.swappedAxes(1, 2) }

  init(_ given: [Tensor], _ form: SelectiveForm) {
    self.form = form
    inputs = given.enumerated().map { place, x in
      switch place {
      case 2: x.transposed().packed
      case 5: x.swappedAxes(1, 2).packed
      default: x.packed
      }
    }
    let x = inputs[0], (states, channels) = (inputs[2].dim(0), inputs[2].dim(1))
    output = Tensor(uninitialized: x.shape, .float32)
    last = Tensor(uninitialized: inputs[5].shape, .float32)
    let every = Self.stepsPerState(states), chunks = (x.dim(1) + every - 1) / every
    kept =
      ThreadState.current.tape == nil
      ? nil : Tensor(uninitialized: [x.dim(0), chunks, states, channels], .float32)
    run { callosum_selective_scan($0, output.floats32, kept?.floats32, last.floats32) }
  }

  /// So many steps that the states kept take about as much memory as x, within what the kernel's buffers
  /// hold.
  private static func stepsPerState(_ states: Int) -> Int { min(max(states, 16), 64) }

  /// Hands the kernel what it needs to know.
  private func run(_ body: (UnsafePointer<callosum_selective_job>) -> Void) {
    let x = inputs[0], b = inputs[3]
    func pointer(_ place: Int?) -> UnsafePointer<Float>? { place.map { UnsafePointer(inputs[$0].floats32) } }
    var job = callosum_selective_job(
      batch: x.dim(0), time: x.dim(1), channels: x.dim(2), groups: b.dim(2), states: b.dim(3),
      x: pointer(0), delta: pointer(1), gate: pointer(form.gate), a: pointer(2), b: pointer(3),
      c: pointer(4), bias: pointer(form.bias), skip: pointer(form.skip), softplus: form.softplus,
      initial: pointer(5), kept_every: Self.stepsPerState(b.dim(3)))
    body(&job)
  }

  func gradients(_ arriving: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?] {
    guard let kept else { preconditionFailure("selectiveScan", "nothing was kept for a derivative") }
    let x = inputs[0], b = inputs[3], channels = x.dim(2)
    let gy = (arriving[0] ?? .zeros(x.shape)).packed
    let glast = arriving[1]?.swappedAxes(1, 2).packed
    let spans = (channels / b.dim(2) + callosum_selective_span - 1) / callosum_selective_span
    // Of A, D and the bias for each row of the batch; of B and C in parts.
    let shapes = inputs.indices.map { place in
      switch place {
      case 2: last.shape
      case 3, 4: [spans] + b.shape
      case form.skip, form.bias: [x.dim(0), channels]
      default: inputs[place].shape
      }
    }
    let found = shapes.map { Tensor(uninitialized: $0, .float32) }
    func pointer(_ place: Int?) -> UnsafeMutablePointer<Float>? { place.map { found[$0].floats32 } }
    var to = callosum_selective_gradients(
      x: pointer(0), delta: pointer(1), gate: pointer(form.gate), a: pointer(2), b: pointer(3),
      c: pointer(4), bias: pointer(form.bias), skip: pointer(form.skip), initial: pointer(5))
    run {
      callosum_selective_scan_backward($0, kept.floats32, gy.floats32, glast?.floats32, &to)
    }
    return inputs.indices.map { place in
      switch place {
      case 2: found[place].sum(axis: 0).transposed()
      case 5: found[place].swappedAxes(1, 2)
      case 3, 4: spans == 1 ? found[place].squeezed(axis: 0) : found[place].sum(axis: 0)
      case form.skip, form.bias: found[place].sum(axis: 0)
      default: found[place]
      }
    }
  }
}
