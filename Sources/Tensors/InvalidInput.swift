/// Something a user asked for that cannot be done; described in one line that says what is wrong and
/// what to do.
public struct InvalidInput: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description.asOneLine }
}

/// Stops with a ``InvalidInput`` unless `condition` holds.
public func require(_ condition: Bool, _ mistake: @autoclosure () -> String) throws {
  if !condition { throw InvalidInput(mistake()) }
}
