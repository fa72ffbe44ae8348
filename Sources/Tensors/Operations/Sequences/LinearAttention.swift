import CallosumKernels

// Causal linear attention: a state for each head, a matrix from keys to values, takes the place of
// the keys and values that softmax attention keeps. Time and memory are linear in the length.

/// Causal linear attention, plain or gated: for each head, a state S goes through time,
///
///     S_t = exp(g_t) S_(t-1) + k_t v_tᵀ,   y_t = scale S_tᵀ q_t
///
/// (Katharopoulos et al., arXiv:2006.16236, without its normaliser; RetNet, Mamba-2 and gated linear
/// attention, arXiv:2312.06635, with one).
///
/// - Parameters:
///   - q: queries, [batch, heads, time, key width], float32 or float64.
///   - k: keys, of the same shape.
///   - v: values, [batch, heads, time, value width].
///   - logDecay: g, the logarithm of what remains of the state at each step: [batch, heads, time], or
///     [batch, heads, time, key width] for a decay of each key channel; nil for no decay.
///   - scale: 1 / sqrt(key width) if nil.
///   - initial: the state before the first step, [batch, heads, key width, value width]; zeros if nil.
/// - Returns: y, [batch, heads, time, value width], and the state after the last step.
public func linearAttention(
  queries q: Tensor, keys k: Tensor, values v: Tensor, logDecay: Tensor? = nil,
  scale: Double? = nil, initial: Tensor? = nil
) -> (output: Tensor, state: Tensor) {
  attendLinearly(
    "linearAttention", q, k, v, beta: nil, logDecay: logDecay, scale: scale, initial: initial)
}

/// Causal linear attention by the delta rule, plain or gated: before a key gets its new value, what
/// the state gave for that key is taken away,
///
///     S_t = (I - beta_t k_t k_tᵀ) exp(g_t) S_(t-1) + beta_t k_t v_tᵀ,   y_t = scale S_tᵀ q_t
///
/// (DeltaNet, arXiv:2406.06484; with a decay Gated DeltaNet, arXiv:2412.06464). For keys of length 1
/// and beta from 0 to 1 the state stays bounded; the operation normalises nothing.
///
/// - Parameters:
///   - q: queries, [batch, heads, time, key width], float32 or float64.
///   - k: keys, of the same shape.
///   - v: values, [batch, heads, time, value width].
///   - beta: how much of the value is written, [batch, heads, time].
///   - logDecay: g as in `linearAttention`.
///   - scale: 1 / sqrt(key width) if nil.
///   - initial: the state before the first step, [batch, heads, key width, value width]; zeros if nil.
/// - Returns: y, [batch, heads, time, value width], and the state after the last step.
public func deltaRule(
  queries q: Tensor, keys k: Tensor, values v: Tensor, beta: Tensor, logDecay: Tensor? = nil,
  scale: Double? = nil, initial: Tensor? = nil
) -> (output: Tensor, state: Tensor) {
  attendLinearly(
    "deltaRule", q, k, v, beta: beta, logDecay: logDecay, scale: scale, initial: initial)
}

private func attendLinearly(
  _ name: StaticString, _ q: Tensor, _ k: Tensor, _ v: Tensor, beta: Tensor?, logDecay: Tensor?,
  scale: Double?, initial: Tensor?
) -> (output: Tensor, state: Tensor) {
  precondition(
    q.ndim == 4 && v.ndim == 4 && q.shape == k.shape && q.shape.dropLast() == v.shape.dropLast()
      && q.dim(3) > 0, name,
    "queries \(q.shape), keys \(k.shape) and values \(v.shape) do not fit [batch, heads, time, width]")
  let steps = Array(q.shape.dropLast()), stateShape = [q.dim(0), q.dim(1), q.dim(3), v.dim(3)]
  if let logDecay {
    precondition(
      logDecay.shape == steps || logDecay.shape == q.shape, name,
      "the decay must be \(steps) or \(q.shape), is \(logDecay.shape)")
  }
  if let beta { precondition(beta.shape == steps, name, "beta must be \(steps), is \(beta.shape)") }
  let initial = initial ?? .zeros(stateShape, dtype: q.dtype)
  precondition(
    initial.shape == stateShape, name, "the state must be \(stateShape), is \(initial.shape)")
  let inputs = [q, k, v, initial] + [logDecay, beta].compactMap { $0 }

  let form = LinearAttentionForm(
    name: name, scale: scale ?? 1 / Double(q.dim(3)).squareRoot(), gated: logDecay != nil,
    delta: beta != nil)
  let results = fused(
    name, inputs, reference: form.stepByStep,
    fast: { inputs in
      let run = LinearAttentionRun(inputs, form)
      return ([run.output, run.last], run.gradients)
    })
  return (results[0], results[1])
}

/// Which recurrence it is. Inputs are q, k, v, the initial state, then log decay and beta where they
/// are present.
private struct LinearAttentionForm {
  let name: StaticString
  let scale: Double
  let gated, delta: Bool

  func decay(_ inputs: [Tensor]) -> Tensor? { gated ? inputs[4] : nil }
  func beta(_ inputs: [Tensor]) -> Tensor? { delta ? inputs[gated ? 5 : 4] : nil }

  /// The recurrence as it is written.
  func stepByStep(_ inputs: [Tensor]) -> [Tensor] {
    let time = inputs[0].dim(2)
    var state = inputs[3]
    if time == 0 { return [.zeros(inputs[2].shape, dtype: state.dtype), state] }
    /// [batch, heads, 1, width] for every step.
    func steps(_ x: Tensor) -> [Tensor] { x.split(parts: time, axis: 2) }
    func column(_ x: Tensor) -> Tensor { x.ndim == 3 ? x.expandedDimensions(axis: 3) : x }
    let (q, k, v) = (steps(inputs[0] * scale), steps(inputs[1]), steps(inputs[2]))
    let decays = decay(inputs).map { steps(exp(column($0))) }
    let betas = beta(inputs).map { steps(column($0)) }
    var outputs: [Tensor] = []
    for t in 0..<time {
      if let decays { state = state * decays[t].swappedAxes(2, 3) }
      let written = betas.map { $0[t] * (v[t] - matmul(k[t], state)) } ?? v[t]
      state = state + k[t].swappedAxes(2, 3) * written
      outputs.append(matmul(q[t], state))
    }
    return [concatenated(outputs, axis: 2), state]
  }
}

/// A sequence on its way through the kernel, which takes 16 steps at a time.
private struct LinearAttentionRun {
  private let form: LinearAttentionForm
  private let q, k, v, initial: Tensor
  private let decay, beta: Tensor?
  /// In memory as the values: heads inside steps, if theirs are.
  let output: Tensor
  let last: Tensor
  private let residuals, kept: Tensor?

  /// So many steps that the states kept take about as much memory as the values.
  private static func stepsPerState(_ keyWidth: Int) -> Int { (keyWidth + 15) / 16 * 16 }

  init(_ inputs: [Tensor], _ form: LinearAttentionForm) {
    self.form = form
    (q, k, v) = (inputs[0].rowsTogether, inputs[1].rowsTogether, inputs[2].rowsTogether)
    (initial, decay, beta) = (inputs[3].packed, form.decay(inputs)?.packed, form.beta(inputs)?.packed)
    let (batch, heads, time) = (q.dim(0), q.dim(1), q.dim(2))
    let (keyWidth, valueWidth) = (q.dim(3), v.dim(3))
    output =
      v.strides[1] < v.strides[2]
      ? Tensor(uninitialized: [batch, time, heads, valueWidth], .float32).transposed(0, 2, 1, 3)
      : Tensor(uninitialized: v.shape, .float32)
    last = Tensor(uninitialized: initial.shape, .float32)
    if ThreadState.current.tape != nil {
      let every = Self.stepsPerState(keyWidth), states = (time + every - 1) / every
      kept = Tensor(uninitialized: [batch, heads, states, keyWidth, valueWidth], .float32)
      residuals = form.delta ? Tensor(uninitialized: v.shape, .float32) : nil
    } else {
      (kept, residuals) = (nil, nil)
    }
    ThreadState.count(
      multiplyAccumulates: batch * heads * time * keyWidth * valueWidth * (form.delta ? 3 : 2))
    run(output) {
      callosum_linear_attention(
        $0, output.floats32, residuals?.floats32, kept?.floats32, last.floats32)
    }
  }

  /// Hands the kernel what it needs to know; `y` is the output or its gradient.
  private func run(_ y: Tensor, _ body: (UnsafePointer<callosum_linear_attention_job>) -> Void) {
    var job = callosum_linear_attention_job()
    (job.batch, job.heads, job.time) = (q.dim(0), q.dim(1), q.dim(2))
    (job.key_width, job.value_width) = (q.dim(3), v.dim(3))
    job.q = UnsafePointer(q.floats32)
    job.k = UnsafePointer(k.floats32)
    job.v = UnsafePointer(v.floats32)
    let (sq, sk, sv) = (q.strides, k.strides, v.strides)
    (job.q_batch, job.q_head, job.q_step) = (sq[0], sq[1], sq[2])
    (job.k_batch, job.k_head, job.k_step) = (sk[0], sk[1], sk[2])
    (job.v_batch, job.v_head, job.v_step) = (sv[0], sv[1], sv[2])
    (job.y_batch, job.y_head, job.y_step) = (y.strides[0], y.strides[1], y.strides[2])
    job.initial = UnsafePointer(initial.floats32)
    if let decay {
      job.log_decay = UnsafePointer(decay.floats32)
      job.decay_of_channels = decay.ndim == 4
    }
    if let beta { job.beta = UnsafePointer(beta.floats32) }
    job.scale = Float(form.scale)
    job.kept_every = Self.stepsPerState(q.dim(3))
    body(&job)
  }

  func gradients(_ arriving: [Tensor?], _ needsGradient: NeedsGradient) -> [Tensor?] {
    guard let kept else { preconditionFailure(form.name, "nothing was kept for a derivative") }
    let gy = (arriving[0] ?? .zeros(output.shape)).rowsTogether
    let glast = arriving[1]?.packed
    let main = mirrored([q, k, v])
    let rest = [initial, decay, beta].map { $0.map { Tensor(uninitialized: $0.shape, .float32) } }
    run(gy) {
      callosum_linear_attention_backward(
        $0, residuals?.floats32, kept.floats32, gy.floats32, glast?.floats32, main[0].floats32,
        main[1].floats32, main[2].floats32, rest[1]?.floats32, rest[2]?.floats32, rest[0]?.floats32)
    }
    return main + rest.compactMap { $0 }
  }
}
