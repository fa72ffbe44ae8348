import CallosumNetworks
import CallosumTensors

/// What activity passes through on its way from one region of a composed network to others.
public protocol TractMechanism: Mechanism, Module {
  static var traits: TractTraits { get }
  /// - Throws: `InvalidInput` if the settings do not suit the regions.
  init(_ settings: Settings, between ends: TractEnds, using generator: inout RandomGenerator) throws
  /// What arrives at each target, [batch, tokens, width that it takes], when the source does `source` [batch,
  /// tokens, width]. `target` is what the (first) target did one step before, for a tract that reads it.
  func carry(_ source: Tensor, target: Tensor?) -> [Tensor]
}

extension TractMechanism {
  public static var kind: Kind { .tract }
}

/// What a wiring must know of a tract before it is built.
public struct TractTraits: Sendable, Equatable {
  /// Whether as many numbers per token arrive as set out.
  public var keepsWidth: Bool
  /// Whether it asks what its target did one step before.
  public var readsTarget: Bool
  /// Whether it may lead to several regions.
  public var branches: Bool
  /// Whether it has weights that can start in different ways.
  public var hasWeights: Bool
  /// Whether it is the same linear map for every token, so that a mean over tokens may be taken before it.
  public var isLinear: Bool

  public init(
    keepsWidth: Bool = true, readsTarget: Bool = false, branches: Bool = false, hasWeights: Bool = false,
    isLinear: Bool = false
  ) {
    self.keepsWidth = keepsWidth
    self.readsTarget = readsTarget
    self.branches = branches
    self.hasWeights = hasWeights
    self.isLinear = isLinear
  }
}

/// The regions at the ends of a tract, and how its weights start.
public struct TractEnds: Sendable {
  /// What the source puts out.
  public let source: Slot
  /// What each target takes (`width`) and puts out (`outputWidth`).
  public let targets: [Slot]
  public let weights: TractWeights
  /// The initial weights are multiplied by this.
  public let gain: Double

  public init(source: Slot, targets: [Slot], weights: TractWeights = .fanInUniform, gain: Double = 1) {
    self.source = source
    self.targets = targets
    self.weights = weights
    self.gain = gain
  }
}

/// A part, built to carry activity between regions.
public struct BuiltTract {
  /// What learns or remembers.
  public let module: any Module
  public let initialState: (_ batch: Int) -> State
  /// See ``TractMechanism/carry(_:target:)``; with what the part keeps from one step to the next.
  public let carry: (_ source: Tensor, _ target: Tensor?, State) -> (arrivals: [Tensor], state: State)

  init(_ tract: any TractMechanism) {
    module = tract
    initialState = { _ in State() }
    carry = { source, target, state in (tract.carry(source, target: target), state) }
  }

  /// A layer on tokens as a tract to one region.
  init(_ unit: any StatefulLayer) {
    module = unit
    initialState = { unit.initialState(batch: $0) }
    carry = { source, _, state in
      let (y, after) = unit(source, state)
      return ([y], after)
    }
  }
}
