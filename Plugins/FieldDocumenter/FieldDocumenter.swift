import Foundation

/// Writes down, for every `Codable` struct of some source files, what the `///` lines above its fields say, so
/// that a running program knows it: a conformance to `DocumentedFields` for each.
///
/// It goes by the indentation, which swift-format keeps: what a type holds stands two spaces further in, until
/// a line that does not.
@main struct FieldDocumenter {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let output = arguments.first else {
      throw Problem(description: "usage: FieldDocumenter OUTPUT SOURCE...")
    }
    let documented = try arguments.dropFirst().flatMap { path in
      Reader.types(in: try String(contentsOfFile: path, encoding: .utf8))
    }
    let text = "import CallosumTensors\n" + documented.map(\.conformance).joined()
    // What says the same as before need not be compiled again.
    if (try? String(contentsOfFile: output, encoding: .utf8)) == text { return }
    try text.write(toFile: output, atomically: true, encoding: .utf8)
  }

  struct Problem: Error, CustomStringConvertible { let description: String }
}

/// A struct and the first paragraph above each of its fields.
struct DocumentedType {
  let name: String
  var fields: [(name: String, text: String)] = []

  var conformance: String {
    let entries = fields.map { "      \"\($0.name)\": \(literal($0.text)),\n" }.joined()
    return """

      extension \(name): DocumentedFields {
        public static var fieldDocumentation: [String: String] {
          [
      \(entries.isEmpty ? "      :\n" : entries)    ]
        }
      }

      """
  }

  private func literal(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped)\""
  }
}

/// Goes through the lines of a file.
private struct Reader {
  private struct Scope {
    let name: String
    let indentation: Int
    let isHidden: Bool
    /// Its place in `types`, if its fields are wanted.
    let type: Int?
  }

  private var scopes: [Scope] = []
  private var types: [DocumentedType] = []
  /// The `///` lines just above.
  private var comment: [Substring] = []

  static func types(in source: String) -> [DocumentedType] {
    var reader = Reader()
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() { reader.read(line, followedBy: lines[(index + 1)...]) }
    return reader.types.filter { !$0.fields.isEmpty }
  }

  private mutating func read(_ line: Substring, followedBy rest: ArraySlice<Substring>) {
    let content = line.drop { $0 == " " }, indentation = line.count - content.count
    guard !content.isEmpty else { return }
    if content.hasPrefix("///") { return comment.append(content.dropFirst(3)) }
    // Attributes stand between a comment and what it is about.
    if content.hasPrefix("@"), !content.contains(" ") { return }
    defer { comment = [] }
    while let scope = scopes.last, scope.indentation >= indentation { scopes.removeLast() }
    let declaration =
      /(?<modifiers>(?:[a-z@]+ )*)(?<kind>struct|class|enum|actor|extension|protocol) (?<name>[\w.]+)/
    if let match = content.prefixMatch(of: declaration) {
      let head = ([line] + rest.prefix { _ in !line.contains("{") }.prefix(4)).joined(separator: " ")
      let clause = head.prefix { $0 != "{" }
      let isHidden = match.modifiers.contains("private") || scopes.contains { $0.isHidden }
      let isWanted = match.kind == "struct" && !isHidden && clause.contains(/\b(Codable|Configuration)\b/)
      let name = (scopes.map(\.name) + [String(match.name)]).joined(separator: ".")
      if isWanted { types.append(DocumentedType(name: name)) }
      scopes.append(
        Scope(
          name: String(match.name), indentation: indentation, isHidden: isHidden,
          type: isWanted ? types.count - 1 : nil))
    } else if let scope = scopes.last, let type = scope.type, indentation == scope.indentation + 2,
      let match = content.prefixMatch(of: /(?:public |package |internal )?(?:var|let) (\w+)/),
      !content.contains("{") || content.contains(" = "), !comment.isEmpty
    {
      types[type].fields.append((String(match.output.1), summary))
    }
  }

  /// The first paragraph of the comment, in one line.
  private var summary: String {
    let lines = comment.map { $0.trimmingCharacters(in: .whitespaces) }
    return lines.prefix { !$0.isEmpty }.joined(separator: " ").replacing("``", with: "`")
  }
}
