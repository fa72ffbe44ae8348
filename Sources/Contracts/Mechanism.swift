import CallosumNetworks
import CallosumTensors

/// What a part can be used as.
public enum Kind: String, Codable, Sendable, CaseIterable {
  case tokenMixer = "token mixer"
  case channelMixer = "channel mixer"
  case neuronModel = "neuron model"
  case memory
  /// Maps functions on a grid to functions on a grid.
  case fieldOperator = "operator"
  /// A whole network with a shape of its own.
  case network
  case learningRule = "learning rule"
  /// What activity passes through on its way from one region of a composed network to another.
  case tract
  /// Looks into something trained.
  case probe
  /// Neither trained nor looked into: a computation such as a clustering or the check of a theorem.
  case procedure

  /// With its article, as sentences want it: "an operator".
  public var phrase: String {
    let beginsWithVowel = rawValue.first.map { "aeiou".contains($0) } ?? false
    return "\(beginsWithVowel ? "an" : "a") \(rawValue)"
  }
}

/// A published mechanism as a type: who it is, its settings, and how it is opened for inspection.
public protocol Mechanism: SendableMetatype {
  associatedtype Settings: Configuration
  static var card: Card { get }
  static var kind: Kind { get }
  /// Whether the tokens of its slot must lie in a grid.
  static var needsGrid: Bool { get }
  /// Settings and places off the beaten track in which it must work too; the conformance suite tries
  /// them after the defaults.
  static var trials: [Trial<Settings>] { get }
  /// Builds it and states what goes in and out.
  /// - Throws: `InvalidInput` if the settings do not suit the slot.
  static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door
}

extension Mechanism {
  public static var needsGrid: Bool { false }
}

/// Settings and a place to try a part in.
public struct Trial<Settings: Sendable>: Sendable {
  public let settings: Settings
  public let slot: Slot
  public init(_ settings: Settings, in slot: Slot) {
    self.settings = settings
    self.slot = slot
  }
}

/// A mechanism that is a layer on tokens: it can sit in the skeleton of a comparison or be a region of a
/// composed network.
public protocol UnitMechanism: Mechanism, StatefulLayer {
  /// - Throws: `InvalidInput` if the settings do not suit the slot.
  init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws
  /// Whether a token's result depends on no later token.
  var isCausal: Bool { get }
  /// Whether it takes any number of tokens, not only that of its slot.
  var takesAnyLength: Bool { get }
  /// Parameters that no gradient reaches, by the beginning of their names, and why.
  var withoutGradient: [String: String] { get }
  /// Whether derivatives pass through what has none, such as a spike, by something that stands for it.
  var hasSurrogateDerivatives: Bool { get }
  /// Whether some parameters start from random numbers.
  var startsAtRandom: Bool { get }
  /// What it can be told besides `x` and its state, each optional: masks, a context and the like.
  var besides: [TensorPort] { get }
  /// A step with what it was told besides, by the names of those ports.
  func forward(
    _ x: Tensor, _ state: State, besides: [String: Tensor]
  ) -> (output: Tensor, state: State)
}

extension UnitMechanism {
  public var isCausal: Bool { false }
  public var takesAnyLength: Bool { false }
  public var withoutGradient: [String: String] { [:] }
  public var hasSurrogateDerivatives: Bool { false }
  public var startsAtRandom: Bool { true }
  public var besides: [TensorPort] { [] }
  public func forward(
    _ x: Tensor, _ state: State, besides: [String: Tensor]
  ) -> (output: Tensor, state: State) {
    forward(x, state)
  }

  public func callAsFunction(
    _ x: Tensor, _ state: State, besides: [String: Tensor]
  ) -> (output: Tensor, state: State) {
    called(x) { forward($0, state, besides: besides) }
  }

  /// `x` [batch, tokens, width] and the carried state in, `y` [batch, tokens, outputWidth] and the state
  /// out.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let unit = try Self(settings, in: slot, using: &generator)
    let state = unit.initialState(batch: 1)
    let tokens: TensorPort.Extent = unit.takesAnyLength ? .free("tokens") : .fixed(slot.tokens)
    let carried = state.names.map { name in
      TensorPort(
        "state.\(name)", [.free("batch")] + state[name].shape.dropFirst().map(TensorPort.Extent.fixed),
        isOptional: true)
    }
    return Door(
      module: unit,
      inputs: [TensorPort("x", [.free("batch"), tokens, .fixed(slot.width)])] + carried
        + unit.besides,
      outputs: [TensorPort("y", [.free("batch"), tokens, .fixed(slot.outputWidth)])] + carried,
      sequenceAxis: 1, isCausal: unit.isCausal,
      hasSurrogateDerivatives: unit.hasSurrogateDerivatives,
      withoutGradient: unit.withoutGradient, startsAtRandom: unit.startsAtRandom
    ) { tensors, _ in
      guard let x = tensors["x"] else { return [:] }
      var before = unit.initialState(batch: x.dim(0)).mapped { $0.asType(x.dtype) }
      for name in before.names { tensors["state.\(name)"].map { before[name] = $0 } }
      let told = tensors.filter { name, _ in unit.besides.contains { $0.name == name } }
      let (y, after) = told.isEmpty ? unit(x, before) : unit(x, before, besides: told)
      var results = ["y": y]
      for name in after.names { results["state.\(name)"] = after[name] }
      return results
    }
  }
}
