import CallosumNetworks
import CallosumTensors

/// An entry of the catalogue: a card and how to build the part from JSON settings.
public struct Part: Sendable {
  public let card: Card
  public let kind: Kind
  public let defaults: JSONValue

  /// What a part can be used as.
  public enum Kind: Sendable {
    case tokenMixer(
      isCausal: Bool, needsGrid: Bool,
      build: @Sendable (JSONValue?, TokenSlot, inout RandomGenerator) throws -> any Layer)

    public var name: String {
      switch self {
      case .tokenMixer: "token mixer"
      }
    }
  }

  /// A token mixer as an entry.
  public static func tokenMixer<Mixer: TokenMixer>(_ type: Mixer.Type) -> Part {
    Part(
      card: Mixer.card,
      kind: .tokenMixer(isCausal: Mixer.isCausal, needsGrid: Mixer.needsGrid) { json, slot, generator in
        let settings = try Mixer.Settings.decoded(from: json, for: Mixer.card.id)
        if Mixer.needsGrid && slot.grid == nil {
          throw Mistake("\(Mixer.card.id) needs tokens in a grid, but this slot holds a sequence")
        }
        return try Mixer(settings, in: slot, using: &generator)
      },
      defaults: (try? JSONValue(encoding: Mixer.Settings())) ?? .object([:]))
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

  /// - Throws: ``Mistake`` with the nearest id if there is no such part.
  public func part(_ id: String) throws -> Part {
    guard let part = parts.first(where: { $0.card.id == id }) else {
      throw unknownName("part", id, in: parts.map(\.card.id))
    }
    return part
  }
}
