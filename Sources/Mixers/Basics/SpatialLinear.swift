import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// One linear map along the tokens, the same for every channel (Yu et al. 2021, spatial FC; the linear form
/// of ``SpatialMLP``): y = W x.
///
/// Parameters: `weight` [tokens, tokens], `bias` [tokens] where asked for.
public final class SpatialLinear: TokenMixer {
  public struct Settings: Configuration {
    /// Whether each place adds a bias.
    public var bias = false
    public init() {}
  }

  public static let card = Card(
    id: "spatial-linear", name: "Spatial linear map", family: .mixers,
    paper: MetaFormer.card.paper,
    summary: "Each place of the output is a learned sum over all places of the input, whatever the image "
      + "shows. It fits one number of tokens only.",
    verification: "its formula: an identity matrix changes nothing")

  public static var trials: [Trial<Settings>] {
    var biased = Settings()
    biased.bias = true
    return [Trial(Settings(), in: Slot(width: 7, tokens: 15)), Trial(biased, in: Slot(width: 3, tokens: 1))]
  }

  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  private let tokens: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    tokens = slot.tokens
    let start = Initialiser.fanInUniform
    weight = start.values([tokens, tokens], fanIn: tokens, fanOut: tokens, using: &generator)
    bias =
      settings.bias ? start.values([tokens], fanIn: tokens, fanOut: tokens, using: &generator) : nil
  }

  public func forward(_ x: Tensor) -> Tensor {
    precondition(
      x.dim(1) == tokens, "SpatialLinear", "axis tokens must be \(tokens), is \(x.dim(1)); input \(x.shape)")
    let y = matmul(weight, x)
    return bias.map { y + $0.expandedDimensions(axis: 1) } ?? y
  }
}
