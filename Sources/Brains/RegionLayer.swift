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
  /// - Throws: ``Mistake`` if nobody knows what it passes through.
  func requireKnownWay(_ parts: Catalogue) throws {
    let names = parts.parts.map(\.card.id) + Way.allCases.map(\.rawValue)
    try expect(through.name != "delay", "a delay is a word of its own, such as delay: 3")
    guard names.contains(through.name) else {
      throw unknownName("way for a tract", through.name, in: names)
    }
  }

  /// What it passes through; nil where activity passes as it is.
  /// - Parameter targetWidth: Numbers per token that the (first) target puts out.
  func module(
    from source: Wiring.Field, into targets: [Wiring.Field], targetWidth: Int, parts: Catalogue,
    using generator: inout RandomGenerator
  ) throws -> (any Module)? {
    let weights = self.weights ?? .fanInUniform, gain = self.gain ?? 1
    try expect(gain.isFinite, "gain must be a number, is \(gain)")
    if keepsWidth {
      try expect(
        self.weights == nil && self.gain == nil,
        "\(through.name) has no weights to start with; only projection, gate and router have")
    }
    switch way {
    case .projection:
      try expect(through.settings.isEmpty, "projection has no settings")
      return Projection(source.width, targets[0].width, weights: weights, gain: gain, using: &generator)
    case .direct:
      try expect(through.settings.isEmpty, "direct has no settings")
      return nil
    case .gate:
      return Gate(
        try .decoded(from: through.json, for: "gate"), sourceWidth: source.width, targetWidth: targetWidth,
        inputs: targets[0].width, weights: weights, gain: gain, using: &generator)
    case .router:
      return try Router(
        .decoded(from: through.json, for: "router"), sourceWidth: source.width,
        inputs: targets.map(\.width), weights: weights, gain: gain, using: &generator)
    case nil:
      return try parts.part(through.name).unit(
        through.json, in: Slot(width: source.width, tokens: source.tokens, grid: source.grid),
        using: &generator)
    }
  }
}
