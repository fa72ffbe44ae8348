import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Retrieves from stored patterns that are learned (Ramsauer et al. 2020, section 3): a table that is
/// read by similarity. [batch, tokens, width] -> [batch, tokens, outputWidth].
///
/// Parameters: `patterns` [quantity, width] and those of `association`.
public final class HopfieldLookup: UnitMechanism, Layer {
  public struct Settings: Configuration {
    /// Learned stored patterns.
    public var quantity = 16
    /// How patterns are retrieved.
    public var association = HopfieldAssociation.Settings()
    public init() {}

    public func validate() throws {
      try require((1...1_000_000).contains(quantity), "quantity must be at least 1, is \(quantity)")
      try association.validate()
    }
  }

  public static let kind = Kind.memory
  public static let card = Card(
    id: "hopfield-lookup", name: "Hopfield lookup", family: .memory,
    paper: ModernHopfield.card.paper,
    summary: "Tokens retrieve from a learned table by similarity: prototypes that training places.",
    verification: "the authors' hopfield-layers (commit f56f929): outputs and gradients")

  public static var trials: [Trial<Settings>] {
    var few = Settings(), many = Settings()
    (few.quantity, few.association.heads) = (3, 2)
    (many.quantity, many.association.updates, many.association.tolerance) = (20, 2, 0)
    return [
      Trial(few, in: Slot(width: 6, outputWidth: 5, tokens: 4)),
      Trial(many, in: Slot(width: 3, tokens: 1)),
    ]
  }

  @Parameter public var patterns: Tensor
  public let association: HopfieldAssociation
  public var withoutGradient: [String: String] { association.withoutGradient }
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    patterns = generator.normal([settings.quantity, slot.width], standardDeviation: 0.02)
    association = try HopfieldAssociation(
      settings.association, width: slot.width, outputWidth: slot.outputWidth, part: Self.card.id,
      using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor {
    association(x, patterns.broadcast(to: [x.dim(0)] + patterns.shape))
  }
}
