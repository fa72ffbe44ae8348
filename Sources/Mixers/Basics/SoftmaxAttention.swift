import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Multi-head softmax attention (Vaswani et al. 2017, equations 1 and 2):
/// head_i = softmax(Q_i K_iᵀ / sqrt(width / heads)) V_i, y = [head_1 ... head_h] W_O, where Q, K, V are
/// linear maps of the tokens.
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
    public init() {}

    public func validate() throws { try require(heads > 0, "heads must be at least 1, is \(heads)") }
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
    verification: "PyTorch's scaled_dot_product_attention: values and gradients; a whole network for 20 steps"
  )

  public static var trials: [Trial<Settings>] {
    var unbiased = Settings(), causal = Settings()
    (unbiased.heads, unbiased.bias) = (1, false)
    (causal.heads, causal.causal) = (7, true)
    return [unbiased, causal].map { Trial($0, in: Slot(width: 7, tokens: 15)) }
  }

  public let attention: MultiHeadAttention
  public let isCausal: Bool
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    try require(
      slot.width % settings.heads == 0,
      "softmax-attention: width \(slot.width) does not divide into \(settings.heads) heads")
    isCausal = settings.causal
    attention = MultiHeadAttention(
      slot.width, heads: settings.heads, causal: settings.causal, bias: settings.bias, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { attention(x) }
}
