import CallosumContracts
import Foundation
import Synchronization

extension RunStore {
  /// What `body` reads of one record. A record that cannot be decoded, because it is damaged or of a version
  /// that nobody knows, costs that record alone: nil, and one line on standard error.
  func ifReadable<Value>(_ record: String, _ body: () throws -> Value) throws -> Value? {
    do { return try body() } catch let error where error is DecodingError || error is InvalidInput {
      if unreadable.withLock({ $0.insert(record).inserted }) {
        writeToStandardError("callosum: \(record) of the store \(path) cannot be read and is left out\n")
      }
      return nil
    }
  }
}
