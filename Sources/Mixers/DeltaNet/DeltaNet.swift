import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Linear attention whose state is written by the delta rule (Yang et al. 2024, DeltaNet). For each head
///
///     S_t = S_(t-1) + beta_t k_t (v_t - S_(t-1)ᵀ k_t)ᵀ,   o_t = S_tᵀ q_t / sqrt(keyWidth),
///
/// so that a key that is written again gives up its old value. q, k, v are linear maps of the tokens x
/// [batch, tokens, width] through a short causal convolution of each channel and SiLU; q and k are then
/// brought to length 1 within each head, and beta = sigmoid(w x) is between 0 and 1. The result is
/// W_O of the heads' RMSNorm(o). ``HeadStreams`` makes q, k and v; the state is kept by `deltaRule`, in
/// chunks of 16 tokens (section 3.2), or token by token in float64.
///
/// The state carried is `memory`, S [batch, heads, keyWidth, valueWidth], and, with a convolution,
/// `recent`, the last window - 1 tokens of what it convolves.
///
/// Parameters: those of `streams`, `beta.weight` [heads, width], `gate.weight` [heads valueWidth, width],
/// `norm.weight` [valueWidth], `output.weight` [outputWidth, heads valueWidth].
///
/// Rows may hold padding or several sequences: `segments` [batch, tokens], see ``TokenSegments``.
///
/// `rule` puts a state without correction in its place, S_t = gamma S_(t-1) + k_t v_tᵀ, for comparison:
/// with gamma 1, or with a fixed gamma for each head, 1 - 2^(-5 - head) (RetNet, Sun et al. 2023).
public final class DeltaNet: TokenMixer {
  public enum Rule: String, Codable, Sendable, CaseIterable {
    case delta, additive, retention
  }

  public struct Settings: Configuration {
    /// How the state is written: with the correction, without, or without and fading.
    public var rule = Rule.delta
    /// Queries, keys and values.
    public var streams = HeadStreams.Settings()
    /// Whether beta is learned; 1 otherwise.
    public var learnedBeta = true
    /// Doubles beta, so that a write may turn a key's content round (Grazzi et al. 2024).
    public var negativeEigenvalues = false
    /// Whether what is read passes a gate, silu(W_G x), after its normalisation.
    public var gate = false
    public init() {}

    public func validate() throws {
      try streams.validate()
      try require(
        rule == .delta || !negativeEigenvalues, "only the delta rule has eigenvalues that can be negative")
    }
  }

  public static let card = Card(
    id: "delta-net", name: "DeltaNet", family: .mixers,
    paper: Paper(
      "Parallelizing Linear Transformers with the Delta Rule over Sequence Length",
      by: ["Songlin Yang", "Bailin Wang", "Yu Zhang", "Yikang Shen", "Yoon Kim"],
      year: 2024, link: "https://arxiv.org/abs/2406.06484"),
    summary: "Linear attention as a memory that can be overwritten: before a value is stored under a key, "
      + "what the key gave is taken away. Time is linear in the length, the state of fixed size.",
    verification:
      "flash-linear-attention's naive delta rule (commit bc3b101) and its layer around it, padding "
      + "and packed sequences too: outputs, states and gradients; exact recall of orthonormal keys")

  public static var trials: [Trial<Settings>] {
    var all = Settings(), bare = Settings(), fading = Settings()
    (all.streams.heads, all.streams.keyWidth, all.streams.valueWidth) = (3, 5, 2)
    (all.streams.window, all.streams.bias, all.gate, all.negativeEigenvalues) = (2, true, true, true)
    (bare.streams.heads, bare.streams.window, bare.learnedBeta) = (1, 0, false)
    (bare.streams.activation, bare.streams.normalisation) = (.elu, .sum)
    (fading.rule, fading.streams.heads, fading.streams.window) = (.retention, 2, 7)
    return [
      Trial(all, in: Slot(width: 7, outputWidth: 4, tokens: 19)), Trial(bare, in: Slot(width: 3, tokens: 5)),
      Trial(fading, in: Slot(width: 6, tokens: 3)),
    ]
  }

  public let streams: HeadStreams
  public let beta: Linear?
  public let gate: Linear?
  public let norm: RMSNorm
  public let output: Linear
  private let settings: Settings
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    streams = try HeadStreams(settings.streams, width: slot.width, part: Self.card.id, using: &generator)
    let heads = settings.streams.heads
    func map(_ outputs: Int) -> Linear { Linear(slot.width, outputs, bias: false, using: &generator) }
    beta = settings.rule == .delta && settings.learnedBeta ? map(heads) : nil
    gate = settings.gate ? map(heads * streams.valueWidth) : nil
    norm = RMSNorm(streams.valueWidth)
    output = Linear(heads * streams.valueWidth, slot.outputWidth, bias: false, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    var state = State([
      "memory": .zeros([batch, settings.streams.heads, streams.keyWidth, streams.valueWidth])
    ])
    if let recent = streams.initialRecent(batch: batch) { state["recent"] = recent }
    return state
  }

  public func forward(_ x: Tensor) -> Tensor { forward(x, initialState(batch: x.dim(0))).output }

  public var besides: [TensorPort] { [.segments] }

  public func forward(
    _ x: Tensor, _ state: State, besides: [String: Tensor]
  ) -> (output: Tensor, state: State) {
    guard let segments = besides["segments"].map(TokenSegments.init) else { return forward(x, state) }
    let before = segments.initial(state, fresh: initialState(batch: 1).mapped { $0.asType(x.dtype) })
    let (y, after) = forward(segments.gathered(x), before, among: segments)
    return (segments.scattered(y), segments.final(after, before: state))
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    forward(x, state, among: nil)
  }

  private func forward(
    _ x: Tensor, _ state: State, among segments: TokenSegments?
  ) -> (output: Tensor, state: State) {
    let before = state.mapped { $0.asType(x.dtype) }
    let parts = streams(x, after: before.tensors["recent"], segments: segments)
    let (read, memory) = remembered(parts.q, parts.k, parts.v, x, before["memory"], segments)
    var y = norm(read.transposed(0, 2, 1, 3)).flattened(start: 2)
    if let gate { y = y * silu(gate(x)) }
    var after = State(["memory": memory])
    if let recent = parts.recent { after["recent"] = recent }
    return (output(y), after)
  }

  /// What the queries read while keys and values are written, and the state afterwards.
  private func remembered(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ x: Tensor, _ memory: Tensor, _ segments: TokenSegments?
  ) -> (Tensor, Tensor) {
    let steps = Array(q.shape.dropLast())
    /// After the end of its sequence a token writes nothing and lets nothing fade.
    func ended(_ x: Tensor) -> Tensor {
      segments.map { $0.cut(x.swappedAxes(1, 2)).swappedAxes(1, 2) } ?? x
    }
    let k = ended(k)
    switch settings.rule {
    case .delta:
      var strength = beta.map { sigmoid($0(x)).swappedAxes(1, 2) } ?? .ones(steps, dtype: x.dtype)
      if settings.negativeEigenvalues { strength = strength * 2 }
      return deltaRule(queries: q, keys: k, values: v, beta: strength, initial: memory)
    case .additive:
      return linearAttention(queries: q, keys: k, values: v, initial: memory)
    case .retention:
      let gammas = (0..<steps[1]).map { 1 - Double(sign: .plus, exponent: -5 - $0, significand: 1) }
      let decay = log(Tensor(gammas)).asType(x.dtype).reshaped(1, steps[1], 1).broadcast(to: steps)
      return linearAttention(queries: q, keys: k, values: v, logDecay: ended(decay), initial: memory)
    }
  }
}
