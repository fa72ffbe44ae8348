/// Something a user asked for that cannot be done; described in one line that says what is wrong and
/// what to do.
public struct Mistake: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description.asOneLine }
}

/// Stops with a ``Mistake`` unless `condition` holds.
public func expect(_ condition: Bool, _ mistake: @autoclosure () -> String) throws {
  if !condition { throw Mistake(mistake()) }
}
