import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The principal subspace of what a layer receives, learned by lateral weights with a Hebbian rule (Xiao et
/// al. 2024). For inputs x [samples, n] and weights H [m, n], each of some iterations:
///
///     y = x Hᵀ,  xhat = y H,  D = clip(yᵀ (x - xhat) / samples),  V = momentum V + (1 - momentum) D
///     H += rate V
///
/// H Hᵀ comes to be the identity, and the rows of H span the largest principal components of the inputs, which
/// are not centred. Rows that are frozen take part in xhat and do not change; so later rows find what the
/// earlier ones leave over. Lateral neurons may spike: y is then kept within ±`range` and counted in levels.
public final class HebbianSubspace: Module {
  public struct Settings: Configuration {
    /// Learning rate of the lateral weights; 0.001 suits the layer that sees the input of a network.
    public var rate = 0.01
    /// Share of its velocity that a lateral weight keeps, from 0 to below 1.
    public var momentum = 0.9
    /// Updates for each batch.
    public var iterations = 5
    /// Largest change of a lateral weight before the rate, either way.
    public var limit = 10.0
    /// Spikes of a lateral neuron at most; 0 for real numbers.
    public var levels = 0
    /// Largest activity of a lateral neuron that spikes, either way.
    public var range = 20.0
    public init() {}

    public func validate() throws {
      try require(rate > 0 && rate.isFinite, "rate must be above 0, is \(rate)")
      try require((0..<1).contains(momentum), "momentum must be from 0 to below 1, is \(momentum)")
      try require(iterations > 0, "iterations must be at least 1, is \(iterations)")
      try require(limit > 0 && range > 0, "limit and range must be above 0, are \(limit) and \(range)")
      try require(levels >= 0, "levels must not be negative, is \(levels)")
    }
  }

  /// H and V, [rows, n].
  @Buffer public var rows: Tensor
  @Buffer public var velocity: Tensor
  /// How many rows, the first ones, belong to earlier tasks.
  public private(set) var frozen = 0
  public let settings: Settings

  public init(width: Int, _ settings: Settings = Settings()) {
    self.settings = settings
    (rows, velocity) = (.zeros([0, width]), .zeros([0, width]))
  }

  public var count: Int { rows.dim(0) }

  /// New rows, orthonormal among themselves.
  public func grow(by count: Int, using generator: inout RandomGenerator) {
    guard count > 0 else { return }
    let fresh = generator.orthogonal([count, rows.dim(1)], dtype: rows.dtype)
    append(fresh)
  }

  /// Rows from elsewhere, such as the exact subspace.
  public func append(_ fresh: Tensor) {
    rows = concatenated([rows, fresh])
    velocity = concatenated([velocity, .zeros(like: fresh)])
  }

  /// From now on all rows are those of earlier tasks.
  public func merge() { frozen = count }

  /// The part of `x` [samples, n] that lies in the space of the first `count` rows.
  public func projection(_ x: Tensor, rows count: Int) -> Tensor {
    count == 0 ? .zeros(like: x) : HebbianSubspace.projection(x, rows.sliced(axis: 0, to: count), settings)
  }

  /// What of `x` no earlier task has used: x - x Hᵀ H over the frozen rows.
  public func remainder(_ x: Tensor) -> Tensor { x - projection(x, rows: frozen) }

  /// Learns from a batch; frozen rows stay as they are.
  public func update(_ x: Tensor) {
    guard count > frozen else { return }
    (rows, velocity) = HebbianSubspace.updated(
      rows, velocity, frozen: frozen, by: stopGradient(x), settings)
  }

  static func lateral(_ x: Tensor, _ rows: Tensor, _ settings: Settings) -> Tensor {
    let y = matmul(x, rows.transposed())
    if settings.levels == 0 { return y }
    let levels = Double(settings.levels)
    let counts = round(clip(y, min: -settings.range, max: settings.range) * (levels / settings.range))
    return counts * (settings.range / levels)
  }

  static func projection(_ x: Tensor, _ rows: Tensor, _ settings: Settings) -> Tensor {
    matmul(lateral(x, rows, settings), rows)
  }

  /// H and V after all iterations on one batch.
  static func updated(
    _ rows: Tensor, _ velocity: Tensor, frozen: Int, by x: Tensor, _ settings: Settings
  ) -> (rows: Tensor, velocity: Tensor) {
    let kept = rows.sliced(axis: 0, to: frozen), still = velocity.sliced(axis: 0, to: frozen)
    var learning = rows.sliced(axis: 0, from: frozen), moving = velocity.sliced(axis: 0, from: frozen)
    // What the frozen rows explain is the same in every iteration.
    let left = frozen == 0 ? x : x - projection(x, kept, settings)
    let share = 1 - settings.momentum, limit = settings.limit * share
    for _ in 0..<settings.iterations {
      let y = lateral(x, learning, settings), turned = y.transposed()
      // yᵀ (left - y H), the shorter way: with many samples products of rows are the smaller matrix.
      let change =
        x.dim(0) > learning.dim(0)
        ? matmul(turned, left) - matmul(matmul(turned, y), learning)
        : matmul(turned, left - matmul(y, learning))
      let limited = clip(change * (share / Double(x.dim(0))), min: -limit, max: limit)
      moving = moving * settings.momentum + limited
      learning = learning + moving * settings.rate
    }
    return frozen == 0
      ? (learning, moving) : (concatenated([kept, learning]), concatenated([still, moving]))
  }
}

/// x wᵀ + b with the weight's gradient that of `remainder` in place of x: for x [..., inputs] the gradient
/// of w is gᵀ remainder, that of x is as ever. `remainder` has the shape of x and is a constant.
public func projectedLinear(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, remainder: Tensor
) -> Tensor {
  let seen = stopGradient(remainder)
  let product = withDerivatives(
    "projectedLinear", at: [x, weight], of: { linear($0[0], weight: $0[1]) },
    [
      { g, inputs in matmul(g, inputs[1]) },
      { g, _ in
        matmul(g.reshaped([-1, g.dim(-1)]).transposed(), seen.reshaped([-1, seen.dim(-1)]))
      },
    ])
  return bias.map { product + $0 } ?? product
}

/// A convolution whose weight's gradient sees projected patches: x [batch, spatial..., channels], weight
/// [outputs, kernel elements × channels], of which `remainder` maps patches [samples, kernel elements ×
/// channels] to what is left of them. The patches are those of `seen` in place of x where it is given, such as
/// the trace of spikes x.
public func projectedConvolution(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, seen: Tensor? = nil, kernel: [Int],
  stride: [Int]? = nil, padding: [Int]? = nil, remainder: (Tensor) -> Tensor
) -> Tensor {
  let patches = unfold(x, kernel: kernel, stride: stride, padding: padding)
  let others = seen.map { unfold(stopGradient($0), kernel: kernel, stride: stride, padding: padding) }
  let flat = stopGradient(others ?? patches).reshaped([-1, patches.dim(-1)])
  return projectedLinear(
    patches, weight: weight, bias: bias, remainder: remainder(flat).reshaped(patches.shape))
}
