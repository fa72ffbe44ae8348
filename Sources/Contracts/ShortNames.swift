// Names of nested settings that are said without the name of what they are in.

extension JSONValue {
  /// These settings with every name at its place: a name that is no setting by itself, but that of one nested
  /// setting only, is taken for that one, `{heads: 4}` for `{streams: {heads: 4}}`.
  /// - Throws: `InvalidInput` if a setting is said both ways.
  package func placed(in defaults: JSONValue) throws -> JSONValue {
    guard case .object(let given) = self, case .object(let known) = defaults else { return self }
    var placed = given.filter { known[$0.key] != nil }
    for (name, value) in given where known[name] == nil {
      let homes = known.filter { $0.value.holds(name) }
      guard homes.count == 1, let (home, inner) = homes.first else {
        placed[name] = value
        continue
      }
      // What is no object takes no name in, and is refused as it stands.
      guard case .object(let nested) = placed[home] ?? .object([:]),
        case .object(let table) = try JSONValue.object([name: value]).placed(in: inner)
      else {
        placed[name] = value
        continue
      }
      placed[home] = .object(try nested.adding(table, under: home))
    }
    return .object(placed)
  }

  /// The names of all that is nested in these settings, at any depth.
  var nestedNames: Set<String> {
    guard case .object(let table) = self else { return [] }
    return Set(
      table.values.flatMap { value in
        guard case .object(let inner) = value else { return Set<String>() }
        return value.nestedNames.union(inner.keys)
      })
  }

  private func holds(_ name: String) -> Bool {
    guard case .object(let table) = self else { return false }
    return table[name] != nil || nestedNames.contains(name)
  }
}

extension [String: JSONValue] {
  fileprivate func adding(_ others: Self, under path: String) throws -> Self {
    try merging(others) { mine, other in
      guard case .object(let mine) = mine, case .object(let other) = other else {
        let names = others.keys.filter { self[$0] != nil }.sorted().joined(separator: ", ")
        throw InvalidInput("'\(names)' is said twice, by itself and in '\(path)'")
      }
      return .object(try mine.adding(other, under: path))
    }
  }
}
