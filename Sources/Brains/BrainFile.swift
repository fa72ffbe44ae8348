import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation
import Yams

/// A plan as it stands in a YAML file, with the lines of its regions and tracts, so that a mistake can
/// say where it is.
public struct BrainFile {
  public let plan: BrainPlan
  private let path: String
  private let lines: [String: Int]

  /// - Throws: `InvalidInput` that names the file, the line and the nearest word that is known.
  public init(path: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw InvalidInput("\(path) is a folder; name the YAML file of a brain")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw InvalidInput("\(path) cannot be read; check that it exists and that you may read it")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw InvalidInput("\(path) is not text in UTF-8")
    }
    try self.init(yaml: text, path: path)
  }

  /// - Parameter path: What the text is called in messages.
  /// - Throws: as ``init(path:)``.
  public init(yaml text: String, path: String = "the plan") throws {
    self.path = path
    var reader = Reader(path: path)
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw InvalidInput(reader.text(error))
    }
    guard let root, root.mapping != nil else {
      throw InvalidInput("\(path) must hold the words of a brain: \(Reader.words(BrainPlan.CodingKeys.self))")
    }
    let json = try reader.value(root, at: [])
    lines = reader.lines
    do {
      plan = try JSONDecoder().decode(BrainPlan.self, from: JSONEncoder().encode(json))
    } catch let error as DecodingError {
      throw InvalidInput(reader.text(error))
    }
  }

  /// Runs `body`, which looks for something that the plan names under `word`; a mistake in the name gets file
  /// and line.
  public func located<Result>(word: BrainPlan.CodingKeys, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as InvalidInput {
      guard let line = lines[word.rawValue] else { throw error }
      throw InvalidInput("\(path), line \(line): \(error.description)")
    }
  }

  /// Runs `body`; a ``BrainError`` becomes a mistake with file and line.
  public func located<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as BrainError {
      let key =
        switch error.place {
        case .plan: ""
        case .region(let index): "regions.\(index)"
        case .tract(let index): "tracts.\(index)"
        }
      throw InvalidInput("\(path), line \(lines[key] ?? 1): \(error.description)")
    }
  }
}

extension JSONValue {
  /// Settings as people write them: `{heads: 4, bias: false}`, or JSON.
  /// - Throws: `InvalidInput` with what is wrong.
  public init(yaml text: String, called name: String) throws {
    var reader = Reader(path: name)
    do {
      guard let root = try Yams.compose(yaml: text) else { throw InvalidInput("\(name) is empty") }
      self = try reader.value(root, at: ["settings"])
    } catch let error as YamlError {
      throw InvalidInput(reader.text(error))
    }
  }
}

extension BrainPlan {
  /// The plan in a YAML text.
  /// - Throws: `InvalidInput` with the line and the nearest word that is known.
  public init(yaml: String) throws { self = try BrainFile(yaml: yaml).plan }

  /// The plan as YAML; words that say what is so anyway are left out.
  public func yaml() throws -> String {
    func short(_ value: some Encodable, _ standard: some Encodable, keeping: Set<String>) throws -> JSONValue
    {
      guard case .object(let all) = try JSONValue(encoding: value),
        case .object(let usual) = try JSONValue(encoding: standard)
      else { return .null }
      return .object(all.filter { keeping.contains($0.key) || usual[$0.key] != $0.value })
    }
    func node(_ json: JSONValue, _ order: [String] = []) -> Node {
      switch json {
      case .null: return Node("null", Tag(.null))
      case .bool(let value): return Node(value ? "true" : "false", Tag(.bool))
      case .integer(let value): return Node("\(value)", Tag(.int))
      case .number(let value): return Node("\(value)", Tag(.float))
      // Quoted where it would be read as something else.
      case .string(let value):
        let isPlain = Node(value).tag == Tag(.str) || Resolver.default.resolveTag(of: Node(value)) == .str
        return Node(value, Tag(.str), isPlain ? .any : .doubleQuoted)
      case .array(let values): return Node(values.map { node($0) }, Tag(.seq), .flow)
      case .object(let table):
        let keys = table.keys.sorted {
          (order.firstIndex(of: $0) ?? .max, $0) < (order.firstIndex(of: $1) ?? .max, $1)
        }
        return Node(keys.compactMap { key in table[key].map { (Node(key), node($0)) } }, Tag(.map), .flow)
      }
    }
    let words = CodingKeys.allCases.map(\.rawValue)
    let regionWords = Region.CodingKeys.allCases.map(\.rawValue)
    let tractWords = Tract.CodingKeys.allCases.map(\.rawValue)
    let usual = BrainPlan(output: "", regions: [], tracts: [])
    guard case .object(var head) = try short(self, usual, keeping: ["output"]) else { return "" }
    head["regions"] = nil
    head["tracts"] = nil
    var pairs: [(Node, Node)] = words.compactMap { word in head[word].map { (Node(word), node($0)) } }
    let regionNodes = try regions.map {
      node(try short($0, Region("", part: ""), keeping: ["name", "part"]), regionWords)
    }
    let tractNodes = try tracts.map {
      node(try short($0, Tract("", to: ""), keeping: ["from", "to"]), tractWords)
    }
    pairs.append((Node("regions"), Node(regionNodes, Tag(.seq), .block)))
    pairs.append((Node("tracts"), Node(tractNodes, Tag(.seq), .block)))
    return try Yams.serialize(node: Node(pairs, Tag(.map), .block), width: -1, allowUnicode: true)
  }
}

/// Turns YAML into JSON values, refuses words that nobody knows, and remembers lines.
private struct Reader {
  let path: String
  /// The line of each value by its path, such as `regions.0.width`.
  var lines: [String: Int] = [:]
  /// The text of each value that is one, likewise.
  private var texts: [String: String] = [:]

  init(path: String) { self.path = path }

  static func words<Key: CodingKey & CaseIterable & RawRepresentable>(_ keys: Key.Type) -> String
  where Key.RawValue == String {
    keys.allCases.map(\.rawValue).joined(separator: ", ")
  }

  /// The words that may stand at a place; nil where a part decides.
  private func words(at place: [String]) -> [String]? {
    switch (place.first, place.count) {
    case (nil, _): BrainPlan.CodingKeys.allCases.map(\.rawValue)
    case ("regions", 2): Region.CodingKeys.allCases.map(\.rawValue)
    case ("tracts", 2): Tract.CodingKeys.allCases.map(\.rawValue)
    default: nil
    }
  }

  mutating func value(_ node: Node, at place: [String]) throws -> JSONValue {
    let line = node.mark?.line ?? 1
    lines[place.joined(separator: ".")] = line
    switch node {
    case .mapping(let mapping):
      let known = words(at: place)
      var table: [String: JSONValue] = [:]
      for (key, child) in mapping {
        let line = key.mark?.line ?? line
        guard let word = key.string else {
          throw InvalidInput("\(path), line \(line): a word must be a text")
        }
        if let known, !known.contains(word) {
          throw InvalidInput("\(path), line \(line): \(unknownName("word", word, in: known))")
        }
        if table[word] != nil { throw InvalidInput("\(path), line \(line): '\(word)' is said twice") }
        table[word] = try value(child, at: place + [word])
      }
      return .object(table)
    case .sequence(let sequence):
      return .array(
        try sequence.enumerated().map { index, child in try value(child, at: place + ["\(index)"]) })
    case .scalar(let scalar):
      texts[place.joined(separator: ".")] = scalar.string
      // A quoted scalar is a text whatever it looks like.
      if scalar.style == .singleQuoted || scalar.style == .doubleQuoted { return .string(scalar.string) }
      if node.null != nil { return .null }
      if let value = node.bool { return .bool(value) }
      if let value = node.int { return .integer(value) }
      if let value = node.float {
        if !value.isFinite { throw InvalidInput("\(path), line \(line): \(scalar.string) is no number") }
        return Int(exactly: value).map(JSONValue.integer) ?? .number(value)
      }
      return .string(scalar.string)
    case .alias(let alias):
      throw InvalidInput("\(path), line \(line): unknown alias '\(alias.anchor)'")
    }
  }

  func text(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return "\(path), line \(mark.line): \(problem)"
    case .duplicatedKeysInMapping(let keys, let context):
      return "\(path), line \(context.mark.line): said twice: \(keys.sorted().joined(separator: ", "))"
    default: return "\(path) is no YAML: \("\(error)".split(separator: "\n").joined(separator: " "))"
    }
  }

  func text(_ error: DecodingError) -> String {
    func describe(_ type: Any.Type) -> String {
      switch type {
      case is Int.Type: "a whole number"
      case is Double.Type: "a number"
      case is Bool.Type: "true or false"
      case is String.Type: "a text"
      case is [Any].Type: "a list"
      default: "a table of words"
      }
    }
    func place(_ context: DecodingError.Context) -> (line: Int, name: String) {
      let parts = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
      // A value that is missing has no line; what it is missing from has.
      var known = parts
      while !known.isEmpty, lines[known.joined(separator: ".")] == nil { known.removeLast() }
      return (lines[known.joined(separator: ".")] ?? 1, parts.joined(separator: "."))
    }
    switch error {
    case .keyNotFound(let key, let context):
      let (line, name) = place(context)
      return "\(path), line \(line): \(name.isEmpty ? "the plan" : name) lacks '\(key.stringValue)'"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      let (line, name) = place(context)
      return "\(path), line \(line): \(name) must be \(describe(type))"
    case .dataCorrupted(let context):
      let (line, name) = place(context)
      let word = context.codingPath.last?.stringValue ?? ""
      let choices: [String]? =
        switch word {
        case "weights": TractWeights.allCases.map(\.rawValue)
        case "presentation": BrainPlan.Presentation.allCases.map(\.rawValue)
        case "readout": BrainPlan.Readout.allCases.map(\.rawValue)
        default: nil
        }
      if let choices {
        return "\(path), line \(line): \(name) \(unfitChoice(texts[name], among: choices))"
      }
      let isOurs = context.debugDescription.hasPrefix("must be")
      return "\(path), line \(line): \(name) \(isOurs ? context.debugDescription : "has an unfit value")"
    @unknown default: return "\(path): \(error)"
    }
  }
}
