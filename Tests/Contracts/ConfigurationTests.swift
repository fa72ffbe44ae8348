import CallosumContracts
import Foundation
import Testing

private struct Settings: Configuration {
  enum Kind: String, Codable { case plain, gated }
  struct Inner: Codable, Equatable { var depth = 2 }
  var heads = 4
  var rate = 0.5
  var bias = true
  var title = "none"
  var kind = Kind.plain
  var windows = [3, 5]
  var inner = Inner()
  init() {}
  func validate() throws { try require(heads > 0, "heads must be at least 1, is \(heads)") }
}

@Suite struct ConfigurationTests {
  private func decoded(_ json: String) throws -> Settings {
    try .decoded(
      from: try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8)), for: "mixer")
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
        == "configuration of mixer: unknown key 'zzzzzzzzz'; there are: bias, heads, inner, kind, rate,"
        + " title, windows")
    #expect(
      message(#"{"inner": {"depth": 3, "dept": 2}}"#)
        == "configuration of mixer, inner: unknown key 'dept'; did you mean 'depth'?")
  }

  @Test(
    arguments: [
      (#"{"heads": "8"}"#, "'heads' must be a whole number"),
      (#"{"heads": 2.5}"#, "'heads' must be a whole number"),
      (#"{"heads": 1e300}"#, "'heads' must be a whole number"),
      (#"{"heads": true}"#, "'heads' must be a whole number"),
      (#"{"heads": null}"#, "'heads' must be a whole number"), (#"{"rate": "x"}"#, "'rate' must be a number"),
      (#"{"bias": 1}"#, "'bias' must be true or false"), (#"{"title": 3}"#, "'title' must be a text"),
      (#"{"kind": "other"}"#, "'kind' has an unfit value"),
      (#"{"windows": [3, "x"]}"#, "'windows.1' must be a whole number"),
      (#"{"windows": 3}"#, "'windows' must be a list"), (#"{"inner": {}}"#, "'inner' lacks 'depth'"),
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
