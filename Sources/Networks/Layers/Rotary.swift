import CallosumTensors
import Foundation

/// Rotary position embedding (Su et al. 2021): x [..., tokens, width] -> same shape. Numbers i and
/// i + width / 2 of the token at place p are turned by the angle p base^(-2i / width),
///
///     y_i = x_i cos - x_{i + width/2} sin,   y_{i + width/2} = x_{i + width/2} cos + x_i sin,
///
/// so that products of turned queries and keys depend on how far apart the two are. These pairs are those of
/// GPT-NeoX and Llama as Hugging Face's transformers computes them; the paper pairs neighbours, which is
/// another order of the same numbers. The first token stands at place `offset`.
public func rotaryEmbedding(_ x: Tensor, base: Double = 10_000, offset: Int = 0) -> Tensor {
  precondition(
    x.ndim >= 2 && x.dim(-1) % 2 == 0, "rotaryEmbedding",
    "needs [..., tokens, an even width], got \(x.shape)")
  return turned(x, places: (0..<x.dim(-2)).map { Double($0 + offset) }, base: base)
}

/// Rotary position embedding of the patches of an image (axial, as in EVA-02, Fang et al. 2023, and in Heo
/// et al. 2024): x [..., rows * columns, width], patches row by row, -> same shape. The first half of the
/// width is turned by the patch's row, the second by its column, each as `rotaryEmbedding` turns a sequence,
/// so that products depend on how far apart two patches are along each axis. Width is divisible by 4.
public func rotaryEmbedding(
  _ x: Tensor, grid: (rows: Int, columns: Int), base: Double = 10_000
) -> Tensor {
  precondition(
    x.ndim >= 2 && x.dim(-1) % 4 == 0 && min(grid.rows, grid.columns) > 0
      && x.dim(-2) == grid.rows * grid.columns, "rotaryEmbedding",
    "needs [..., \(grid.rows) * \(grid.columns) patches, a width divisible by 4], got \(x.shape)")
  let halves = x.split(parts: 2, axis: -1), patches = 0..<x.dim(-2)
  return concatenated(
    [
      turned(halves[0], places: patches.map { Double($0 / grid.columns) }, base: base),
      turned(halves[1], places: patches.map { Double($0 % grid.columns) }, base: base),
    ], axis: -1)
}

/// Each token of x [..., tokens, width] turned by its place.
private func turned(_ x: Tensor, places: [Double], base: Double) -> Tensor {
  x.requireReal("rotaryEmbedding")
  let half = x.dim(-1) / 2
  // As float32 throughout, an angle of a late token would be off by more than rounding.
  let speeds = Tensor((0..<half).map { pow(base, -Double($0) / Double(half)) }, [half])
  let angles = Tensor(places, [places.count, 1]) * speeds
  let (cosines, sines) = (cos(angles).asType(x.dtype), sin(angles).asType(x.dtype))
  let parts = x.split(parts: 2, axis: -1)
  return concatenated(
    [parts[0] * cosines - parts[1] * sines, parts[1] * cosines + parts[0] * sines], axis: -1)
}

/// Causal self-attention with rotary position embedding of queries and keys, without biases: x [batch,
/// tokens, width] -> same shape. It carries the keys and values of earlier tokens, so that a sequence may
/// come in pieces.
///
/// Parameters: `query`, `key`, `value`, `output` (`.weight` [width, width], heads as neighbouring groups of
/// width / heads). Signals: `weights` [batch, heads, queries, keys] and `heads` [batch, queries, heads, width
/// / heads], what each head hands to the output map.
public final class RotaryAttention: StatefulLayer {
  public let query, key, value, output: Linear
  public let heads: Int
  private let width: Int
  private let base: Double

  public init(
    _ width: Int, heads: Int, base: Double = 10_000, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    precondition(
      heads > 0 && width % (2 * heads) == 0, "RotaryAttention",
      "width \(width) does not divide into \(heads) heads of an even width")
    func map() -> Linear {
      Linear(width, width, bias: false, initialiser: initialiser, using: &generator)
    }
    (query, key, value, output) = (map(), map(), map(), map())
    (self.width, self.heads, self.base) = (width, heads, base)
  }

  public func initialState(batch: Int) -> State {
    let none = Tensor.zeros([batch, heads, 0, width / heads])
    return State(["keys": none, "values": none])
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    precondition(
      x.ndim == 3 && x.dim(2) == width, "RotaryAttention", "needs [batch, tokens, \(width)], got \(x.shape)")
    let (batch, tokens) = (x.dim(0), x.dim(1))
    func parted(_ x: Tensor) -> Tensor {
      x.reshaped(batch, tokens, heads, width / heads).transposed(0, 2, 1, 3)
    }
    let offset = state["keys"].dim(2)
    let q = rotaryEmbedding(parted(query(x)), base: base, offset: offset)
    let newKeys = rotaryEmbedding(parted(key(x)), base: base, offset: offset), newValues = parted(value(x))
    let isFirst = offset == 0
    let keys = isFirst ? newKeys : concatenated([state["keys"], newKeys], axis: 2)
    let values = isFirst ? newValues : concatenated([state["values"], newValues], axis: 2)
    let y: Tensor
    if isHooked("weights") {
      y = matmul(signal("weights", attentionWeights(queries: q, keys: keys, causal: true)), values)
    } else {
      y = scaledDotProductAttention(queries: q, keys: keys, values: values, causal: true)
    }
    let mixed = signal("heads", y.transposed(0, 2, 1, 3))
    return (output(mixed.reshaped(batch, tokens, width)), State(["keys": keys, "values": values]))
  }
}
