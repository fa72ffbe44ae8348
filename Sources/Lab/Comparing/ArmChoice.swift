import CallosumBrains
import CallosumContracts

/// One of the things that are to be compared: a part with settings, or a composed network.
public struct ArmChoice: Sendable {
  /// Unique in its comparison.
  public let id: String
  public let name: String
  let subject: Subject

  enum Subject: Sendable {
    case part(Part, JSONValue?)
    case brain(BrainPlan)
  }

  /// A part; with settings, they are part of its id and name.
  public init(_ part: Part, _ settings: JSONValue? = nil) {
    let words = settings.flatMap { settings -> String? in
      guard case .object(let table) = settings, !table.isEmpty else { return nil }
      return (try? ResultCoding.text(settings)) ?? nil
    }
    id = part.card.id + (words ?? "")
    name = part.card.name + (words.map { " \($0.replacing("\"", with: ""))" } ?? "")
    subject = .part(part, settings)
  }

  /// A composed network, called after itself or by `id`.
  public init(_ brain: BrainPlan, id: String) {
    self.id = id
    name = brain.name ?? id
    subject = .brain(brain)
  }

  /// What the store keeps of it.
  func json() throws -> JSONValue {
    switch subject {
    case .part(let part, let settings):
      .object(["part": .string(part.card.id), "settings": settings ?? .object([:])])
    case .brain(let plan): .object(["id": .string(id), "brain": try JSONValue(encoding: plan)])
    }
  }

  /// What the store kept.
  /// - Throws: `InvalidInput` if a part is not there any more.
  init(_ json: JSONValue, from catalogue: Catalogue) throws {
    guard case .object(let table) = json else {
      throw InvalidInput("an arm of the stored comparison is unreadable")
    }
    if case .string(let id)? = table["part"] {
      var settings = table["settings"]
      if settings == .object([:]) { settings = nil }
      self.init(try catalogue.part(id), settings)
    } else if case .string(let id)? = table["id"], let brain = table["brain"] {
      self.init(try ResultCoding.value(brain) as BrainPlan, id: id)
    } else {
      throw InvalidInput("an arm of the stored comparison names neither a part nor a brain")
    }
  }
}
