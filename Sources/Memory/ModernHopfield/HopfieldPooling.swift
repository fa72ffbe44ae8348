import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Pools a set by state patterns that are learned (Ramsauer et al. 2020, section 3): what each of
/// `quantity` queries retrieves from the tokens, side by side. [batch, tokens, width] -> [batch, 1,
/// quantity outputWidth / quantity].
///
/// Parameters: `queries` [quantity, width] and those of `association`.
public final class HopfieldPooling: UnitMechanism, Layer {
  public struct Settings: Configuration {
    /// Learned state patterns.
    public var quantity = 1
    /// How patterns are retrieved.
    public var association = HopfieldAssociation.Settings()
    public init() {}

    public func validate() throws {
      try require((1...100_000).contains(quantity), "quantity must be at least 1, is \(quantity)")
      try association.validate()
    }
  }

  public static let kind = Kind.memory
  public static let card = Card(
    id: "hopfield-pooling", name: "Hopfield pooling", family: .memory,
    paper: ModernHopfield.card.paper,
    summary: "Learned queries retrieve from a set of any size; the result does not depend on the order of "
      + "its members. For sets in which a single member decides.",
    verification: "the authors' hopfield-layers (commit f56f929): outputs and gradients")

  public static var trials: [Trial<Settings>] {
    var two = Settings(), iterated = Settings()
    (two.quantity, two.association.heads) = (2, 3)
    (iterated.association.updates, iterated.association.tolerance) = (3, 0)
    return [
      Trial(two, in: Slot(width: 6, outputWidth: 8, tokens: 5)),
      Trial(iterated, in: Slot(width: 5, tokens: 2)),
    ]
  }

  @Parameter public var queries: Tensor
  public let association: HopfieldAssociation
  public var withoutGradient: [String: String] { association.withoutGradient }

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    try require(
      slot.outputWidth % settings.quantity == 0,
      "hopfield-pooling: \(settings.quantity) queries do not share \(slot.outputWidth) outputs equally")
    queries = generator.normal([settings.quantity, slot.width], standardDeviation: 0.02)
    association = try HopfieldAssociation(
      settings.association, width: slot.width, outputWidth: slot.outputWidth / settings.quantity,
      part: Self.card.id, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { pooled(x, mask: nil) }

  /// With `mask` [batch, tokens] (bool): which tokens there are.
  public func pooled(_ x: Tensor, mask: Tensor?) -> Tensor {
    let states = queries.broadcast(to: [x.dim(0)] + queries.shape)
    return association(states, x, mask: mask).flattened(start: 1).expandedDimensions(axis: 1)
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let layer = try HopfieldPooling(settings, in: slot, using: &generator)
    return Door(
      module: layer,
      inputs: [
        TensorPort("x", [.free("batch"), .free("tokens"), .fixed(slot.width)]),
        TensorPort("mask", [.free("batch"), .free("tokens")], .indices(below: 2), isOptional: true),
      ],
      outputs: [TensorPort("y", [.free("batch"), .fixed(1), .fixed(slot.outputWidth)])],
      withoutGradient: layer.withoutGradient
    ) { tensors, _ in
      guard let x = tensors["x"] else { return [:] }
      return ["y": layer.pooled(x, mask: tensors["mask"].map { $0 .> 0 })]
    }
  }
}
