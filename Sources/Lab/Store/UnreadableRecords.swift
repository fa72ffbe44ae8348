import CallosumContracts
import Foundation
internal import GRDB
import Synchronization

extension RunStore {
  /// What `body` reads of one record. A record that cannot be decoded, because it is damaged or of a version
  /// that nobody knows, costs that record alone: nil, and one line on standard error.
  func ifReadable<Value>(_ record: String, _ body: () throws -> Value) throws -> Value? {
    do { return try body() } catch let error where RunStore.isDamage(error) {
      if unreadable.withLock({ $0.insert(record).inserted }) {
        Terminal.complain("\(record) of the store \(path) cannot be read and is left out")
      }
      return nil
    }
  }

  /// Whether an error says that a record cannot be decoded.
  static func isDamage(_ error: any Error) -> Bool {
    error is DecodingError || error is InvalidInput || error is DamagedValue
  }
}

/// A value in a table that is none of the kind that stands there.
struct DamagedValue: Error, CustomStringConvertible {
  let column: String
  var description: String { "a record of the store is damaged in its column '\(column)'" }
}

extension Row {
  /// The value of a column; GRDB's own subscript ends the program where that is of another kind.
  func value<Value: DatabaseValueConvertible>(
    _ column: String, as type: Value.Type = Value.self
  ) throws -> Value {
    guard let value = try optional(column, as: type) else { throw DamagedValue(column: column) }
    return value
  }

  /// The same, or nil where there is none.
  func optional<Value: DatabaseValueConvertible>(
    _ column: String, as type: Value.Type = Value.self
  ) throws -> Value? {
    guard hasColumn(column) else { throw DamagedValue(column: column) }
    let stored: DatabaseValue = self[column]
    if stored.isNull { return nil }
    guard let value = Value.fromDatabaseValue(stored) else { throw DamagedValue(column: column) }
    return value
  }

  /// What a record is called in messages, whatever stands there.
  func name(_ column: String) -> String {
    if let number = try? optional(column, as: Int64.self) { return "\(number)" }
    return (try? optional(column, as: String.self)) ?? "without a name"
  }

  /// A moment, which calendars must know.
  func date(_ column: String) throws -> Date? {
    guard let seconds = try optional(column, as: Double.self) else { return nil }
    guard abs(seconds) < 1e11 else { throw DamagedValue(column: column) }
    return Date(timeIntervalSince1970: seconds)
  }
}
