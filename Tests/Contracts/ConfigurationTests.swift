import CallosumContracts
import CallosumTensors
import Foundation
import Testing

private struct Settings: Configuration {
  enum Kind: String, Codable, CaseIterable { case plain, gated }
  enum Course: Codable, Equatable {
    case constant
    case cosine(warmup: Int, final: Double)
    case staircase(every: Int)
  }
  struct Inner: Codable, Equatable {
    var depth = 2
    var width = 3
    var leaf = Leaf()
  }
  struct Leaf: Configuration, DocumentedFields {
    var size = 1
    var sign = -1
    static let fieldDocumentation = ["size": "How large."]
  }
  var heads = 4
  var rate = 0.5
  var bias = true
  var title = "none"
  var kind = Kind.plain
  var windows = [3, 5]
  var inner = Inner()
  var course = Course.cosine(warmup: 40, final: 0.5)
  var free: [String: JSONValue] = ["kept": 1]
  var extra: Leaf?
  var pairs = [Leaf()]
  init() {}
  func validate() throws { try require(heads > 0, "heads must be at least 1, is \(heads)") }
}

@Suite struct ConfigurationTests {
  private func decoded(_ json: String) throws -> Settings {
    try .decoded(from: try JSONValue(parsing: json), for: "mixer")
  }

  private func message(_ json: String) -> String {
    do {
      return "no error: \(try decoded(json))"
    } catch let mistake as InvalidInput { return mistake.description } catch {
      return "not a InvalidInput: \(error)"
    }
  }

  @Test func defaults() throws {
    #expect(try decoded("{}") == Settings())
    #expect(try Settings.decoded(from: nil, for: "mixer") == Settings())
  }

  @Test func someKeysOnly() throws {
    let settings = try decoded(
      #"{"heads": 8, "rate": 1, "bias": false, "title": "ä", "kind": "gated", "windows": []}"#)
    #expect(settings.heads == 8 && settings.rate == 1 && !settings.bias && settings.title == "ä")
    #expect(settings.kind == .gated && settings.windows == [] && settings.inner.depth == 2)
  }

  @Test func roundTrip() throws {
    var settings = Settings()
    (settings.heads, settings.rate, settings.inner.depth) = (7, 1e-9, 5)
    let json = try JSONValue(encoding: settings)
    #expect(try Settings.decoded(from: json, for: "mixer") == settings)
    #expect(try decoded(try json.text()) == settings)
  }

  @Test func unknownKeys() {
    #expect(
      message(#"{"head": 8}"#) == "configuration of mixer: unknown key 'head'; did you mean 'heads'?")
    #expect(
      message(#"{"zzzzzzzzz": 8}"#)
        == "configuration of mixer: unknown key 'zzzzzzzzz'; there are: bias, course, extra, free, heads,"
        + " inner, kind, pairs, rate, title, windows")
    let long = String(repeating: "x", count: 10_000)
    #expect(message("{\"\(long)\": 8}").count < 250)
  }

  @Test(
    arguments: [
      (#"{"inner": {"depth": 3, "dept": 2}}"#, "inner.dept", "inner.depth"),
      (#"{"inner": {"leaf": {"siz": 2}}}"#, "inner.leaf.siz", "inner.leaf.size"),
      (#"{"extra": {"sing": 2}}"#, "extra.sing", "extra.sign"),
      (
        #"{"pairs": [{"size": 1, "sign": 1}, {"size": 1, "sign": 1, "sizes": 0}]}"#, "pairs.1.sizes",
        "pairs.1.size"
      ),
      (
        #"{"course": {"cosine": {"warmup": 1, "final": 0, "warm": 2}}}"#, "course.cosine.warm",
        "course.cosine.warmup"
      ),
    ] as [(String, String, String)])
  func unknownKeysWithin(_ json: String, _ path: String, _ meant: String) {
    #expect(message(json) == "configuration of mixer: unknown key '\(path)'; did you mean '\(meant)'?")
  }

  /// What only one nested setting is called can be said by itself.
  @Test func shortNames() throws {
    var expected = Settings()
    expected.inner.depth = 9
    #expect(try decoded(#"{"depth": 9}"#) == expected)
    expected.inner.leaf.size = 7
    #expect(try decoded(#"{"depth": 9, "size": 7}"#) == expected)
    #expect(try decoded(#"{"depth": 9, "inner": {"leaf": {"size": 7}}}"#) == expected)
    #expect(message(#"{"dept": 9}"#) == "configuration of mixer: unknown key 'dept'; did you mean 'depth'?")
    for both in [#"{"depth": 9, "inner": {"depth": 3}}"#, #"{"inner": {"depth": 9}, "depth": 9}"#] {
      #expect(
        message(both) == "configuration of mixer: 'depth' is said twice, by itself and in 'inner'")
    }
    #expect(message(#"{"depth": 9, "inner": 3}"#).hasPrefix("configuration of mixer: "))
  }

  /// What is not given stays as it is, however deep.
  @Test func inPartAtAnyDepth() throws {
    var expected = Settings()
    #expect(try decoded(#"{"inner": {}}"#) == expected)
    expected.inner.leaf.size = 7
    #expect(try decoded(#"{"inner": {"leaf": {"size": 7}}}"#) == expected)
    (expected.inner.depth, expected.heads) = (9, 1)
    #expect(try decoded(#"{"heads": 1, "inner": {"depth": 9, "leaf": {"size": 7}}}"#) == expected)
    expected = Settings()
    expected.extra = Settings.Leaf()
    expected.extra?.sign = 1
    #expect(try decoded(#"{"extra": {"sign": 1}}"#) == expected)
    #expect(try decoded(#"{"extra": null}"#) == Settings())
  }

  /// Lists, dictionaries and cases are one value each.
  @Test func wholeValuesAreReplaced() throws {
    #expect(try decoded(#"{"course": {"staircase": {"every": 5}}}"#).course == .staircase(every: 5))
    #expect(try decoded(#"{"course": {"constant": {}}}"#).course == .constant)
    #expect(try decoded(#"{"free": {"any": {"thing": 2}}}"#).free == ["any": ["thing": 2]])
    #expect(try decoded(#"{"windows": [1]}"#).windows == [1])
    #expect(try decoded(#"{"pairs": []}"#).pairs == [])
  }

  @Test func listsItsSettings() throws {
    let settings = Settings.settings
    #expect(
      settings.map(\.path) == [
        "heads", "rate", "bias", "title", "kind", "windows", "inner", "inner.depth", "inner.width",
        "inner.leaf", "inner.leaf.size", "inner.leaf.sign", "course", "free", "extra", "extra.size",
        "extra.sign",
        "pairs",
      ])
    #expect(settings.first { $0.path == "inner.leaf.size" }?.meaning == "How large.")
    #expect(settings.first { $0.path == "inner.leaf.size" }?.standard == 1)
    #expect(settings.first { $0.path == "inner" }?.standard == nil)
    #expect(settings.first { $0.path == "kind" }?.choices == ["plain", "gated"])
    #expect(settings.first { $0.path == "heads" }?.meaning == nil)
  }

  @Test(
    arguments: [
      (#"{"heads": "8"}"#, "'heads' must be a whole number"),
      (#"{"heads": 2.5}"#, "'heads' must be a whole number"),
      (#"{"heads": 1e300}"#, "'heads' must be a whole number"),
      (#"{"heads": true}"#, "'heads' must be a whole number"),
      (#"{"heads": null}"#, "'heads' must be a whole number"), (#"{"rate": "x"}"#, "'rate' must be a number"),
      (#"{"bias": 1}"#, "'bias' must be true or false"), (#"{"title": 3}"#, "'title' must be a text"),
      (#"{"kind": "other"}"#, "'kind' must be one of plain, gated"),
      (#"{"kind": "gatd"}"#, "'kind' must be one of plain, gated; did you mean 'gated'?"),
      (#"{"kind": 3}"#, "'kind' must be one of plain, gated"),
      (
        #"{"course": {"cosin": {}}}"#,
        #"'course' has an unfit value; it can be {"cosine":{"final":0.5,"warmup":40}}"#
      ),
      (#"{"course": {"cosine": {"warmup": 1}}}"#, "'course.cosine' lacks 'final'"),
      (#"{"heads": 2, "inner": {"leaf": {"size": "x"}}}"#, "'inner.leaf.size' must be a whole number"),
      (#"{"inner": {"leaf": {"size": 0.5}}}"#, "'inner.leaf.size' must be a whole number"),
      (#"{"inner": 3}"#, "'inner' must be a JSON object"),
      (#"{"extra": {"sign": true}}"#, "'extra.sign' must be a whole number"),
      (#"{"windows": [3, "x"]}"#, "'windows.1' must be a whole number"),
      (#"{"windows": 3}"#, "'windows' must be a list"),
      (#"{"pairs": [{"sign": 1}]}"#, "'pairs.0' lacks 'size'"),
      (#"{"inner": {"depth": "x"}}"#, "'inner.depth' must be a whole number"),
    ] as [(String, String)])
  func unfitValues(_ json: String, _ problem: String) {
    #expect(message(json) == "configuration of mixer: \(problem)")
  }

  @Test func valuesThatMakeNoSense() {
    #expect(message(#"{"heads": 0}"#) == "heads must be at least 1, is 0")
  }

  @Test(arguments: ["[]", "3", "\"heads\"", "null"]) func noObject(_ json: String) {
    #expect(message(json) == "the configuration of mixer must be a JSON object, such as {}")
  }
}

@Suite struct JSONValueTests {
  /// What Foundation would let through is refused too.
  @Test(
    arguments: [
      (#"{"heads": 2,}"#, "a comma stands before '}'"), ("[1, [2 ,\n] ]", "a comma stands before ']'"),
      (#"{"a": {"b": 1, "b" : 2}}"#, "the key 'b' is given twice"),
      (#"{"a": 1, "\u0061": 2}"#, "the key 'a' is given twice"),
      (#"{"a"}"#, "this is not JSON"), ("", "this is not JSON"), (#"{"a": NaN}"#, "this is not JSON"),
      (String(repeating: "[", count: 100_000), "this is not JSON"),
    ] as [(String, String)])
  func refusals(_ text: String, _ problem: String) {
    #expect(throws: InvalidInput(problem)) { try JSONValue(parsing: text) }
  }

  @Test func whatLooksLikeThatInsideTexts() throws {
    let text = #"{"a": ",}", "b": [{"a": "\"a\":,]"}, {"a": "a"}], "c": {"a": "\\"}}"#
    #expect(
      try JSONValue(parsing: text)
        == ["a": ",}", "b": [["a": "\"a\":,]"], ["a": "a"]], "c": ["a": "\\"]])
  }

  @Test func roundTrip() throws {
    let text = """
      {"a":[1,-2.5,1e300,true,null,"x/y"],"b":{"c":{}},"d":9007199254740993,"e":""}
      """
    let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    #expect(
      value
        == .object([
          "a": .array([.integer(1), .number(-2.5), .number(1e300), .bool(true), .null, .string("x/y")]),
          "b": .object(["c": .object([:])]), "d": .integer(9_007_199_254_740_993), "e": .string(""),
        ]))
    #expect(try JSONDecoder().decode(JSONValue.self, from: Data(try value.text().utf8)) == value)
    #expect(try value.text().contains("x/y"))
  }
}
