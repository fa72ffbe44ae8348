import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// A memory that learns while it reads (Titans; Behrouz, Zhong and Mirrokni 2024, sections 3.1 and 3.2). The
/// memory is a small network M, an MLP of `depth` matrices; its weights are the state, and every token
/// is one step of gradient descent with momentum and forgetting on how badly M recalls it:
///
///     k, v, q = SiLU(conv(x W)),  k and q divided by their length
///     theta = largestRate sigmoid(.),  eta = sigmoid(.),  alpha = sigmoid(.)      linear maps of x
///     S_t = eta_t S_(t-1) - theta_t d|M(k_t) - v_t|² / dM
///     M_t = (1 - alpha_t) M_(t-1) + S_t,   y_t = M_t(q_t)
///
/// Tokens are taken in chunks of `chunk`: gradients are those at the weights with which the chunk began,
/// everything else is token by token. `TitansStep` says how a chunk becomes matrix products.
///
/// As the paper writes it, nothing holds such a memory steady. A surprise adds up to theta / (1 - eta) in the
/// end, so eta near 1 carries weights on; and the curvature of the loss grows with a deep memory's own weights,
/// so no constant bound of theta is small enough. Users of titans-pytorch see the same (its issues 22, 29 and
/// 53). Relative steps (`step`) give theta as a share of the largest step that is safe:
///
///     theta = largestRate sigmoid(.) (1 - eta) / c,   c = sum over l of |a_l|² product over m > l of |f'_m W_m|²
///
/// where a_l is what enters layer l, f'_m the slopes of the activations before layer m, and |.| the Frobenius
/// norm. 1 - eta makes momentum a running mean of surprises: with a constant eta and largestRate
/// 1 / (2 chunk) a linear memory then is steady for every eta below 1, with a factor of two to spare. c is no
/// less than the largest eigenvalue of J Jᵀ, J the derivative of M(k) by all weights (normalised least mean
/// squares; Gauss-Newton), so that a chunk of equal tokens corrects at most all of its error; it is 1 in a
/// linear memory. Both are exact for a quadratic loss; in deep memories they hold to first order in the step.
/// One and two layers stay steady in all that is tried (TitansTests); three do not: where their weights
/// have faded, what is recalled can shoot up to thousands of lengths of a value before c holds it. An eta made
/// to swing in time with a memory could still pump it.
///
/// Parameters: `projection.weight` [3 heads size, width] (rows: queries, keys, values; within each the heads),
/// `convolution.weight` [3 heads size, kernel, 1], `rates.weight` [(1 to 3) heads, width] with a bias (rows:
/// theta, eta, alpha), `start.L.value` [inputs, outputs] (the weights before the first token, learned) and, with
/// several heads or where size and outputWidth differ, `output.weight`. Several heads make `start.L.value` and
/// what the state holds of weights [heads, inputs, outputs], and have a `gate.weight` [heads, width]. State:
/// `weights.L`, `momentum.L` and, for chunks of more than one token, `origin.L` [batch, inputs, outputs]; `tail`
/// [batch, kernel - 1, 3 heads size], what the convolution still needs; `place` [batch], that of the next token
/// in its chunk, from 1, for each row by itself.
///
/// The paper leaves open: the activation between layers (GELU, as lucidrains' titans-pytorch has it), the
/// width of the hidden layers, the order of convolution and SiLU (as in Mamba) and where the rates start.
public final class Titans: Memory {
  public enum Step: String, Codable, Sendable, CaseIterable {
    case absolute, relative
  }

  public struct Settings: Configuration {
    /// Matrices of the memory; 1 is a linear memory.
    public var depth = 2
    /// Width of hidden layers in widths of a key.
    public var expansion = 4
    /// Tokens whose gradients are taken at the same weights.
    public var chunk = 8
    /// Numbers in a key and in a value of a head; 0 for its equal share of the width of the slot.
    public var size = 0
    /// Tokens that the convolutions of queries, keys and values see; 1 leaves them out.
    public var kernel = 4
    /// Whether surprise lasts beyond its token: eta, otherwise 0.
    public var momentum = true
    /// Whether weights fade: alpha, otherwise 0.
    public var forgetting = true
    /// What theta counts in: by itself, as in the paper, or in safe steps.
    ///
    /// Absolute steps die: with these settings' other defaults what is recalled has shrunk to nothing after a
    /// thousand tokens, since gradients vanish with the weights that forgetting takes, and the step with them.
    public var step = Step.relative
    /// Memories beside one another, each with weights, keys, values and rates of its own, as titans-pytorch has
    /// them: what a head recalls is multiplied by a gate of the token, sigmoid(w x), and `output` mixes heads.
    public var heads = 1
    /// The bound of theta; 0 for 1 / (2 chunk) with relative steps and in a linear memory without momentum,
    /// and for 1 / (32 max(chunk, 2)) in others.
    ///
    /// The gradients of a chunk add up: where all its keys are equal, as for
    /// a token that fills gaps, larger rates overshoot. Momentum multiplies them by up to 1 / (1 - eta), and
    /// the curvature of deeper memories grows with their values: 1 / (2 chunk) drives both to infinity. The
    /// smaller bound was found by trial with values of length 5 and eta of 0.9; nothing guarantees it for
    /// larger ones; relative steps do.
    public var largestRate = 0.0
    /// A soft bound of each token's gradient by each matrix (Euclidean norm), g / sqrt(1 + |g|² / bound²);
    /// 0 for none, as in the paper.
    ///
    /// titans-pytorch has a bound too. It keeps a memory with too large a theta
    /// finite, not steady.
    public var largestSurprise = 0.0
    /// Where theta starts, before it depends on the token, as a share of its bound.
    public var rateStart = 0.5
    /// Where eta, the share of surprise that lasts a token, starts.
    public var momentumStart = 0.5
    /// Where alpha, the share of the weights that fades with a token, starts.
    public var forgettingStart = 0.01
    public init() {}

    var rateBound: Double {
      if largestRate > 0 { return largestRate }
      let isSafe = step == .relative || (depth == 1 && !momentum)
      return isSafe ? 0.5 / Double(chunk) : 1 / (32 * Double(max(chunk, 2)))
    }

    public func validate() throws {
      for (name, value) in [
        ("depth", depth), ("expansion", expansion), ("chunk", chunk), ("kernel", kernel), ("heads", heads),
      ] {
        try require((1...10_000).contains(value), "\(name) must be from 1 to 10000, is \(value)")
      }
      try require((0...100_000).contains(size), "size must be from 0 to 100000, is \(size)")
      try require(
        largestRate >= 0 && largestRate.isFinite, "largestRate must be at least 0, is \(largestRate)")
      try require(
        largestSurprise >= 0 && largestSurprise.isFinite,
        "largestSurprise must be at least 0, is \(largestSurprise)")
      for (name, value) in [
        ("rateStart", rateStart), ("momentumStart", momentumStart), ("forgettingStart", forgettingStart),
      ] {
        try require(value > 0 && value < 1, "\(name) must be between 0 and 1, is \(value)")
      }
    }
  }

  public static let card = Card(
    id: "titans", name: "Neural memory", family: .memory,
    paper: Paper(
      "Titans: Learning to Memorize at Test Time",
      by: ["Ali Behrouz", "Peilin Zhong", "Vahab Mirrokni"],
      year: 2024, link: "https://arxiv.org/abs/2501.00663"),
    summary: "The memory is a small network whose weights are rewritten while a sequence is read: each "
      + "token is a step of gradient descent, with momentum and forgetting, on how badly it is recalled.",
    verification: "lucidrains' titans-pytorch (commit cc016eb), its gradients taken at the weights of the "
      + "chunk's start and its loss summed, one head and several: outputs and gradients; the delta rule as the linear case"
  )

  public static var trials: [Trial<Settings>] {
    var linear = Settings(), deep = Settings(), heads = Settings()
    (linear.depth, linear.chunk, linear.kernel, linear.momentum) = (1, 1, 1, false)
    (deep.depth, deep.expansion, deep.chunk, deep.size, deep.kernel) = (3, 2, 3, 3, 2)
    (deep.forgetting, deep.rateStart, deep.largestSurprise) = (false, 0.3, 0.5)
    (linear.step, heads.step, heads.expansion, heads.chunk, heads.heads) = (.absolute, .absolute, 1, 3, 2)
    return [
      Trial(linear, in: Slot(width: 5, outputWidth: 4, tokens: 3)),
      Trial(deep, in: Slot(width: 6, tokens: 7)), Trial(heads, in: Slot(width: 4, tokens: 7)),
    ]
  }

  /// One matrix of the memory at the start.
  public final class Start: Module {
    @Parameter public var value: Tensor
    init(_ value: Tensor) { self.value = value }
  }

  public let projection, rates: Linear
  public let gate: Linear?
  public let convolution: Conv1d?
  public let start: [Start]
  public let output: Linear?
  public let settings: Settings
  let size, heads: Int

  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    (heads, size) = (settings.heads, settings.size > 0 ? settings.size : slot.width / settings.heads)
    try require(
      settings.size > 0 || slot.width % heads == 0,
      "titans: width \(slot.width) does not divide into \(heads) heads; give size")
    let streams = 3 * heads * size
    projection = Linear(slot.width, streams, bias: false, using: &generator)
    convolution =
      settings.kernel > 1
      ? Conv1d(streams, streams, kernel: settings.kernel, groups: streams, bias: false, using: &generator)
      : nil
    var starts = [settings.rateStart]
    if settings.momentum { starts.append(settings.momentumStart) }
    if settings.forgetting { starts.append(settings.forgettingStart) }
    rates = Linear(slot.width, starts.count * heads, using: &generator)
    let heads = heads, size = size
    rates.bias = Tensor(starts.flatMap { Array(repeating: Float(log($0 / (1 - $0))), count: heads) })
    let hidden = settings.expansion * size
    start = (0..<settings.depth).map { layer in
      let inputs = layer == 0 ? size : hidden, outputs = layer == settings.depth - 1 ? size : hidden
      return Start(
        Initialiser.xavierUniform().values(
          (heads > 1 ? [heads] : []) + [inputs, outputs], fanIn: inputs, fanOut: outputs, using: &generator))
    }
    output =
      heads == 1 && size == slot.outputWidth
      ? nil : Linear(heads * size, slot.outputWidth, bias: false, using: &generator)
    gate = heads > 1 ? Linear(slot.width, heads, bias: false, using: &generator) : nil
  }

  // MARK: State

  public func initialState(batch: Int) -> State {
    var state = State(["place": .ones([batch])])
    let type = projection.weight.dtype
    if settings.kernel > 1 {
      state["tail"] = .zeros([batch, settings.kernel - 1, 3 * heads * size], dtype: type)
    }
    for (layer, matrix) in start.enumerated() {
      let weights = matrix.value.expandedDimensions(axis: 0).broadcast(to: [batch] + matrix.value.shape)
      state["weights.\(layer)"] = weights
      if settings.chunk > 1 { state["origin.\(layer)"] = weights }
      if settings.momentum { state["momentum.\(layer)"] = .zeros(weights.shape, dtype: type) }
    }
    return state
  }

  /// The memories of a state whose rows are all at `place` of their chunk, from 1.
  private func step(_ state: State, place: Int) -> TitansStep {
    /// [batch, heads, inputs, outputs], or [batch, inputs, outputs] of one head -> heads of rows one after the other
    func layers(_ name: String) -> [Tensor] {
      start.indices.map {
        heads == 1 ? state["\(name).\($0)"] : state["\(name).\($0)"].flattened(start: 0, end: 1)
      }
    }
    let weights = layers("weights")
    return TitansStep(
      weights: weights, momentum: settings.momentum ? layers("momentum") : nil,
      origin: settings.chunk > 1 ? layers("origin") : weights, place: place - 1,
      chunk: settings.chunk, isRelative: settings.step == .relative,
      largestSurprise: settings.largestSurprise)
  }

  private func updated(_ state: State, by step: TitansStep) -> State {
    var state = state
    func own(_ x: Tensor) -> Tensor {
      heads == 1 ? x : x.reshaped([x.dim(0) / heads, heads] + x.shape.dropFirst())
    }
    for layer in start.indices {
      state["weights.\(layer)"] = own(step.weights[layer])
      if settings.chunk > 1 { state["origin.\(layer)"] = own(step.origin[layer]) }
      if let momentum = step.momentum { state["momentum.\(layer)"] = own(momentum[layer]) }
    }
    state["place"] = .full(state["place"].shape, Double(step.place + 1), dtype: state["place"].dtype)
    return state
  }

  /// `body` for rows that are at the same place of their chunk, from 1.
  func byPlace(
    _ inputs: [Tensor], _ state: State, place name: String = "place",
    _ body: ([Tensor], State, _ place: Int) -> (outputs: [Tensor], state: State)
  ) -> (outputs: [Tensor], state: State) {
    state.byCount(name, in: 1...settings.chunk, "Titans", inputs, body)
  }

  // MARK: Reading and writing

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    var state = state
    let parts = projected(x, &state).split(parts: 3, axis: 2)
    let tokens = [normalised(parts[1]), parts[2], normalised(parts[0]), rates(x)]
    let (recalled, after) = byPlace(tokens, state) { tokens, state, place in
      var step = step(state, place: place)
      let parts = tokens.dropLast().map(ofHeads)
      let y = step.run(
        keys: parts[0], values: parts[1], TitansGates(tokens[3], settings), queries: parts[2])
      return ([fromHeads(y)], updated(state, by: step))
    }
    var y = recalled[0]
    if let gate {
      let shares = sigmoid(gate(x)).expandedDimensions(axis: 3)
      y = (y.reshaped(x.dim(0), x.dim(1), heads, size) * shares).reshaped(y.shape)
    }
    return (output.map { $0(y) } ?? y, after)
  }

  /// [batch, count, heads size] -> [batch heads, count, size]
  private func ofHeads(_ x: Tensor) -> Tensor {
    heads == 1
      ? x
      : x.reshaped(x.dim(0), x.dim(1), heads, size).transposed(0, 2, 1, 3)
        .reshaped(x.dim(0) * heads, x.dim(1), size)
  }

  private func fromHeads(_ x: Tensor) -> Tensor {
    heads == 1
      ? x
      : x.reshaped(x.dim(0) / heads, heads, x.dim(1), size).transposed(0, 2, 1, 3)
        .reshaped(x.dim(0) / heads, x.dim(1), heads * size)
  }

  /// SiLU of the projections, [batch, tokens, 3 size]; the convolution's tail goes on.
  private func projected(_ x: Tensor, _ state: inout State) -> Tensor {
    let mixed = projection(x)
    guard let convolution else { return silu(mixed) }
    let history = concatenated([state["tail"], mixed], axis: 1)
    state["tail"] = history.sliced(axis: 1, from: history.dim(1) - settings.kernel + 1)
    return silu(convolution(history))
  }

  /// Each head's part of the rows at length 1; those of length 0 stay 0.
  func normalised(_ x: Tensor) -> Tensor {
    func unit(_ x: Tensor) -> Tensor { x * rsqrt(square(x).sum(axis: -1, keepDims: true) + 1e-12) }
    return heads == 1 ? unit(x) : unit(x.reshaped(x.shape.dropLast() + [heads, size])).reshaped(x.shape)
  }

  /// What the memory's network gives for `queries` [batch, count, heads size] as they are: keys have length 1
  /// in each head.
  public func read(_ queries: Tensor, from state: State) -> Tensor { read(queries, from: state, "weights") }

  /// The same by the weights with which the present chunk began; by the latest where a chunk begins.
  func readOrigin(_ queries: Tensor, from state: State, place: Int) -> Tensor {
    read(queries, from: state, settings.chunk == 1 || place == 1 ? "weights" : "origin")
  }

  private func read(_ queries: Tensor, from state: State, _ name: String) -> Tensor {
    let layers = start.indices.map {
      heads == 1 ? state["\(name).\($0)"] : state["\(name).\($0)"].flattened(start: 0, end: 1)
    }
    return fromHeads(
      layers.dropFirst().reduce(matmul(ofHeads(queries), layers[0])) { matmul(gelu($0), $1) })
  }

  /// Learns the pairs one after the other, with the rates that a token of zeros has.
  public func write(keys: Tensor, values: Tensor, to state: State) -> State {
    byPlace([keys, values], state) { pairs, state, place in
      let plain = Tensor.zeros([pairs[0].dim(0), pairs[0].dim(1), rates.weight.dim(1)], dtype: keys.dtype)
      var step = step(state, place: place)
      _ = step.run(
        keys: ofHeads(pairs[0]), values: ofHeads(pairs[1]), TitansGates(rates(plain), settings), queries: nil)
      return ([], updated(state, by: step))
    }.state
  }
}

/// How each token is learned: all [batch heads, tokens, 1].
struct TitansGates {
  /// theta.
  let rate: Tensor
  /// eta, and 1 - alpha; nil for 0 and 1.
  let momentum, kept: Tensor?

  /// `logits` [batch, tokens, kinds of rates times heads].
  init(_ logits: Tensor, _ settings: Titans.Settings) {
    let heads = settings.heads
    var columns = logits.split(parts: logits.dim(-1) / heads, axis: -1)[...]
    if heads > 1 {
      columns = columns.map { $0.swappedAxes(1, 2).reshaped(logits.dim(0) * heads, logits.dim(1), 1) }[...]
    }
    let share = sigmoid(columns.removeFirst()) * settings.rateBound
    let eta = settings.momentum ? columns.removeFirst() : nil
    momentum = eta.map { sigmoid($0) }
    // 1 - eta keeps its digits where eta is close to 1.
    rate = settings.step == .relative ? eta.map { share * sigmoid(-$0) } ?? share : share
    kept = settings.forgetting ? sigmoid(-columns.removeFirst()) : nil
  }

  init(rate: Tensor, momentum: Tensor?, kept: Tensor?) {
    (self.rate, self.momentum, self.kept) = (rate, momentum, kept)
  }

  func tokens(_ range: Range<Int>) -> TitansGates {
    func part(_ x: Tensor) -> Tensor { x.sliced(axis: 1, from: range.lowerBound, to: range.upperBound) }
    return TitansGates(rate: part(rate), momentum: momentum.map(part), kept: kept.map(part))
  }
}
