import CallosumContracts
import CallosumLab
import CallosumZlib
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct PictureTests {
  private func page(_ panels: [Picture.Content]) -> String {
    let panels = panels.map { Picture.Panel("Panel", $0) }
    return PictureDrawing(Picture("Picture", caption: "Caption", panels: panels)).page
  }

  /// The attribute of every element of a kind, in order.
  private func attributes(_ name: String, of element: String, in page: String) -> [String] {
    final class Finder: NSObject, XMLParserDelegate {
      var found: [String] = []
      let wanted: (element: String, name: String)
      init(_ element: String, _ name: String) { wanted = (element, name) }
      func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
      ) {
        if element == wanted.element, let value = attributes[wanted.name] { found.append(value) }
      }
    }
    let finder = Finder(element, name)
    let parser = XMLParser(data: Data(page.utf8))
    parser.delegate = finder
    let isWellFormed = parser.parse()
    #expect(isWellFormed, "line \(parser.lineNumber)")
    return finder.found
  }

  /// A PNG of a palette as rows of colours, as the format's own specification has it: the check sums are those
  /// of zlib, a pixel that is not drawn is nil.
  private func pixels(_ address: String) throws -> [[[UInt8]?]] {
    let data = [UInt8](
      try #require(Data(base64Encoded: String(address.dropFirst("data:image/png;base64,".count)))))
    var at = 8
    var chunks: [String: [UInt8]] = [:]
    func number(_ place: Int) -> Int { data[place..<place + 4].reduce(0) { $0 << 8 + Int($1) } }
    while at < data.count {
      let length = number(at), body = Array(data[(at + 4)..<(at + 8 + length)])
      #expect(Int(crc32(0, body, UInt32(body.count))) == number(at + 8 + length))
      chunks[String(decoding: body.prefix(4), as: UTF8.self)] = Array(body.dropFirst(4))
      at += 12 + length
    }
    #expect(Array(data.prefix(8)) == [137, 80, 78, 71, 13, 10, 26, 10] && chunks["IEND"] == [])
    let header = try #require(chunks["IHDR"]), palette = try #require(chunks["PLTE"])
    #expect(Array(header.dropFirst(8)) == [8, 3, 0, 0, 0])
    let width = header[0..<4].reduce(0) { $0 << 8 + Int($1) },
      height = header[4..<8].reduce(0) { $0 << 8 + Int($1) }
    var raw = [UInt8](repeating: 0, count: (width + 1) * height), count = UInt(raw.count)
    let packed = try #require(chunks["IDAT"])
    #expect(uncompress(&raw, &count, packed, UInt(packed.count)) == Z_OK && count == raw.count)
    return (0..<height).map { row in
      (0..<width).map { column in
        let place = Int(raw[row * (width + 1) + 1 + column])
        if let clear = chunks["tRNS"], place < clear.count, clear[place] == 0 { return nil }
        return Array(palette[place * 3..<place * 3 + 3])
      }
    }
  }

  /// Low is viridis' dark violet, high its yellow, on any ground; what is no number has a colour of its own and
  /// a place in the legend.
  @Test func aMatrixIsAnImageWithItsScale() throws {
    let page = page([.grid(x: "x", y: "y", [[0, 1, .nan], [-5, 5], [0.5]], range: 0...1)])
    let images = attributes("href", of: "image", in: page)
    #expect(images.count == 2)
    let (violet, yellow, grey): ([UInt8], [UInt8], [UInt8]) = (
      [68, 1, 84], [253, 231, 37], [128, 128, 128]
    )
    let cells = try pixels(images[0])
    #expect(cells[0] == [violet, yellow, grey] && cells[1] == [violet, yellow, nil])
    #expect(cells[2][1] == nil && cells[2][0] != violet && cells[2][0] != yellow && cells[2][0] != grey)
    let bar = try pixels(images[1])[0]
    #expect(bar.first == violet && bar.last == yellow && bar.count > 200)
    #expect(
      page.contains(">≤ 0</text>") && page.contains(">≥ 1</text>") && page.contains(">not a number</text>"))
    #expect(!page.contains("(dark)"))
    let whole = self.page([.grid(x: "x", y: "y", [[0, 1]])])
    #expect(whole.contains(">0</text>") && !whole.contains(">not a number<") && !whole.contains("≤"))
  }

  /// Around 0 what is below has another colour than what is above.
  @Test func aMatrixAroundZero() throws {
    let page = page([.grid(x: "x", y: "y", [[-2, 0, 2]], range: -2...2)])
    let cells = try pixels(attributes("href", of: "image", in: page)[0])[0].compactMap { $0 }
    #expect(cells[0][2] > cells[0][0] && cells[2][0] > cells[2][2])
    #expect(cells[1].allSatisfy { $0 > 230 })
  }

  /// Empty, huge, one value, nothing finite: always a page.
  @Test(
    arguments: [
      [], [[]], [[1]], [[.nan]], [[.infinity, -.infinity]], [[1e308, -1e308]], [[3, 3]],
      [[0.1], [], [1, 2, 3]],
    ] as [[[Double]]]) func anyMatrix(_ values: [[Double]]) throws
  {
    let page = page([.grid(x: "x", y: "y", values)])
    for address in attributes("href", of: "image", in: page) { _ = try pixels(address) }
    #expect(!page.contains(">nan") && !page.contains(">inf") && !page.contains("\"nan"))
  }

  @Test func aLargeMatrixIsASmallPage() {
    let rows = (0..<156).map { row in (0..<277).map { Double(($0 * 31 + row * 17) % 101) } }
    #expect(page([.grid(x: "x", y: "y", rows)]).utf8.count < 100_000)
  }

  /// A series of one point, and one between gaps, can be seen; a line does not bridge a gap.
  @Test func singlePointsAreDots() {
    let page = page([
      .lines(
        x: "x", y: "y",
        [
          .init("one", [1]), .init("gaps", [.nan, 2, .nan, 1, 3]),
          .init("none", [Double.nan]), .init("flat", [.init(1, 1), .init(1, 1)]),
        ])
    ])
    #expect(attributes("points", of: "polyline", in: page).map { $0.split(separator: " ").count } == [2])
    #expect(attributes("class", of: "circle", in: page).filter { $0.hasPrefix("end") }.count == 3)
  }

  /// Ticks of the axis across, from the labels below it.
  private func ticks(_ page: String) -> [[String]] {
    page.components(separatedBy: "<svg").dropFirst().map { svg in
      svg.matches(of: /text-anchor="middle">([^<]*)</).map { String($0.output.1) }
    }
  }

  @Test func wholeNumbersHaveWholeTicks() {
    func labels(_ values: [Double]) -> [String] {
      ticks(page([.lines(x: "tasks", y: "y", [.init("s", values.map { .init($0, $0) })])]))[0]
    }
    #expect(labels([1, 2, 3]) == ["1", "2", "3"])
    #expect(labels([0, 1]) == ["0", "1"])
    #expect(labels([1, 1.5, 2]).contains("1.5") || labels([1, 1.5, 2]).contains("1.2"))
    #expect(labels([7]) == ["7"])
    #expect(labels([0, 10, 250]).allSatisfy { Double($0) != nil && !$0.contains(".") })
  }

  /// Panels that are there to be compared have the same axes, others have their own.
  @Test func panelsWithTheSameTitlesHaveTheSameAxes() {
    func lines(_ y: String, _ values: [Double]) -> Picture.Content {
      .lines(x: "step", y: y, [.init("s", values)])
    }
    let found = page([lines("loss", [1, 2]), lines("loss", [1, 2, 3, 400]), lines("other", [1, 2])])
    let panels = ticks(found)
    #expect(panels[0] == panels[1] && panels[0] != panels[2])
    func grid(_ values: [Double]) -> Picture.Content { .grid(x: "x", y: "y", [values]) }
    let grids = page([grid([0, 1]), grid([0, 8])]).components(separatedBy: "<svg").dropFirst()
    #expect(grids.allSatisfy { $0.contains(">8</text>") })
  }

  /// No tick has the name of another, and none is too long for its place beside the drawing.
  @Test(
    arguments: [
      (0, 1e-5), (1e-9, 3e-9), (88.4101, 88.4103), (1000.2, 1000.9), (0, 3e5), (1e6, 4e6), (0, 9e18),
      (0, 1e300),
      (-1e308, 1e308), (-2e-4, 2e-4), (99_999.5, 100_000.5), (1e15, 1e15 + 8),
    ] as [(Double, Double)]) func ticksAreToldApart(_ low: Double, _ high: Double)
  {
    let page = page([.lines(x: "x", y: "y", [.init("s", [.init(low, low), .init(high, high)])])])
    let labels = ticks(page)[0]
    #expect(labels.count >= 2 && Set(labels).count == labels.count, "\(labels)")
    for match in page.matches(of: /<text x="([0-9.]+)" y="[0-9.]+" text-anchor="end">([^<]*)</) {
      #expect(7.9 * Double(match.output.2.count) <= Double(match.output.1) ?? 0, "\(match.output.0)")
    }
  }
}
