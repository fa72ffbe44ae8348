import CallosumTensors

/// Multi-head softmax attention (Vaswani et al. 2017): x [batch, tokens, width] -> same shape.
///
/// One linear map makes queries, keys and values (thirds of its outputs, heads as neighbouring
/// groups of width / heads); another mixes the heads' results. Keys and values may come from a `context`
/// instead of x (cross-attention), and rows may hold padding or several sequences (``TokenSegments``).
/// Parameters: `qkv.weight` [3 width, width], `qkv.bias`, `projection.weight` [width, width],
/// `projection.bias`. Signal: `weights` [batch, heads, queries, keys].
public final class MultiHeadAttention: Layer {
  public let qkv: Linear
  public let projection: Linear
  private let heads: Int
  private let causal: Bool
  private let dropout: Dropout
  private let dropsWeights: Bool

  /// - Parameter dropout: share of the weights that training leaves out.
  public init(
    _ width: Int, heads: Int, causal: Bool = false, bias: Bool = true, dropout: Double = 0,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    precondition(
      heads > 0 && width % heads == 0, "MultiHeadAttention",
      "width \(width) does not divide into \(heads) heads")
    qkv = Linear(width, 3 * width, bias: bias, initialiser: initialiser, using: &generator)
    projection = Linear(width, width, bias: bias, initialiser: initialiser, using: &generator)
    self.heads = heads
    self.causal = causal
    (self.dropout, dropsWeights) = (Dropout(dropout), dropout > 0)
  }

  public func forward(_ x: Tensor) -> Tensor { attend(x, mask: nil) }

  /// With a mask on the scores; see `scaledDotProductAttention`.
  public func callAsFunction(_ x: Tensor, mask: Tensor?) -> Tensor {
    running { attend(signal("input", x), mask: mask) }
  }

  /// Each sequence of `segments` by itself; padding is seen by nobody and gives zeros.
  public func callAsFunction(_ x: Tensor, segments: TokenSegments) -> Tensor {
    running { attend(signal("input", x), segments) }
  }

  /// Cross-attention to `context` [batch, keys, width]; `contextMask` (bool, [batch, keys]) tells which of its
  /// tokens there are.
  public func callAsFunction(_ x: Tensor, context: Tensor, contextMask: Tensor? = nil) -> Tensor {
    running { attend(signal("input", x), to: context, contextMask) }
  }

  /// Causal attention in which a token sees `window` tokens, itself the last of them, over calls; see
  /// `cache(batch:window:)` for the state.
  public func callAsFunction(
    _ x: Tensor, window: Int, after state: State
  ) -> (output: Tensor, state: State) {
    called(x) { attend($0, window: window, after: state) }
  }

  private func attend(_ x: Tensor, _ segments: TokenSegments) -> Tensor {
    let n = segments.numbers, isThere = (n .> 0).expandedDimensions(axis: 2)
    precondition(
      x.ndim == 3 && n.shape == [x.dim(0), x.dim(1)], "MultiHeadAttention",
      "segments \(n.shape) do not fit tokens \(x.shape)")
    let keys = n.reshaped(n.dim(0), 1, 1, n.dim(1))
    let sees = segments.areWholeRows ? keys .> 0 : keys .== n.reshaped(n.dim(0), 1, n.dim(1), 1)
    return which(isThere, attend(which(isThere, x, x.constant(0)), mask: sees), x.constant(0))
  }

  private func attend(_ x: Tensor, to context: Tensor, _ contextMask: Tensor?) -> Tensor {
    precondition(
      x.ndim == 3 && context.ndim == 3 && context.dim(0) == x.dim(0) && context.dim(2) == x.dim(2) && !causal,
      "MultiHeadAttention",
      causal
        ? "a context has no order that causal attention could keep"
        : "needs tokens and a context of as many rows and the same width, got \(x.shape) and \(context.shape)"
    )
    guard let contextMask else { return attend(x, context: context, mask: nil) }
    precondition(
      contextMask.dtype == .bool && contextMask.shape == [context.dim(0), context.dim(1)],
      "MultiHeadAttention",
      "the mask of a context \(context.shape) must be bool \(Array(context.shape.dropLast())), is "
        + "\(contextMask.dtype) \(contextMask.shape)")
    return attend(
      x, context: which(contextMask.expandedDimensions(axis: 2), context, context.constant(0)),
      mask: contextMask.reshaped(context.dim(0), 1, 1, context.dim(1)))
  }

  // MARK: Cache

  /// What attention with a window carries, before the first token: `keys` and `values` [batch, heads, window - 1,
  /// width / heads], the latest last, and how many of them there are, `seen` [batch].
  public func cache(batch: Int, window: Int) -> State {
    let past = Tensor.zeros(
      [batch, heads, window - 1, qkv.weight.dim(1) / heads], dtype: qkv.weight.dtype)
    return State(["keys": past, "values": past, "seen": .zeros([batch])])
  }

  private func attend(_ x: Tensor, window: Int, after state: State) -> (output: Tensor, state: State) {
    precondition(x.ndim == 3, "MultiHeadAttention", "needs [batch, tokens, width], got \(x.shape)")
    let past = window - 1, new = x.dim(1)
    let (outputs, after) = state.byCount("seen", in: 0...past, "MultiHeadAttention", [x]) {
      inputs, state, seen in
      var state = state
      let parts = streams(inputs[0])
      let keys = concatenated([state["keys"], parts[1]], axis: 2)
      let values = concatenated([state["values"], parts[2]], axis: 2)
      state["keys"] = keys.sliced(axis: 2, from: new)
      state["values"] = values.sliced(axis: 2, from: new)
      state["seen"] = .full(state["seen"].shape, Double(min(seen + new, past)), dtype: state["seen"].dtype)
      let y = slidingWindowAttention(
        queries: parts[0], keys: keys.sliced(axis: 2, from: past - seen),
        values: values.sliced(axis: 2, from: past - seen), window: window)
      return ([joined(y)], state)
    }
    return (outputs[0], after)
  }

  /// Queries, keys and values [batch, heads, tokens, width / heads].
  private func streams(_ x: Tensor, context: Tensor? = nil) -> [Tensor] {
    let head = x.dim(2) / heads
    func parts(_ x: Tensor, _ count: Int) -> [Tensor] {
      // [batch, tokens, parts, heads, width / heads], each part seen as [batch, heads, tokens, ...].
      x.reshaped(x.dim(0), x.dim(1), count, heads, head).split(parts: count, axis: 2)
        .map { $0.squeezed(axis: 2).transposed(0, 2, 1, 3) }
    }
    guard let context else { return parts(qkv(x), 3) }
    let width = qkv.weight.dim(1)
    func mapped(_ x: Tensor, _ from: Int, _ to: Int) -> Tensor {
      linear(
        x, weight: qkv.weight.sliced(axis: 0, from: from * width, to: to * width),
        bias: qkv.bias.map { $0.sliced(axis: 0, from: from * width, to: to * width) })
    }
    return parts(mapped(x, 0, 1), 1) + parts(mapped(context, 1, 3), 2)
  }

  /// What the heads found, [batch, heads, tokens, width / heads], mixed: [batch, tokens, width].
  private func joined(_ y: Tensor) -> Tensor {
    projection(y.transposed(0, 2, 1, 3).reshaped(y.dim(0), y.dim(2), y.dim(1) * y.dim(3)))
  }

  private func attend(_ x: Tensor, context: Tensor? = nil, mask: Tensor?) -> Tensor {
    precondition(x.ndim == 3, "MultiHeadAttention", "needs [batch, tokens, width], got \(x.shape)")
    let parts = streams(x, context: context)
    let y: Tensor
    if isHooked("weights") || (dropsWeights && TrainingPass.current != nil) {
      // The fused operation never holds the weights.
      let weights = attentionWeights(queries: parts[0], keys: parts[1], mask: mask, causal: causal)
      y = matmul(dropped(signal("weights", weights)), parts[2])
    } else {
      y = scaledDotProductAttention(
        queries: parts[0], keys: parts[1], values: parts[2], mask: mask, causal: causal)
    }
    return joined(y)
  }

  private func dropped(_ weights: Tensor) -> Tensor { dropsWeights ? dropout(weights) : weights }
}
