import CallosumContracts
import CallosumNetworks
import CallosumTensors

extension Catalogue {
  /// What tracts of every brain can pass through.
  public static let brains: [Part] = [
    Part(DirectTract.self),
    Part(Projection.self),
  ]
}

/// ``Projection`` as a tract, the usual one.
extension Projection: TractMechanism {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let traits = TractTraits(keepsWidth: false, hasWeights: true, isLinear: true)
  public static let card = Card(
    id: "projection", name: "Projection", family: .modularity,
    paper: Paper(
      "The Perceptron: A Probabilistic Model for Information Storage and Organization in "
        + "the Brain",
      by: ["Frank Rosenblatt"],
      year: 1958, link: "https://doi.org/10.1037/h0042519"),
    summary: "Every unit of a region reaches every unit of another through a weight of its own.",
    verification: "its formula; derivatives by differences")

  public static var trials: [Trial<Settings>] {
    [
      Trial(Settings(), in: Slot(width: 7, outputWidth: 3, tokens: 2)),
      Trial(Settings(), in: Slot(width: 1, outputWidth: 4, tokens: 1)),
    ]
  }

  public convenience init(
    _ settings: Settings, between ends: TractEnds, using generator: inout RandomGenerator
  ) throws {
    self.init(
      ends.source.width, ends.targets[0].width, weights: ends.weights, gain: ends.gain, using: &generator)
  }

  public func carry(_ source: Tensor, target: Tensor?) -> [Tensor] { [self(source)] }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    .tokens(Projection(slot.width, slot.outputWidth, using: &generator), in: slot)
  }
}

/// Nothing on the way: what arrives is what the source does. No parameters.
public final class DirectTract: Layer, TractMechanism {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let traits = TractTraits(isLinear: true)
  public static let card = Card(
    id: "direct", name: "Direct tract", family: .modularity,
    paper: Paper(
      "Deep Residual Learning for Image Recognition",
      by: ["Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"],
      year: 2015, link: "https://arxiv.org/abs/1512.03385"),
    summary: "Activity passes as it is, unit by unit, between regions of one width.",
    verification: "nothing changes, values and derivatives")

  public static var trials: [Trial<Settings>] {
    [Trial(Settings(), in: Slot(width: 7, tokens: 2)), Trial(Settings(), in: Slot(width: 1, tokens: 1))]
  }

  public init() {}

  public convenience init(
    _ settings: Settings, between ends: TractEnds, using generator: inout RandomGenerator
  ) throws { self.init() }

  public func carry(_ source: Tensor, target: Tensor?) -> [Tensor] { [source] }
  public func forward(_ x: Tensor) -> Tensor { x }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    try slot.requireEqualWidths(card.id)
    return .tokens(DirectTract(), in: slot)
  }
}

extension Door {
  /// `x` [batch, tokens, width] in, `y` out, through a layer that takes any number of tokens.
  fileprivate static func tokens(_ layer: any Layer, in slot: Slot) -> Door {
    func port(_ name: String, _ width: Int) -> TensorPort {
      TensorPort(name, [.free("batch"), .free("tokens"), .fixed(width)])
    }
    return Door(
      module: layer, inputs: [port("x", slot.width)], outputs: [port("y", slot.outputWidth)],
      sequenceAxis: 1, isCausal: true
    ) { tensors, _ in tensors["x"].map { ["y": layer($0)] } ?? [:] }
  }
}
