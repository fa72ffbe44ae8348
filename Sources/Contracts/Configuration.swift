import Foundation

// What the rooms above throw lies beside the engine, so that methods that know no contract can throw it too.
@_exported import struct CallosumTensors.InvalidInput
@_exported import func CallosumTensors.require

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
  /// - Throws: `InvalidInput` for an unknown key (with the nearest known one) or an unfit value.
  public static func decoded(from json: JSONValue?, for owner: String) throws -> Self {
    guard let json else { return Self() }
    guard case .object(let given) = json else {
      throw InvalidInput("the configuration of \(owner) must be a JSON object, such as {}")
    }
    guard case .object(let defaults) = try JSONValue(encoding: Self()) else {
      throw InvalidInput("the configuration of \(owner) has no keys")
    }
    func decode(_ given: [String: JSONValue]) throws -> Self {
      let merged = JSONValue.object(defaults.merging(given) { $1 })
      return try JSONDecoder().decode(Self.self, from: JSONEncoder().encode(merged))
    }
    let result: Self
    do {
      result = try decode(given)
    } catch let error as DecodingError {
      // The decoder does not always say which value it means.
      let culprit = given.sorted { $0.key < $1.key }.first { (try? decode([$0.key: $0.value])) == nil }
      throw InvalidInput("configuration of \(owner): \(problem(error, culprit?.key, culprit?.value))")
    }
    try requireKnown(json, in: try JSONValue(encoding: result), owner)
    try result.validate()
    return result
  }

  /// Decoding passes over keys that it does not know; they are missing from what the settings encode
  /// to again.
  private static func requireKnown(_ given: JSONValue, in known: JSONValue, _ owner: String) throws {
    guard case .object(let given) = given, case .object(let known) = known else { return }
    for (key, value) in given.sorted(by: { $0.key < $1.key }) {
      guard let counterpart = known[key] else {
        throw InvalidInput("configuration of \(owner): \(unknownName("key", key, in: known.keys))")
      }
      try requireKnown(value, in: counterpart, "\(owner), \(key)")
    }
  }

  private static func problem(_ error: DecodingError, _ key: String?, _ value: JSONValue?) -> String {
    func path(_ context: DecodingError.Context) -> String {
      let names = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
      return "'\(names.joined(separator: "."))'"
    }
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "\(path(context)) must be \(describe(type))"
    case .keyNotFound(let key, let context):
      return "\(path(context)) lacks '\(key.stringValue)'"
    default:
      // A number is unfit where it has a fraction or is too large.
      if case .number? = value { return "'\(key ?? "")' must be a whole number" }
      return "'\(key ?? "")' has an unfit value"
    }
  }

  private static func describe(_ type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type, is Float.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "a text"
    case is [Any].Type: "a list"
    case is [String: Any].Type: "a JSON object"
    default: "a \(type)"
    }
  }
}
