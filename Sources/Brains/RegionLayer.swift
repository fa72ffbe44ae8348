import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// What a region computes: part(norm(x)), plus x if it is residual.
public final class RegionLayer: StatefulLayer {
  public let part: any StatefulLayer
  private let norm: LayerNorm?
  private let isResidual: Bool

  init(_ part: any StatefulLayer, norm: LayerNorm?, isResidual: Bool) {
    self.part = part
    self.norm = norm
    self.isResidual = isResidual
  }

  public func initialState(batch: Int) -> State { part.initialState(batch: batch) }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (y, after) = part(seen(x), state)
    return (isResidual ? x + y : y, after)
  }

  /// What the part is given.
  func seen(_ x: Tensor) -> Tensor { norm.map { $0(x) } ?? x }
}

extension Region {
  /// What the region computes, built-in or from the catalogue.
  func layer(
    in slot: Slot, parts: Catalogue, using generator: inout RandomGenerator
  ) throws -> RegionLayer {
    let part: any StatefulLayer
    if let builtIn {
      part = try builtIn.layer(self.part.json, in: slot, using: &generator)
    } else {
      let names = parts.parts.map(\.card.id) + BuiltIn.allCases.map(\.rawValue)
      guard names.contains(self.part.name) else { throw unknownName("part", self.part.name, in: names) }
      part = try parts.part(self.part.name).unit(self.part.json, in: slot, using: &generator)
    }
    return RegionLayer(
      part, norm: norm ? LayerNorm(slot.width, affine: false) : nil, isResidual: residual)
  }
}

extension Choice {
  /// The learning rule of this name.
  func rule(of parts: Catalogue, using generator: inout RandomGenerator) throws -> any LearningRule {
    let rules = parts.parts.filter { $0.kind == .learningRule }.map(\.card.id)
    guard rules.contains(name) else { throw unknownName("learning rule", name, in: rules) }
    return try parts.part(name).rule(json, using: &generator)
  }
}

extension Tract {
  /// The part that it passes through: one of the catalogue, or of those that every brain has.
  /// - Throws: ``InvalidInput`` if nobody knows it.
  func part(of parts: Catalogue) throws -> Part {
    try require(through.name != "delay", "a delay is a word of its own, such as delay: 3")
    let known = Catalogue.brains + parts.parts
    guard let part = known.first(where: { $0.card.id == through.name }) else {
      throw unknownName("way for a tract", through.name, in: known.map(\.card.id))
    }
    return part
  }

  /// What it passes through, built.
  func built(_ part: Part, between ends: TractEnds, using generator: inout RandomGenerator) throws
    -> BuiltTract
  {
    try require(ends.gain.isFinite, "gain must be a number, is \(ends.gain)")
    let hasWeights = part.tractTraits?.hasWeights ?? false
    try require(
      hasWeights || (weights == nil && gain == nil),
      "\(through.name) has no weights to start with; only projection, gate and router have")
    return try part.tract(through.json, between: ends, using: &generator)
  }
}
