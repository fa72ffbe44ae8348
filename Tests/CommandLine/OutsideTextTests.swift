import CallosumTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Names that would move the cursor, clear the screen, retitle the window, break the line, turn the letters
/// around or end the markup reach terminals and pages as text and nothing else.
@Suite(.serialized) struct OutsideTextTests {
  private static let hostile =
    "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{85}a\nb\rc\u{202e}d\u{2066}\u{2028}</text></svg><script>alert(1)</script>&\"'"

  /// As YAML and JSON write it.
  private static let quoted: String = {
    let scalars = hostile.unicodeScalars.map { scalar in
      scalar.isASCII && scalar.value >= 0x20 && !"\"\\".unicodeScalars.contains(scalar)
        ? String(scalar) : String(format: "\\u%04x", scalar.value)
    }
    return "\"" + scalars.joined() + "\""
  }()

  private static let brain = """
    name: \(quoted)
    output: motor
    regions:
      - {name: eye, part: {input: {patchRows: 14, patchColumns: 14}}}
      - {name: motor, part: units, tokens: 1}
    tracts:
      - {from: eye, to: motor}
    """

  /// Nothing that a terminal obeys but the ends of lines.
  private func isHarmless(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.properties.generalCategory {
      case .control: scalar == "\n"
      case .lineSeparator, .paragraphSeparator: false
      case .format: !(0x202a...0x202e).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
      default: true
      }
    }
  }

  private func run(_ words: [String], in folder: String, code: Int32 = 0) throws -> Outcome {
    let outcome = try Program.run(words, in: folder)
    #expect(outcome.code == code, "\(words): \(outcome.errors)")
    #expect(isHarmless(outcome.output), "\(words): \(outcome.output.debugDescription)")
    #expect(isHarmless(outcome.errors), "\(words): \(outcome.errors.debugDescription)")
    return outcome
  }

  /// The document is well-formed, holds no script, and the pictures within it likewise.
  private func check(_ path: String) throws {
    var text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(isHarmless(text.replacing("\t", with: "")))
    var parts = [text]
    while let found = text.firstRange(of: "data:image/svg+xml;base64,") {
      text = String(text[found.upperBound...])
      let data = try #require(Data(base64Encoded: String(text.prefix { $0 != "\"" })))
      parts.append(String(decoding: data, as: UTF8.self))
    }
    #expect(path.hasSuffix("report.html") == (parts.count > 1))
    for part in parts {
      let parser = XMLParser(data: Data(part.utf8))
      let isWellFormed = parser.parse()
      #expect(isWellFormed, "\(path), line \(parser.lineNumber)")
      #expect(!part.contains("<script") && part.contains("&lt;script&gt;"))
    }
  }

  @Test func namesAreTextEverywhere() throws {
    try withDataSet { folder in
      // No file is called with a slash or two lines.
      let name = String(Self.hostile.replacing("/", with: "").replacing("\n", with: "").prefix(60))
      let file = name + ".yaml"
      try Self.brain.write(toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
      let train = ["train", file, "--steps", "6", "--batch", "8", "--quiet"]
      #expect(try run(train, in: folder).output.contains("Weights: \\u{1b}[2J"))
      let json = try #require(try run(train + ["--json"], in: folder).json as? [String: Any])
      #expect(json["brain"] as? String == Self.hostile)
      _ = try run(["train", file, "--steps", "6", "--batch", "8"], in: folder)
      _ = try run(["show", file, "--output", "wiring.svg"], in: folder)
      _ = try run(tiny + ["--parts", "average-pooling,\(file)", "--quiet"], in: folder)
      for words in [
        ["runs", "list"], ["runs", "list", "--all"], ["runs", "show", "1"], ["runs", "show", "4"],
        ["runs", "show", "6"], ["runs", "compare", "1", "4"], ["runs", "export"], ["report"],
      ] { _ = try run(words, in: folder) }
      for words in [
        ["runs", "list"], ["runs", "show", "1"], ["runs", "show", "4"], ["runs", "compare", "1", "4"],
        ["runs", "export"],
      ] { #expect(try run(words + ["--json"], in: folder).json != nil) }
      for page in ["comparison.html", "report.html", "wiring.svg"] { try check("\(folder)/\(page)") }
    }
  }

  @Test func mistakesQuoteThemAsText() throws {
    try withDataSet { folder in
      let h = Self.hostile
      for words in [
        [h], ["runs", h], ["list", "--\(h)"], ["list", "--family", h], ["describe", h],
        ["describe", "delta-net", "--config", h],
        ["describe", "delta-net", "--config", "{\(Self.quoted): 1}"],
        ["describe", "delta-net", "--grid", h], ["compare", "--parts", h], ["compare", "--task", h],
        ["compare", "--steps", h], ["compare", "--match", h], ["compare", "--tune", h], ["runs", "show", h],
        ["runs", "list", "--kind", h], ["reproduce", h], ["data", "get", h], ["compare", "--skeleton", h],
      ] {
        #expect(try run(words, in: folder, code: 2).complainsInOneLine)
      }
      for words in [
        ["train", h], ["show", h + ".yaml"], ["compare", "--report", h],
        ["runs", "list", "--store", "no/\(h)"],
        ["docs", h], ["compare", "--store", "no/\(h)"],
      ] {
        let isThere = words[0] == "runs"
        _ = try run(words, in: folder, code: isThere ? 0 : 1)
      }
      for plan in [
        "name: \(Self.quoted)\n\(Self.quoted): 1", "\(Self.quoted)",
        "name: x\ntask: \(Self.quoted)\noutput: a",
        Self.brain.replacing("to: motor", with: "to: \(Self.quoted)x"),
        Self.brain.replacing("part: units", with: "part: \(Self.quoted)"),
        Self.brain.replacing("eye", with: Self.quoted),
      ] {
        try plan.write(toFile: folder + "/wrong.yaml", atomically: true, encoding: .utf8)
        #expect(try run(["train", "wrong.yaml"], in: folder, code: 1).complainsInOneLine)
      }
    }
  }

  /// Nobody reads a hundred thousand letters.
  @Test func longInputIsCut() throws {
    try withDataSet { folder in
      let long = String(repeating: "long ", count: 20_000)
      for words in [
        [long], ["list", "--\(long)"], ["list", "--family", long], ["describe", long],
        ["describe", "delta-net", "--config", "\"\(long)"], ["describe", "delta-net", "--grid", long],
        ["compare", "--parts", long], ["compare", "--steps", long], ["compare", "--match", long],
        ["compare", "--tune", long], ["runs", "show", long], ["train", long], ["compare", "--report", long],
        ["compare", "--store", "no/\(long)"], ["reproduce", long], ["data", "get", long],
        ["apply", "delta-net", "--input", long, "--output", "o"],
      ] {
        let outcome = try Program.run(words, in: folder)
        #expect(outcome.code != 0 && outcome.complainsInOneLine && outcome.errors.count < 1000, "\(words[0])")
      }
    }
  }
}
