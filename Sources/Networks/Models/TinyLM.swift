import CallosumTensors

/// A small causal language model in the style of Llama, for looking inside: tokens [batch, tokens] (int32) ->
/// logits of the next token [batch, tokens, vocabulary].
///
/// Each block computes x + attention(norm1(x)), then x + mlp(norm2(x)), with ``RotaryAttention``,
/// ``SwiGLU`` and ``RMSNorm``; a last norm and a linear map make the logits. Parameters: `embedding.weight`
/// [vocabulary, width], `blocks.N.norm1`, `.attention`, `.norm2`, `.mlp`, `norm.weight`, and `head.weight`
/// [vocabulary, width] where it is not the embedding. To be read and changed by hooks: `blocks.N.residual` (the
/// stream behind a block), `blocks.N.attention.weights`, `.attention.heads`, `blocks.N.mlp`, `.mlp.inner`.
public final class TinyLM: Module {
  public struct Settings: Codable, Sendable, Equatable {
    /// Different tokens.
    public var vocabulary: Int
    /// Numbers per token.
    public var width = 48
    /// Blocks.
    public var layers = 2
    /// Heads of attention that share the width equally.
    public var heads = 8
    /// Hidden units of the gated feed-forward networks.
    public var hidden = 128
    /// Base of the rotary position embedding's wavelengths.
    public var base = 10_000.0
    /// Whether the embedding is the output map too.
    public var isTied = false
    public init(vocabulary: Int) { self.vocabulary = vocabulary }
  }

  public final class Block: StatefulLayer {
    public let norm1, norm2: RMSNorm
    public let attention: RotaryAttention
    public let mlp: SwiGLU

    init(_ settings: Settings, using generator: inout RandomGenerator) {
      (norm1, norm2) = (RMSNorm(settings.width), RMSNorm(settings.width))
      attention = RotaryAttention(
        settings.width, heads: settings.heads, base: settings.base, using: &generator)
      mlp = SwiGLU(settings.width, hidden: settings.hidden, using: &generator)
    }

    public func initialState(batch: Int) -> State { attention.initialState(batch: batch) }

    public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
      let (mixed, after) = attention(norm1(x), state)
      let x = x + mixed
      return (signal("residual", x + mlp(norm2(x))), after)
    }
  }

  public let embedding: Embedding
  public let blocks: [Block]
  public let norm: RMSNorm
  public let head: Linear?
  public let settings: Settings

  public init(_ settings: Settings, using generator: inout RandomGenerator) {
    self.settings = settings
    // Vectors of length 1: larger ones would drown what the blocks add at first.
    let deviation = 1 / Double(settings.width).squareRoot()
    embedding = Embedding(
      settings.vocabulary, settings.width, initialiser: .normal(standardDeviation: deviation),
      using: &generator)
    blocks = (0..<settings.layers).map { _ in Block(settings, using: &generator) }
    norm = RMSNorm(settings.width)
    head =
      settings.isTied
      ? nil : Linear(settings.width, settings.vocabulary, bias: false, using: &generator)
  }

  public func callAsFunction(_ tokens: Tensor) -> Tensor {
    self(tokens, initialStates(batch: tokens.dim(0))).logits
  }

  /// The keys and values of no token, for each block.
  public func initialStates(batch: Int) -> [State] { blocks.map { $0.initialState(batch: batch) } }

  /// Tokens that follow those whose keys and values the states hold.
  public func callAsFunction(_ tokens: Tensor, _ states: [State]) -> (logits: Tensor, states: [State]) {
    running {
      precondition(
        tokens.ndim == 2 && states.count == blocks.count, "TinyLM",
        "needs tokens [batch, tokens] and \(blocks.count) states, got \(tokens.shape) and \(states.count)")
      var x = embedding(tokens)
      var after: [State] = []
      for (block, state) in zip(blocks, states) {
        let (y, next) = block(x, state)
        x = y
        after.append(next)
      }
      return (logits(of: x), after)
    }
  }

  /// Logits of vectors of the residual stream [..., width]: the last norm and the output map.
  public func logits(of x: Tensor) -> Tensor {
    let x = norm(x)
    return head.map { $0(x) } ?? linear(x, weight: embedding.weight)
  }
}
