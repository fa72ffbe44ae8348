import CallosumContracts
import Foundation

/// What a process that runs a part of a claim tells the one that started it, a line of JSON each.
package enum ClaimMessage: Sendable, Equatable, Codable {
  case progress(Double)
  case point(step: Int, metric: String, value: Double)
  case result(ClaimReport.Run)
  /// Ended without a result, and why.
  case failed(String)

  package var line: String {
    get throws { String(decoding: try ResultCoding.encoder(pretty: false).encode(self), as: UTF8.self) }
  }

  package init(line: String) throws {
    self = try ResultCoding.decoder.decode(ClaimMessage.self, from: Data(line.utf8))
  }
}

/// How results become JSON: numbers that are none are written as text, dates as ISO 8601.
package enum ResultCoding {
  package static func encoder(pretty: Bool) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys]
    encoder.dateEncodingStrategy = .iso8601
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }

  package static func text(_ value: some Encodable) throws -> String {
    String(decoding: try encoder(pretty: false).encode(value), as: UTF8.self)
  }

  package static func value<Value: Decodable>(_ text: String) throws -> Value {
    try decoder.decode(Value.self, from: Data(text.utf8))
  }

  /// `value` as a JSON document among others.
  package static func json(_ value: some Encodable) throws -> JSONValue { try self.value(text(value)) }

  package static func value<Value: Decodable>(_ json: JSONValue) throws -> Value {
    try value(text(json))
  }

  package static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }
}
