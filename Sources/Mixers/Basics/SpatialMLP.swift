import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The token-mixing network of MLP-Mixer (Tolstikhin et al. 2021, equation 1): for each channel,
/// y = W₂ GELU(W₁ x + b₁) + b₂ along the tokens, with weights shared by all channels.
///
/// Parameters: `up` [hidden, tokens], `upBias` [hidden], `down` [tokens, hidden], `downBias` [tokens].
public final class SpatialMLP: TokenMixer {
  public struct Settings: Configuration {
    /// Hidden units; 0 means half the width, the paper's proportion.
    public var hidden = 0
    public init() {}

    public func validate() throws { try require(hidden >= 0, "hidden must be at least 0, is \(hidden)") }
  }

  public static let card = Card(
    id: "spatial-mlp", name: "Spatial MLP", family: .mixers,
    paper: Paper(
      "MLP-Mixer: An all-MLP Architecture for Vision",
      by: [
        "Ilya Tolstikhin", "Neil Houlsby", "Alexander Kolesnikov", "Lucas Beyer", "Xiaohua Zhai",
        "Thomas Unterthiner", "Jessica Yung", "Andreas Steiner", "Daniel Keysers", "Jakob Uszkoreit",
        "Mario Lucic", "Alexey Dosovitskiy",
      ],
      year: 2021, link: "https://arxiv.org/abs/2105.01601"),
    summary: "A small network along the token axis, the same for every channel: which token goes where "
      + "is learned once and does not depend on the image. It fits one number of tokens only.",
    verification: "matrix products and GELU checked against PyTorch")

  public static var trials: [Trial<Settings>] {
    [1, 11].map { hidden in
      var settings = Settings()
      settings.hidden = hidden
      return Trial(settings, in: Slot(width: 7, tokens: 15))
    }
  }

  @Parameter public var up: Tensor
  @Parameter public var upBias: Tensor
  @Parameter public var down: Tensor
  @Parameter public var downBias: Tensor
  private let tokens: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    tokens = slot.tokens
    let hidden = settings.hidden > 0 ? settings.hidden : max(slot.width / 2, 1)
    let start = Initialiser.fanInUniform
    up = start.values([hidden, tokens], fanIn: tokens, fanOut: hidden, using: &generator)
    upBias = start.values([hidden], fanIn: tokens, fanOut: hidden, using: &generator)
    down = start.values([tokens, hidden], fanIn: hidden, fanOut: tokens, using: &generator)
    downBias = start.values([tokens], fanIn: hidden, fanOut: tokens, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor {
    precondition(
      x.dim(1) == tokens, "SpatialMLP", "axis tokens must be \(tokens), is \(x.dim(1)); input \(x.shape)")
    // Weights on the left mix the tokens of [batch, tokens, width] without moving any.
    let hidden = gelu(matmul(up, x) + upBias.expandedDimensions(axis: 1))
    return matmul(down, hidden) + downBias.expandedDimensions(axis: 1)
  }
}
