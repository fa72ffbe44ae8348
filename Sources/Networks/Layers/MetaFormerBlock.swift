import CallosumTensors

/// A block of a MetaFormer (Yu et al. 2021, equations 2 and 3), tokens [batch, tokens, width] to tokens:
///
///     y = x + g1 Mixer(Norm(x)),   z = y + g2 MLP(Norm(y)),
///
/// with a number g1 and g2 for each channel where `layerScale` says so. Every piece can be left out, to see
/// what it is worth.
///
/// Parameters: `norm1`, `norm2` (`weight`, `bias` [width]), those of `mixer`, `mlp.up`, `mlp.down`, `scale1`,
/// `scale2` [width].
public final class MetaFormerBlock: Layer {
  public enum Norm: String, Codable, Sendable, CaseIterable {
    /// Mean and variance of each token.
    case layer
    /// Mean and variance of a whole image: group normalisation with one group.
    case image
    case none

    package func made(_ width: Int) -> (any Layer)? {
      switch self {
      case .layer: LayerNorm(width)
      case .image: GroupNorm(groups: 1, width)
      case .none: nil
      }
    }
  }

  public struct Settings: Codable, Sendable, Equatable {
    /// What mixer and MLP see the tokens through.
    public var norm = Norm.layer
    /// Where the factors of each channel after mixer and MLP start; 0 leaves them out.
    public var layerScale = 0.0
    /// Whether what goes in is added to what mixer and MLP make of it.
    public var residual = true
    /// Whether an MLP on the channels follows the mixer.
    public var mlp = true
    /// Hidden units of the MLP per unit of width.
    public var mlpRatio = 4
    public init() {}

    public func validate() throws {
      try require(layerScale.isFinite, "layerScale must be finite, is \(layerScale)")
      try require((1...100_000).contains(mlpRatio), "mlpRatio must be from 1 to 100000, is \(mlpRatio)")
    }
  }

  public let norm1, norm2: (any Layer)?
  public let mixer: any Layer
  /// The network on channels: two linear maps with GELU between them, or what was put in their place.
  public let mlp: (any Layer)?
  @Parameter public var scale1: Tensor?
  @Parameter public var scale2: Tensor?
  private let residual: Bool

  /// `channel` takes the place of the MLP, if the settings leave one.
  public init(
    _ settings: Settings, width: Int, mixer: any Layer, channel: (any Layer)? = nil,
    using generator: inout RandomGenerator
  ) {
    norm1 = settings.norm.made(width)
    self.mixer = mixer
    norm2 = settings.mlp ? settings.norm.made(width) : nil
    mlp =
      settings.mlp
      ? channel ?? MLP(width, hidden: settings.mlpRatio * width, using: &generator) : nil
    residual = settings.residual
    if settings.layerScale != 0 {
      scale1 = .full([width], settings.layerScale)
      scale2 = settings.mlp ? .full([width], settings.layerScale) : nil
    } else {
      (scale1, scale2) = (nil, nil)
    }
  }

  public func forward(_ x: Tensor) -> Tensor {
    let y = added(x, mixer, norm1, scale1)
    return mlp.map { added(y, $0, norm2, scale2) } ?? y
  }

  private func added(_ x: Tensor, _ inner: any Layer, _ norm: (any Layer)?, _ scale: Tensor?) -> Tensor {
    var y = inner(norm.map { $0(x) } ?? x)
    if let scale { y = y * scale }
    return residual ? x + y : y
  }
}
