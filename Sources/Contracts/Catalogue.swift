import CallosumNetworks
import CallosumTensors

/// An entry of the catalogue: a card, and how to build the part from JSON settings.
public struct Part: Sendable {
  public let card: Card
  public let kind: Kind
  public let defaults: JSONValue
  /// What can be set, with what each setting means.
  public let settings: [Setting]
  /// Settings and places that the conformance suite tries.
  public var trials: [(settings: JSONValue, slot: Slot)] { makeTrials() }
  /// Whether the tokens of its slot must lie in a grid.
  public let needsGrid: Bool
  /// The central claim of its paper, if it can be re-checked.
  public let claim: Claim?
  private typealias Builder<Result> =
    @Sendable (JSONValue?, Slot, inout RandomGenerator) throws -> Result
  private let makeTrials: @Sendable () -> [(settings: JSONValue, slot: Slot)]
  private let openDoor: Builder<Door>
  private let buildUnit: Builder<any StatefulLayer>?
  private let buildRule: (@Sendable (JSONValue?, inout RandomGenerator) throws -> any LearningRule)?
  private let buildTract: (@Sendable (JSONValue?, TractEnds, inout RandomGenerator) throws -> BuiltTract)?
  /// What a wiring must know of the part as a tract; nil if it cannot be one.
  public let tractTraits: TractTraits?

  /// Any mechanism as an entry.
  public init<M: Mechanism>(_ type: M.Type, claim: Claim? = nil) { self.init(type, claim, unit: nil) }

  /// A mechanism by which weights learn.
  public init<M: LearningRuleMechanism>(_ type: M.Type, claim: Claim? = nil) {
    self.init(
      type, claim, unit: nil,
      rule: { try M(M.Settings.decoded(from: $0, for: M.card.id), using: &$1) })
  }

  /// A mechanism on the way between regions.
  public init<M: TractMechanism>(_ type: M.Type, claim: Claim? = nil) {
    self.init(
      type, claim, unit: nil, traits: M.traits,
      tract: { BuiltTract(try M(M.Settings.decoded(from: $0, for: M.card.id), between: $1, using: &$2)) })
  }

  /// A mechanism that can be a layer of a network, or a tract that keeps the width.
  public init<M: UnitMechanism>(_ type: M.Type, claim: Claim? = nil) {
    self.init(
      type, claim, unit: { try M($0, in: $1, using: &$2) }, traits: TractTraits(),
      tract: {
        let slot = Slot(width: $1.source.width, tokens: $1.source.tokens, grid: $1.source.grid)
        return BuiltTract(try M(M.Settings.decoded(from: $0, for: M.card.id), in: slot, using: &$2))
      })
  }

  private init<M: Mechanism>(
    _ type: M.Type, _ claim: Claim?,
    unit: (@Sendable (M.Settings, Slot, inout RandomGenerator) throws -> any StatefulLayer)?,
    rule: (@Sendable (JSONValue?, inout RandomGenerator) throws -> any LearningRule)? = nil,
    traits: TractTraits? = nil,
    tract: (@Sendable (JSONValue?, TractEnds, inout RandomGenerator) throws -> BuiltTract)? = nil
  ) {
    let (id, needsGrid) = (M.card.id, M.needsGrid)
    @Sendable func settings(_ json: JSONValue?, _ slot: Slot) throws -> M.Settings {
      let settings = try M.Settings.decoded(from: json, for: id)
      if needsGrid { _ = try slot.requireGrid(id) }
      return settings
    }
    card = M.card
    self.claim = claim
    kind = M.kind
    self.settings = M.Settings.settings
    defaults = (try? JSONValue(encoding: M.Settings())) ?? .object([:])
    makeTrials = {
      M.trials.map { ((try? JSONValue(encoding: $0.settings)) ?? .object([:]), $0.slot) }
    }
    self.needsGrid = needsGrid
    buildRule = rule
    tractTraits = traits
    buildTract = tract
    openDoor = { json, slot, random in try M.door(settings(json, slot), in: slot, using: &random) }
    if let unit {
      buildUnit = { json, slot, random in try unit(settings(json, slot), slot, &random) }
    } else {
      buildUnit = nil
    }
  }

  /// Whether it can teach the weights of any layer.
  public var isRule: Bool { buildRule != nil }

  /// Whether it can be a layer on tokens.
  public var isLayer: Bool { buildUnit != nil }

  /// The part with its inputs and outputs by name.
  /// - Throws: `InvalidInput` for settings that are unknown or do not suit the slot.
  public func door(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    try openDoor(settings, slot, &generator)
  }

  /// The part as a layer on tokens [batch, tokens, width].
  /// - Throws: `InvalidInput` if it is no layer, or the settings are unknown or do not suit the slot.
  public func unit(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> any StatefulLayer {
    guard let buildUnit else {
      throw InvalidInput("\(card.id) is \(kind.phrase), which cannot be a layer of a network")
    }
    return try buildUnit(settings, slot, &generator)
  }

  /// The part as a learning rule.
  /// - Throws: `InvalidInput` if it is none or the settings are unknown.
  public func rule(
    _ settings: JSONValue? = nil, using generator: inout RandomGenerator
  ) throws -> any LearningRule {
    guard let buildRule else {
      throw InvalidInput(
        kind == .learningRule
          ? "\(card.id) teaches a network of its own and no other layers"
          : "\(card.id) is \(kind.phrase), not a learning rule")
    }
    return try buildRule(settings, &generator)
  }

  /// The part on the way between regions.
  /// - Throws: `InvalidInput` if it is nothing that activity could pass through, or the settings are unknown or
  ///   do not suit the regions.
  public func tract(
    _ settings: JSONValue? = nil, between ends: TractEnds, using generator: inout RandomGenerator
  ) throws -> BuiltTract {
    guard let buildTract else {
      throw InvalidInput("\(card.id) is \(kind.phrase), which no tract can pass through")
    }
    return try buildTract(settings, ends, &generator)
  }

  /// The part as a token mixer.
  /// - Throws: `InvalidInput` if it is none, or as ``unit(_:in:using:)`` does.
  public func tokenMixer(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> any Layer {
    guard kind == .tokenMixer, let layer = try unit(settings, in: slot, using: &generator) as? any Layer
    else { throw InvalidInput("\(card.id) is \(kind.phrase), not a token mixer") }
    return layer
  }
}

/// What a program has to choose from: parts with their claims, tasks, and skeletons that put parts to work.
public struct Catalogue: Sendable {
  public let parts: [Part]
  public let tasks: [TaskEntry]
  /// The first that suits a part and a task is taken.
  public let skeletons: [Skeleton]

  /// Ids must differ within each list.
  public init(_ families: [Part]..., tasks: [TaskEntry] = [], skeletons: [Skeleton] = []) {
    self.init(families.flatMap { $0 }, tasks, skeletons)
  }

  private init(_ parts: [Part], _ tasks: [TaskEntry], _ skeletons: [Skeleton]) {
    for (kind, ids) in [
      ("parts", parts.map(\.card.id)), ("tasks", tasks.map(\.id)), ("skeletons", skeletons.map(\.id)),
    ] {
      var seen: Set<String> = []
      for id in ids {
        precondition(seen.insert(id).inserted, "Catalogue", "two \(kind) have the id \(id)")
      }
    }
    (self.parts, self.tasks, self.skeletons) = (parts, tasks, skeletons)
  }

  /// This and more of each kind: how an outside package adds its own.
  public func adding(
    parts: [Part] = [], tasks: [TaskEntry] = [], skeletons: [Skeleton] = []
  ) -> Catalogue {
    Catalogue(self.parts + parts, self.tasks + tasks, self.skeletons + skeletons)
  }

  /// - Throws: `InvalidInput` with the nearest id if there is no such part.
  public func part(_ id: String) throws -> Part {
    guard let part = parts.first(where: { $0.card.id == id }) else {
      throw unknownName("part", id, in: parts.map(\.card.id))
    }
    return part
  }

  /// The claims of all parts.
  public var claims: [Claim] { parts.compactMap(\.claim) }

  /// - Throws: `InvalidInput` with the nearest id if there is no such claim.
  public func claim(_ id: String) throws -> Claim {
    guard let claim = claims.first(where: { $0.id == id }) else {
      throw unknownName("claim", id, in: claims.map(\.id))
    }
    return claim
  }

  /// - Throws: `InvalidInput` with the nearest id if there is no such task, or what making it throws.
  public func task(_ id: String, seed: UInt64 = 0) throws -> any LearningTask {
    guard let entry = tasks.first(where: { $0.id == id }) else {
      throw unknownName("task", id, in: tasks.map(\.id))
    }
    return try entry.make(seed)
  }

  /// The skeleton that puts a part to work on a task.
  /// - Throws: `InvalidInput` if none does, with the reason.
  public func skeleton(for part: Part, on task: any LearningTask) throws -> Skeleton {
    var reason: String?
    for skeleton in skeletons {
      switch skeleton.fit(part, task) {
      case .good: return skeleton
      case .bad(let why): reason = reason ?? why
      case .otherKind: break
      }
    }
    throw InvalidInput(
      reason ?? "\(part.card.id) is \(part.kind.phrase); nothing puts one to work on a task by itself")
  }
}
