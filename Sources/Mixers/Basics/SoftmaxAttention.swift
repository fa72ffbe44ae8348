import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Multi-head softmax attention (Vaswani et al. 2017, equations 1 and 2):
/// head_i = softmax(Q_i K_iᵀ / sqrt(width / heads)) V_i, y = [head_1 ... head_h] W_O, where Q, K, V are
/// linear maps of the tokens.
///
/// Keys and values come from `context` [batch, contextTokens, width] where one is given (cross-attention).
/// `contextMask` [batch, contextTokens] holds 0 for what is not there of it. `segments` [batch, tokens] are for
/// rows with padding or several sequences (``TokenSegments``). With a `window` a token sees that many tokens,
/// itself the last of them, and their keys and values are carried from one call to the next (a key-value cache):
/// `keys` and `values` [batch, heads, window - 1, width / heads], the latest last, and how many of them there are,
/// `seen` [batch].
///
/// Parameters: `attention.qkv.weight` [3 width, width] (rows: queries, keys, values; within each the
/// heads one after the other), `attention.qkv.bias` [3 width], `attention.projection.weight`
/// [width, width], `attention.projection.bias` [width].
public final class SoftmaxAttention: TokenMixer {
  public struct Settings: Configuration {
    /// Heads that share the width equally.
    public var heads = 4
    /// Whether the linear maps add a bias.
    public var bias = true
    /// Whether a token sees no later token.
    public var causal = false
    /// Tokens that a token of causal attention sees, itself among them, over calls too; 0 for all of its own call
    /// and none of earlier ones.
    public var window = 0
    /// Share of the attention weights that training leaves out, from 0 to below 1.
    public var dropout = 0.0
    public init() {}

    public func validate() throws {
      try require(heads > 0, "heads must be at least 1, is \(heads)")
      try require(
        window != 1 && (0...1_000_000).contains(window), "window must be 0 or from 2 to 1000000, is \(window)"
      )
      try require(window == 0 || causal, "only causal attention has a window; set causal")
      try require(dropout >= 0 && dropout < 1, "dropout must be in 0..<1, is \(dropout)")
      try require(window == 0 || dropout == 0, "attention with a window has no dropout; leave it at 0")
    }
  }

  public static let card = Card(
    id: "softmax-attention", name: "Softmax self-attention", family: .mixers,
    paper: Paper(
      "Attention Is All You Need",
      by: [
        "Ashish Vaswani", "Noam Shazeer", "Niki Parmar", "Jakob Uszkoreit", "Llion Jones",
        "Aidan N. Gomez", "Łukasz Kaiser", "Illia Polosukhin",
      ],
      year: 2017, link: "https://arxiv.org/abs/1706.03762"),
    summary: "Every token asks all others how well their key fits its query, and takes the average of "
      + "their values with those weights. The cost grows with the square of the tokens.",
    verification:
      "PyTorch's scaled_dot_product_attention and MultiheadAttention with padding, packed sequences "
      + "and a context: values and gradients; a whole network for 20 steps"
  )

  public static var trials: [Trial<Settings>] {
    var unbiased = Settings(), causal = Settings()
    (unbiased.heads, unbiased.bias) = (1, false)
    (causal.heads, causal.causal) = (7, true)
    var cached = Settings()
    (cached.heads, cached.causal, cached.window) = (7, true, 4)
    return [unbiased, causal, cached].map { Trial($0, in: Slot(width: 7, tokens: 15)) }
  }

  public let attention: MultiHeadAttention
  public let isCausal: Bool
  public var takesAnyLength: Bool { true }
  private let window: Int
  private let width: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    try require(
      slot.width % settings.heads == 0,
      "softmax-attention: width \(slot.width) does not divide into \(settings.heads) heads")
    (isCausal, window, width) = (settings.causal, settings.window, slot.width)
    attention = MultiHeadAttention(
      slot.width, heads: settings.heads, causal: settings.causal, bias: settings.bias,
      dropout: settings.dropout,
      using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor {
    window == 0 ? attention(x) : forward(x, initialState(batch: x.dim(0))).output
  }

  // MARK: Masks and context

  public var besides: [TensorPort] {
    if window > 0 { return [] }
    let context: [TensorPort.Extent] = [.free("batch"), .free("contextTokens")]
    let cross = [
      TensorPort("context", context + [.fixed(width)], isOptional: true),
      TensorPort("contextMask", context, .indices(below: 2), isOptional: true),
    ]
    return [.segments] + (isCausal ? [] : cross)
  }

  public func forward(
    _ x: Tensor, _ state: State, besides: [String: Tensor]
  ) -> (output: Tensor, state: State) {
    guard let context = besides["context"] else {
      precondition(besides["contextMask"] == nil, "SoftmaxAttention", "a contextMask needs a context")
      return (besides["segments"].map { attention(x, segments: TokenSegments($0)) } ?? attention(x), state)
    }
    precondition(
      besides["segments"] == nil, "SoftmaxAttention", "takes segments or a context, not both")
    return (attention(x, context: context, contextMask: besides["contextMask"].map { $0 .> 0 }), state)
  }

  // MARK: Cache

  public func initialState(batch: Int) -> State {
    window == 0 ? State() : attention.cache(batch: batch, window: window)
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    window == 0 ? (attention(x), state) : attention(x, window: window, after: state)
  }
}
