import Foundation

/// The settings of a part or a network: sensible without any being given, and strict about those
/// that are.
public protocol Configuration: Codable, Sendable, Equatable {
  /// The defaults.
  init()
  /// Refuses values that make no sense; called after decoding.
  func validate() throws
}

extension Configuration {
  public func validate() throws {}

  /// The defaults, changed by the keys of a JSON object.
  /// - Throws: ``Mistake`` for an unknown key (with the nearest known one) or an unfit value.
  public static func decoded(from json: JSONValue?, for owner: String) throws -> Self {
    guard let json else { return Self() }
    guard case .object(let given) = json else {
      throw Mistake("the configuration of \(owner) must be a JSON object, such as {}")
    }
    guard case .object(var merged) = try JSONValue(encoding: Self()) else {
      throw Mistake("the configuration of \(owner) has no keys")
    }
    for (key, value) in given {
      guard merged[key] != nil else {
        let mistake = unknownName("key", key, in: merged.keys)
        throw Mistake("configuration of \(owner): \(mistake.description)")
      }
      merged[key] = value
    }
    let result: Self
    do {
      result = try JSONDecoder().decode(Self.self, from: JSONEncoder().encode(JSONValue.object(merged)))
    } catch let DecodingError.typeMismatch(type, context) {
      let key = context.codingPath.map(\.stringValue).joined(separator: ".")
      throw Mistake("configuration of \(owner): '\(key)' must be \(describe(type))")
    } catch let DecodingError.dataCorrupted(context) {
      let key = context.codingPath.map(\.stringValue).joined(separator: ".")
      throw Mistake("configuration of \(owner): '\(key)' has an unfit value")
    }
    try result.validate()
    return result
  }

  private static func describe(_ type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type, is Float.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "a text"
    default: "a \(type)"
    }
  }
}

/// Stops with a ``Mistake`` unless `condition` holds.
public func expect(_ condition: Bool, _ mistake: @autoclosure () -> String) throws {
  if !condition { throw Mistake(mistake()) }
}
