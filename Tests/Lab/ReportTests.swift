import CallosumContracts
import CallosumLab
import CallosumTestSupport
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct ReportTests {
  /// Everything a comparison can come out as.
  static let results: [String: Comparison] = {
    var results = [
      "three seeds": SampleComparison.make(),
      "clear winner": SampleComparison.make(gap: 0.03),
      "one seed": SampleComparison.make(seeds: [1]),
      "one arm": SampleComparison.make(arms: 1),
      "stopped": SampleComparison.make(stopsEarly: true),
      "nothing": SampleComparison.make(seeds: [], arms: 2),
    ]
    var hostile = SampleComparison.make()
    hostile.task.name = "</title><script>alert('x')</script>"
    hostile.arms[0].name = "<img onerror=\"x\"> & 'quoted' \u{1}\u{0}\u{FFFE}"
    hostile.command = "callosum compare --report '<b>' && echo \"done\""
    hostile.configuration = .object(["</pre>": .string("&amp;<"), "n": .number(0.1)])
    hostile.arms[1].runs[0].curve[3].trainingLoss = .nan
    hostile.arms[1].runs[1].curve[4].trainingLoss = .infinity
    hostile.arms[2].runs[0].testScore = .nan
    results["hostile"] = hostile
    var same = SampleComparison.make()
    for arm in same.arms.indices {
      for run in same.arms[arm].runs.indices {
        same.arms[arm].runs[run].testScore = 1
        same.arms[arm].parameters = 0
      }
    }
    results["all the same"] = same
    // One point of one run, before the first signal to stop.
    var begun = SampleComparison.make(seeds: [1], arms: 2)
    begun.wasInterrupted = true
    begun.arms[1].runs = []
    begun.arms[0].runs[0].testScore = nil
    begun.arms[0].runs[0].curve = [begun.arms[0].runs[0].curve[1]]
    results["one point"] = begun
    return results
  }()

  @Test(arguments: results.keys.sorted()) func isWellFormed(name: String) throws {
    let text = Report(try #require(Self.results[name])).text
    let checker = TagChecker()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = checker
    let isWellFormed = parser.parse()
    #expect(isWellFormed, "line \(parser.lineNumber)")
    #expect(checker.elements.isDisjoint(with: ["script", "img", "link", "iframe", "object", "b"]))
    #expect(checker.attributes.isDisjoint(with: ["src", "href", "onerror", "onload"]))
  }

  @Test(arguments: results.keys.sorted()) func refersToNothingOutside(name: String) throws {
    let text = Report(try #require(Self.results[name])).text
    for sign in ["http:", "https:", "url(", "@import", "//cdn", " src="] {
      #expect(!text.contains(sign), "\(sign)")
    }
  }

  @Test(arguments: results.keys.sorted()) func drawsNothingOutsideThePicture(name: String) throws {
    let text = Report(try #require(Self.results[name])).text
    #expect(!text.contains("nan") || name == "hostile")
    let numbers = try Regex("(?:cx|x1|x2|x)=\"(-?[0-9.]+)\"")
    for match in text.matches(of: numbers) {
      let value = try #require(match.output[1].substring.flatMap { Double($0) })
      #expect((-1...421).contains(value), "\(match.output[0].substring ?? "")")
    }
  }

  @Test func escapesTextEverywhere() throws {
    let text = Report(try #require(Self.results["hostile"])).text
    #expect(text.contains("&lt;img onerror=&quot;x&quot;&gt; &amp; &#39;quoted&#39;"))
    #expect(text.contains("&lt;/pre&gt;"))
    #expect(!text.contains("<img") && !text.contains("<script"))
  }

  @Test func holdsWhatAReaderNeeds() {
    let text = Report(SampleComparison.make()).text
    for piece in [
      "No clear winner on Fashion-MNIST", "<span class=\"word\">fashion-mnist</span>", "AMD EPYC",
      "&quot;learningRate&quot; : 0.001", "What this does not show", "oneDNN 2.6.3", "3 seeds each",
      "270,986", "14.0 M", "prefers-color-scheme: dark", "<title>",
    ] {
      #expect(text.contains(piece), "\(piece)")
    }
  }

  @Test func saysWhenItWasStopped() throws {
    let text = Report(try #require(Self.results["stopped"])).text
    #expect(text.contains("8 of 12 runs were complete"))
    #expect(!Report(SampleComparison.make()).text.contains("Stopped early"))
  }

  /// A figure has something in it, or is not there.
  @Test(arguments: results.keys.sorted()) func noFigureIsEmpty(name: String) throws {
    let text = Report(try #require(Self.results[name])).text
    // Marks and rows of intervals, or a line through two points at least.
    let content = try Regex("<(circle|polygon|path|rect)|<polyline [^>]*points=\"[^\" ]+ [^\"]+\"")
    for figure in text.components(separatedBy: "<figure>").dropFirst() {
      let drawing = figure.components(separatedBy: "</figure>")[0]
        .components(separatedBy: "<svg class=\"plot\"").dropFirst().joined()
      #expect(drawing.contains(content))
    }
    if name == "nothing" {
      #expect(!text.contains("<figure>") && !text.contains("Learning and cost"))
    }
    if name == "one point" { #expect(text.contains("Learning and cost")) }
  }

  @Test func isWrittenWhole() throws {
    try inTemporaryFolder { folder in
      let report = Report(SampleComparison.make())
      try report.write(to: folder + "/report.html")
      #expect(try String(contentsOfFile: folder + "/report.html", encoding: .utf8) == report.text)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.html"])
    }
  }

  /// Leaves every sample in the folder named by CALLOSUM_KEEP_REPORTS, to be looked at in a browser.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["CALLOSUM_KEEP_REPORTS"] != nil))
  func keepForLookingAt() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["CALLOSUM_KEEP_REPORTS"])
    for (name, result) in Self.results {
      let file = name.replacingOccurrences(of: " ", with: "-")
      try Report(result).write(to: "\(folder)/\(file).html")
    }
  }
}

final class TagChecker: NSObject, XMLParserDelegate {
  var elements: Set<String> = []
  var attributes: Set<String> = []

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements.insert(name)
    self.attributes.formUnion(attributes.keys)
  }
}
