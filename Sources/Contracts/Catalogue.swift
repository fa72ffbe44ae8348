import CallosumNetworks
import CallosumTensors

/// An entry of the catalogue: a card, and how to build the part from JSON settings.
public struct Part: Sendable {
  public let card: Card
  public let kind: Kind
  public let defaults: JSONValue
  /// Settings and places that the conformance suite tries.
  public var trials: [(settings: JSONValue, slot: Slot)] { makeTrials() }
  /// Whether the tokens of its slot must lie in a grid.
  public let needsGrid: Bool
  private typealias Builder<Result> =
    @Sendable (JSONValue?, Slot, inout RandomGenerator) throws -> Result
  private let makeTrials: @Sendable () -> [(settings: JSONValue, slot: Slot)]
  private let openDoor: Builder<Door>
  private let buildUnit: Builder<any StatefulLayer>?
  private let buildRule: (@Sendable (JSONValue?, inout RandomGenerator) throws -> any LearningRule)?

  /// Any mechanism as an entry.
  public init<M: Mechanism>(_ type: M.Type) { self.init(type, unit: nil) }

  /// A mechanism by which weights learn.
  public init<M: LearningRuleMechanism>(_ type: M.Type) {
    self.init(
      type, unit: nil,
      rule: { try M(M.Settings.decoded(from: $0, for: M.card.id), using: &$1) })
  }

  /// A mechanism that can be a layer of a network.
  public init<M: UnitMechanism>(_ type: M.Type) {
    self.init(type) { try M($0, in: $1, using: &$2) }
  }

  private init<M: Mechanism>(
    _ type: M.Type,
    unit: (@Sendable (M.Settings, Slot, inout RandomGenerator) throws -> any StatefulLayer)?,
    rule: (@Sendable (JSONValue?, inout RandomGenerator) throws -> any LearningRule)? = nil
  ) {
    let (id, needsGrid) = (M.card.id, M.needsGrid)
    @Sendable func settings(_ json: JSONValue?, _ slot: Slot) throws -> M.Settings {
      let settings = try M.Settings.decoded(from: json, for: id)
      if needsGrid { _ = try slot.requireGrid(id) }
      return settings
    }
    card = M.card
    kind = M.kind
    defaults = (try? JSONValue(encoding: M.Settings())) ?? .object([:])
    makeTrials = {
      M.trials.map { ((try? JSONValue(encoding: $0.settings)) ?? .object([:]), $0.slot) }
    }
    self.needsGrid = needsGrid
    buildRule = rule
    openDoor = { json, slot, random in try M.door(settings(json, slot), in: slot, using: &random) }
    if let unit {
      buildUnit = { json, slot, random in try unit(settings(json, slot), slot, &random) }
    } else {
      buildUnit = nil
    }
  }

  /// The part with its inputs and outputs by name.
  /// - Throws: `Mistake` for settings that are unknown or do not suit the slot.
  public func door(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    try openDoor(settings, slot, &generator)
  }

  /// The part as a layer on tokens [batch, tokens, width].
  /// - Throws: `Mistake` if it is no layer, or the settings are unknown or do not suit the slot.
  public func unit(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> any StatefulLayer {
    guard let buildUnit else {
      throw Mistake("\(card.id) is \(kind.phrase), which cannot be a layer of a network")
    }
    return try buildUnit(settings, slot, &generator)
  }

  /// The part as a learning rule.
  /// - Throws: `Mistake` if it is none or the settings are unknown.
  public func rule(
    _ settings: JSONValue? = nil, using generator: inout RandomGenerator
  ) throws -> any LearningRule {
    guard let buildRule else {
      throw Mistake("\(card.id) is \(kind.phrase), not a learning rule")
    }
    return try buildRule(settings, &generator)
  }

  /// The part as a token mixer.
  /// - Throws: `Mistake` if it is none, or as ``unit(_:in:using:)`` does.
  public func tokenMixer(
    _ settings: JSONValue? = nil, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> any Layer {
    guard kind == .tokenMixer, let layer = try unit(settings, in: slot, using: &generator) as? any Layer
    else { throw Mistake("\(card.id) is \(kind.phrase), not a token mixer") }
    return layer
  }
}

/// All parts of a program, by id.
public struct Catalogue: Sendable {
  public let parts: [Part]

  /// Ids must differ.
  public init(_ families: [Part]...) {
    parts = families.flatMap { $0 }
    var seen: Set<String> = []
    for part in parts {
      require(seen.insert(part.card.id).inserted, "Catalogue", "two parts have the id \(part.card.id)")
    }
  }

  /// - Throws: `Mistake` with the nearest id if there is no such part.
  public func part(_ id: String) throws -> Part {
    guard let part = parts.first(where: { $0.card.id == id }) else {
      throw unknownName("part", id, in: parts.map(\.card.id))
    }
    return part
  }
}
