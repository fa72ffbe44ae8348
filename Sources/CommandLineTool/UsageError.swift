import CallosumContracts

/// A command line that makes no sense: a name that nobody knows, a value that an option cannot have, options
/// that contradict each other. The program ends with code 2 for it, and with 1 for everything else that goes
/// wrong: files, data, stores, tensors.
struct UsageError: Error, Equatable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
  init(_ refused: InvalidInput) { self.init(refused.description) }
}

/// What `body` makes of the command line; what it refuses there is the command line's fault.
/// - Throws: `UsageError` in place of `InvalidInput`.
func fromCommandLine<Result>(_ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let refused as InvalidInput {
    throw UsageError(refused)
  }
}

/// The case that an option names.
/// - Throws: `UsageError` with the nearest name.
func named<Choice: RawRepresentable<String> & CaseIterable>(
  _ kind: String, _ name: String, as type: Choice.Type = Choice.self
) throws -> Choice {
  guard let choice = Choice(rawValue: name) else {
    throw UsageError(unknownName(kind, name, in: Choice.allCases.map(\.rawValue)))
  }
  return choice
}
