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

  /// The defaults, changed by the keys of a JSON object, at any depth: `{"streams": {"heads": 2}}` leaves the
  /// other fields of `streams` as they are. What is not a struct (a list, a dictionary, a case) is replaced.
  /// Where only one nested setting has a name, it can be said by itself: `{"heads": 2}`.
  /// - Throws: `InvalidInput` for an unknown key (with the nearest known one) or an unfit value.
  public static func decoded(from given: JSONValue?, for owner: String) throws -> Self {
    guard let given else { return Self() }
    guard case .object = given else {
      throw InvalidInput("the configuration of \(owner) must be a JSON object, such as {}")
    }
    let standard = Self()
    let defaults = try JSONValue(encoding: standard)
    func refusal(_ problem: String) -> InvalidInput { InvalidInput("configuration of \(owner): \(problem)") }
    let json: JSONValue
    do { json = try given.placed(in: defaults) } catch { throw refusal("\(error)") }
    func decode(_ given: JSONValue) throws -> Self {
      let whole = merged(given, into: defaults, of: standard)
      return try JSONDecoder().decode(Self.self, from: JSONEncoder().encode(whole))
    }
    let result: Self
    do {
      result = try decode(json)
    } catch let whole as DecodingError {
      // The decoder does not always say which value it means: it is the first that does not fit alone.
      for change in changes(json, of: standard) {
        do { _ = try decode(change.alone) } catch let error as DecodingError {
          throw refusal(problem(error, with: change))
        }
      }
      throw refusal(problem(whole, with: Change(path: [], value: json, field: standard)))
    }
    if let unknown = unknownKey(json, in: try JSONValue(encoding: result), of: result, under: "") {
      throw refusal(unknown.description)
    }
    try result.validate()
    return result
  }
}

// MARK: Merging

/// The fields of a struct by name; nil for anything else. A field that may be missing counts as what would
/// be there, by its defaults if it has some.
func settingFields(of value: Any) -> [(name: String, value: Any)]? {
  let value = unwrapped(value)
  let mirror = Mirror(reflecting: value)
  guard mirror.displayStyle == .struct else { return nil }
  return mirror.children.compactMap { child in child.label.map { ($0, unwrapped(child.value)) } }
}

private func unwrapped(_ value: Any) -> Any {
  guard let optional = value as? any OptionalSetting else { return value }
  return optional.content ?? value
}

private protocol OptionalSetting { var content: Any? { get } }

extension Optional: OptionalSetting {
  fileprivate var content: Any? { self ?? (Wrapped.self as? any Configuration.Type)?.init() as? Wrapped }
}

/// `given` over `defaults`, which is what `value` encodes to.
private func merged(_ given: JSONValue, into defaults: JSONValue?, of value: Any) -> JSONValue {
  guard case .object(let given) = given, let fields = settingFields(of: value) else { return given }
  var whole: [String: JSONValue] = [:]
  if case .object(let defaults)? = defaults ?? encoded(value) { whole = defaults }
  for (key, new) in given {
    let field = fields.first { $0.name == key }?.value
    whole[key] = field.map { merged(new, into: whole[key], of: $0) } ?? new
  }
  return .object(whole)
}

func encoded(_ value: Any) -> JSONValue? {
  (value as? any Encodable).flatMap { try? JSONValue(encoding: $0) }
}

/// One value that was given.
private struct Change {
  /// Keys from the outside in.
  let path: [String]
  let value: JSONValue
  /// What stands there by default; nil if nothing does.
  let field: Any?

  /// An object that gives nothing else.
  var alone: JSONValue { path.reversed().reduce(value) { .object([$1: $0]) } }
}

private func changes(_ given: JSONValue, of value: Any?, under path: [String] = []) -> [Change] {
  guard case .object(let given) = given, let value, let fields = settingFields(of: value) else {
    return [Change(path: path, value: given, field: value)]
  }
  return given.sorted { $0.key < $1.key }.flatMap { key, new in
    changes(new, of: fields.first { $0.name == key }?.value, under: path + [key])
  }
}

// MARK: Problems

/// Decoding passes over keys that it does not know; they are missing from what the settings encode to again.
private func unknownKey(
  _ given: JSONValue, in known: JSONValue, of value: Any?, under path: String
) -> InvalidInput? {
  switch (given, known) {
  case (.object(let given), .object(let known)):
    let fields = value.flatMap(settingFields) ?? []
    for (key, new) in given.sorted(by: { $0.key < $1.key }) {
      let field = fields.first { $0.name == key }
      // A field without a value is not encoded.
      if field != nil, new == .null { continue }
      guard let counterpart = known[key] else {
        let names = Set(known.keys).union(fields.map(\.name))
        let sayable = names.union(JSONValue.object(known).nestedNames)
        return unknownName("key", key, in: names, under: path, nearest: nearestName(to: key, in: sayable))
      }
      if let problem = unknownKey(new, in: counterpart, of: field?.value, under: "\(path)\(key).") {
        return problem
      }
    }
    return nil
  case (.array(let given), .array(let known)):
    return zip(given, known).enumerated().lazy.compactMap { place, pair in
      unknownKey(pair.0, in: pair.1, of: nil, under: "\(path)\(place).")
    }.first
  default: return nil
  }
}

private func problem(_ error: DecodingError, with change: Change) -> String {
  func name(_ path: [String]) -> String { "'\(path.joined(separator: ".").clipped)'" }
  func path(_ context: DecodingError.Context) -> [String] {
    context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
  }
  if let choices = change.field.flatMap(settingChoices) {
    let given: String? = if case .string(let word) = change.value { word } else { nil }
    return "\(name(change.path)) \(unfitChoice(given, among: choices))"
  }
  switch error {
  case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
    if let description = describe(type) { return "\(name(path(context))) must be \(description)" }
  case .keyNotFound(let key, let context):
    return "\(name(path(context))) lacks '\(key.stringValue)'"
  default: break
  }
  // A number is unfit where it has a fraction or is too large.
  if case .number = change.value { return "\(name(change.path)) must be a whole number" }
  let example = change.field.flatMap(encoded).flatMap { try? $0.line() }
  return "\(name(change.path)) has an unfit value" + (example.map { "; it can be \($0)" } ?? "")
}

private func describe(_ type: Any.Type) -> String? {
  switch type {
  case is Int.Type: "a whole number"
  case is Double.Type, is Float.Type: "a number"
  case is Bool.Type: "true or false"
  case is String.Type: "a text"
  case is [Any].Type: "a list"
  case is [String: Any].Type: "a JSON object"
  default: nil
  }
}

/// The words that a value can be, if it is one of a few.
func settingChoices(of value: Any) -> [String]? {
  func words<T: CaseIterable>(_ type: T.Type) -> [String]? {
    let words = T.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    return words.isEmpty ? nil : words
  }
  return (type(of: value) as? any CaseIterable.Type).flatMap { words($0) }
}
