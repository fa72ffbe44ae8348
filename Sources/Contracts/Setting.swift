import CallosumTensors

/// One setting of a part, for people to choose.
public struct Setting: Sendable, Equatable {
  /// Keys from the outside in, joined by points: `streams.heads`.
  public let path: String
  /// What it is without being given; nil for an object whose own settings follow.
  public let standard: JSONValue?
  /// What it can be, where that is one of a few words.
  public let choices: [String]?
  /// What the comment above it in its struct says; nil if nobody has read it (``DocumentedFields``).
  public let meaning: String?
}

extension Setting: Encodable {
  private enum CodingKeys: String, CodingKey {
    case path, choices, meaning
    case standard = "default"
  }
}

extension Configuration {
  /// Every setting in the order of the struct, those of an inner struct after it.
  public static var settings: [Setting] {
    let standard = Self()
    return (try? JSONValue(encoding: standard)).map { list(standard, $0, under: "") } ?? []
  }

  private static func list(_ value: Any, _ json: JSONValue, under path: String) -> [Setting] {
    guard case .object(let defaults) = json, let fields = settingFields(of: value) else { return [] }
    let meanings = (type(of: value) as? any DocumentedFields.Type)?.fieldDocumentation ?? [:]
    return fields.flatMap { name, field in
      // What may be missing is listed as it would be.
      let inner = list(field, defaults[name] ?? encoded(field) ?? .null, under: "\(path)\(name).")
      let own = Setting(
        path: path + name, standard: inner.isEmpty ? defaults[name] ?? .null : nil,
        choices: settingChoices(of: field), meaning: meanings[name])
      return [own] + inner
    }
  }
}
