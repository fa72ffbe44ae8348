import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The bridge between the halves of a bilateral network: the larger of each two
/// neighbouring units crosses, behind zeros that fill up the width,
///
///     y = [0, ..., 0, max(x_0, x_1), max(x_2, x_3), ...]
///
/// and is added to what the other half computes. The last unit of an odd number stays behind. [...,
/// width] -> the same shape. No parameters.
///
/// Source: "Left/Right Brain, human motor control and the implications for robotics" (2024), as the
/// authors' code has it.
public final class CorpusCallosum: ChannelMixer {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let card = Card(
    id: "corpus-callosum", name: "Corpus callosum", family: .modularity,
    paper: BilateralMotor.card.paper,
    summary: "Joins two halves of a network: the stronger of each pair of units of one half is added to "
      + "the second half of the units of the other. It has nothing to learn.",
    verification: "the formula written out, values and derivatives")

  public static var trials: [Trial<Settings>] {
    [Trial(Settings(), in: Slot(width: 7, tokens: 3)), Trial(Settings(), in: Slot(width: 2, tokens: 1))]
  }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
    try require(slot.width > 1, "\(Self.card.id) pools pairs of units, but there is only one")
  }

  public func forward(_ x: Tensor) -> Tensor {
    let width = x.dim(-1), pairs = width / 2
    let pooled = x.sliced(axis: -1, to: 2 * pairs)
      .reshaped(Array(x.shape.dropLast()) + [pairs, 2]).max(axis: -1)
    let widths = [(before: Int, after: Int)](repeating: (0, 0), count: x.ndim - 1)
    return pooled.padded(widths + [(before: width - pairs, after: 0)])
  }
}
