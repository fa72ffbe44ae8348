import CallosumTensors

/// Multi-head softmax attention (Vaswani et al. 2017): x [batch, tokens, width] -> same shape.
///
/// One linear map makes queries, keys and values (thirds of its outputs, heads as neighbouring
/// groups of width / heads); another mixes the heads' results.
/// Parameters: `qkv.weight` [3 width, width], `qkv.bias`, `projection.weight` [width, width],
/// `projection.bias`. Signal: `weights` [batch, heads, queries, keys].
public final class MultiHeadAttention: Layer {
  public let qkv: Linear
  public let projection: Linear
  private let heads: Int
  private let causal: Bool

  public init(
    _ width: Int, heads: Int, causal: Bool = false, bias: Bool = true,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    precondition(
      heads > 0 && width % heads == 0, "MultiHeadAttention",
      "width \(width) does not divide into \(heads) heads")
    qkv = Linear(width, 3 * width, bias: bias, initialiser: initialiser, using: &generator)
    projection = Linear(width, width, bias: bias, initialiser: initialiser, using: &generator)
    self.heads = heads
    self.causal = causal
  }

  public func forward(_ x: Tensor) -> Tensor { attend(x, mask: nil) }

  /// With a mask on the scores; see `scaledDotProductAttention`.
  public func callAsFunction(_ x: Tensor, mask: Tensor?) -> Tensor {
    running { attend(signal("input", x), mask: mask) }
  }

  private func attend(_ x: Tensor, mask: Tensor?) -> Tensor {
    precondition(x.ndim == 3, "MultiHeadAttention", "needs [batch, tokens, width], got \(x.shape)")
    let (batch, tokens, width) = (x.dim(0), x.dim(1), x.dim(2))
    // [batch, tokens, 3, heads, width / heads], each third seen as [batch, heads, tokens, ...].
    let parts = qkv(x).reshaped(batch, tokens, 3, heads, width / heads).split(parts: 3, axis: 2)
      .map { $0.squeezed(axis: 2).transposed(0, 2, 1, 3) }
    let y: Tensor
    if isHooked("weights") {
      // The fused operation never holds the weights.
      let weights = attentionWeights(queries: parts[0], keys: parts[1], mask: mask, causal: causal)
      y = matmul(signal("weights", weights), parts[2])
    } else {
      y = scaledDotProductAttention(
        queries: parts[0], keys: parts[1], values: parts[2], mask: mask, causal: causal)
    }
    return projection(y.transposed(0, 2, 1, 3).reshaped(batch, tokens, width))
  }
}
