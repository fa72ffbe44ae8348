import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Mixes tokens by a random matrix that is never learned (Yu et al. 2021, table 5): y = W x along the tokens,
/// W the softmax over each row of numbers uniform in 0 to 1.
///
/// Buffer: `matrix` [tokens, tokens].
public final class RandomMixing: TokenMixer {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let card = Card(
    id: "random-mixing", name: "Random mixing", family: .mixers,
    paper: MetaFormer.card.paper,
    summary: "Every token becomes a weighted mean of all, with weights drawn once and kept: close to a "
      + "plain mean, and still better than no mixing.",
    verification: "its formula: weights of a row add up to 1, a constant stays")

  public static var trials: [Trial<Settings>] {
    [1, 15].map { Trial(Settings(), in: Slot(width: 7, tokens: $0)) }
  }

  @Buffer public var matrix: Tensor
  private let tokens: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    tokens = slot.tokens
    matrix = softmax(generator.uniform([tokens, tokens]))
  }

  public func forward(_ x: Tensor) -> Tensor {
    precondition(
      x.dim(1) == tokens, "RandomMixing", "axis tokens must be \(tokens), is \(x.dim(1)); input \(x.shape)")
    return matmul(matrix, x)
  }
}
