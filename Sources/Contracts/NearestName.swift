/// The entry of `names` that is spelled most like `name` or has it as a part, if any is close enough to
/// be meant.
public func nearestName(to name: String, in names: some Sequence<String>) -> String? {
  // Nobody misspells so much, and the distance to it would take long.
  guard name.utf8.count <= 200 else { return nil }
  let wanted = name.lowercased()
  let ranked = names.map { (name: $0, distance: distance(wanted, $0.lowercased())) }
  guard let best = ranked.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
  return best.distance <= max(2, name.count / 2) ? best.name : nil
}

/// A part of a name such as "pooling" is as good as a name with one mistake.
private func distance(_ wanted: String, _ name: String) -> Int {
  wanted.count > 2 && wanted != name && name.contains(wanted) ? 1 : editDistance(wanted, name)
}

/// Insertions, deletions and replacements that lead from one word to the other (Levenshtein 1966).
private func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, letter) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (letter == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
    }
  }
  return row[b.count]
}

/// A mistake for a name that is not in a list, with the nearest that is, or some of those that are. With the
/// `path` that leads to all of them, names are given in full.
public func unknownName(
  _ kind: String, _ name: String, in names: some Sequence<String>, under path: String = ""
) -> InvalidInput {
  unknownName(kind, name, in: names, under: path, nearest: nearestName(to: name, in: names))
}

func unknownName(
  _ kind: String, _ name: String, in names: some Sequence<String>, under path: String, nearest: String?
) -> InvalidInput {
  let names = Array(names).sorted(), problem = "unknown \(kind) '\((path + name).clipped)'"
  if let nearest {
    return InvalidInput("\(problem); did you mean '\(path)\(nearest)'?")
  }
  let shown = names.count > 12 ? names.prefix(8) + ["and \(names.count - 8) others"] : names[...]
  return InvalidInput("\(problem); there are: \(shown.joined(separator: ", "))")
}

/// What is wrong with a word that must be one of a few: `must be one of a, b`, with the one that was probably
/// meant.
package func unfitChoice(_ given: String?, among choices: [String]) -> String {
  let nearest = given.flatMap { nearestName(to: $0, in: choices) }.map { "; did you mean '\($0)'?" }
  return "must be one of \(choices.joined(separator: ", "))" + (nearest ?? "")
}

extension String {
  /// Short enough for one line that says what is wrong with it.
  package var clipped: String { utf8.count > 80 && count > 80 ? "\(prefix(79))…" : self }
}
