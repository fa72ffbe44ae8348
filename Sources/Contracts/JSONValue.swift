import Foundation

/// Any JSON document as a value: lets configurations of all kinds travel in one type.
public enum JSONValue: Codable, Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// What `value` encodes to. JSON has no number for what is none: it becomes the text "nan", "inf" or "-inf",
  /// here and in ``text()``.
  public init(encoding value: some Encodable) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: JSONValue.encoder().encode(value))
  }

  private static func encoder(_ formatting: JSONEncoder.OutputFormatting = []) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }

  /// Reads a document, and is stricter than Foundation, which passes over a comma before a closing bracket and
  /// takes the first of two equal keys.
  /// - Throws: `InvalidInput` that says what is wrong with it.
  public init(parsing text: String) throws {
    // With zeros it could be read as UTF-16.
    guard !text.utf8.contains(0), let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    else {
      throw InvalidInput("this is not JSON")
    }
    try requireStrictness(ofJSON: text)
    self = value
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }

  /// Indented text, keys in order.
  public func text() throws -> String {
    let encoder = JSONValue.encoder([.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// The same in one line.
  package func line() throws -> String {
    let encoder = JSONValue.encoder([.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}

/// Refuses what Foundation lets through in `text`, which is JSON otherwise.
private func requireStrictness(ofJSON text: String) throws {
  /// The keys so far of each object or list that is open.
  var keys: [Set<String>] = []
  var previous: UInt8 = 0
  var rest = text.utf8[...]
  while let byte = rest.first {
    let start = rest
    rest = rest.dropFirst()
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): continue
    case UInt8(ascii: "{"), UInt8(ascii: "["): keys.append([])
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      try require(
        previous != UInt8(ascii: ","), "a comma stands before '\(Character(Unicode.Scalar(byte)))'")
      keys.removeLast()
    case UInt8(ascii: "\""):
      while let inside = rest.popFirst(), inside != byte {
        if inside == UInt8(ascii: "\\") { rest = rest.dropFirst() }
      }
      let isKey = rest.first { !" \t\n\r".utf8.contains($0) } == UInt8(ascii: ":")
      guard isKey else { break }
      let quoted = Data(start[..<rest.startIndex])
      let key = try JSONDecoder().decode(String.self, from: quoted)
      let isNew = keys[keys.count - 1].insert(key).inserted
      try require(isNew, "the key '\(key.clipped)' is given twice")
    default: break
    }
    previous = byte
  }
}

// Settings in Swift look as they do in JSON: ["heads": 4, "bias": false].

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A whole number is an integer, as it is after a journey through JSON.
  public init(floatLiteral value: Double) {
    self = Int(exactly: value).map(JSONValue.integer) ?? .number(value)
  }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// Of equal keys the last one counts.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { $1 })
  }
}
