import CallosumNetworks
import CallosumTensors

/// One attention head of a network, counted from 0.
public struct Head: Hashable, Sendable, Codable {
  public let layer, head: Int
  public init(_ layer: Int, _ head: Int) { (self.layer, self.head) = (layer, head) }
}

/// Attention heads that are put out of work.
///
/// The code released with "Retrieval Head Mechanistically Explains Long-Context Factuality" sets queries (or
/// scores) to 0, which makes a head look everywhere alike; where it does so behind the causal mask, at later
/// tokens too. Here uniform weights stay causal.
public struct HeadMask {
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// The head's output is 0.
    case zero
    /// The head puts out what it does on average.
    case mean
    /// The head looks at all tokens up to its own alike.
    case uniform
  }

  public let heads: Set<Head>
  public let mode: Mode
  /// Whether heads are masked while the prompt is read, or only while the answer is written.
  public let inPrompt: Bool
  /// Mean output [heads, width] of each layer's heads, for the mode mean.
  public let means: [Tensor]

  public init(_ heads: Set<Head>, mode: Mode = .zero, inPrompt: Bool = false, means: [Tensor] = []) {
    (self.heads, self.mode, self.inPrompt, self.means) = (heads, mode, inPrompt, means)
  }

  /// The mean outputs of all heads on some tokens [batch, tokens].
  public static func means(of model: TinyLM, on tokens: Tensor) -> [Tensor] {
    let names = model.blocks.indices.map { "blocks.\($0).attention.heads" }
    let read = model.reading(names) { model(tokens) }.activations
    return names.compactMap { read[$0]?.first?.mean(axes: [0, 1]) }
  }

  /// The result of `body` with the heads of `model` out of work.
  public func callAsFunction<Result>(_ model: TinyLM, _ body: () throws -> Result) rethrows -> Result {
    var hooks: [String: (Tensor) -> Tensor] = [:]
    for (layer, masked) in Dictionary(grouping: heads, by: \.layer) {
      precondition(
        layer < model.blocks.count && masked.allSatisfy { $0.head < model.settings.heads }, "HeadMask",
        "there is no such head in a network of \(model.blocks.count) layers of \(model.settings.heads)")
      let absent = Set(masked.map(\.head))
      let works = Tensor((0..<model.settings.heads).map { !absent.contains($0) })
      let name = "blocks.\(layer).attention."
      switch mode {
      case .zero, .mean:
        precondition(
          mode == .zero || layer < means.count, "HeadMask", "the mode mean needs means of all layers")
        let instead = mode == .mean ? means[layer] : Tensor(Float(0))
        hooks[name + "heads"] = { which(works.expandedDimensions(axis: 1), $0, instead.asType($0.dtype)) }
      case .uniform:
        hooks[name + "weights"] = { weights in
          let (queries, keys) = (weights.dim(2), weights.dim(3))
          let seen = Tensor.ones([queries, keys], dtype: weights.dtype).tril(k: keys - queries)
          let even = seen / seen.sum(axis: 1, keepDims: true)
          return which(works.reshaped(-1, 1, 1), weights, even)
        }
      }
    }
    return try model.withHooks(hooks, body)
  }
}

/// What a language model wrote after prompts, each token the likeliest one, and where its heads looked.
public struct Generation {
  /// The prompts and all that was written but the last token, [batch, keys] (int32).
  public let tokens: Tensor
  /// What was written, [batch, steps] (int32).
  public let written: Tensor
  /// Attention of the token from which each written one was told, [batch, layers, heads, steps, keys]; zeros
  /// for what came later.
  public let weights: Tensor

  /// - Parameters:
  ///   - prompts: [batch, tokens] (int32), at least one token each.
  ///   - steps: tokens to write.
  ///   - mask: heads out of work; the prompt's last token counts as writing.
  public init(_ model: TinyLM, after prompts: Tensor, steps: Int, mask: HeadMask? = nil) {
    let length = prompts.dim(1), keys = length + steps - 1
    func masked<Result>(_ isMasked: Bool, _ body: () -> Result) -> Result {
      if let mask, isMasked { mask(model, body) } else { body() }
    }
    var states = model.initialStates(batch: prompts.dim(0))
    if length > 1 {
      let beginning = prompts.sliced(axis: 1, from: 0, to: length - 1)
      states = masked(mask?.inPrompt ?? false) { model(beginning, states).states }
    }
    var last = prompts.sliced(axis: 1, from: length - 1, to: length)
    let names = model.blocks.indices.map { "blocks.\($0).attention.weights" }
    var written: [Tensor] = [], looks: [Tensor] = []
    for step in 0..<steps {
      let (result, read) = masked(true) { model.reading(names) { model(last, states) } }
      states = result.states
      let layers = names.compactMap { read[$0]?.first?.expandedDimensions(axis: 1) }
      let weights = concatenated(layers, axis: 1)
      let rest = Tensor.zeros(Array(weights.shape.dropLast()) + [keys - length - step], dtype: weights.dtype)
      looks.append(concatenated([weights, rest], axis: 4))
      last = result.logits.argMax(axis: -1).asType(.int32)
      written.append(last)
    }
    self.written = concatenated(written, axis: 1)
    tokens = concatenated([prompts] + written.dropLast(), axis: 1)
    weights = concatenated(looks, axis: 3)
  }
}
