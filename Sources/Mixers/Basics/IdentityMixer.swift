import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Mixes nothing: y = x (Yu et al. 2021, table 5). In a MetaFormer, tokens then meet in convolutions
/// between stages and in the last mean only.
public final class IdentityMixer: TokenMixer {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let card = Card(
    id: "identity-mixer", name: "No mixing", family: .mixers,
    paper: MetaFormer.card.paper,
    summary: "Leaves every token as it is: what a network does without any mixer.",
    verification: "by definition")

  public static var trials: [Trial<Settings>] {
    [1, 15].map { Trial(Settings(), in: Slot(width: 7, tokens: $0)) }
  }

  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try slot.requireEqualWidths(Self.card.id)
  }

  public func forward(_ x: Tensor) -> Tensor { x }
}
