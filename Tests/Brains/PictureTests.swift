import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLearning
import CallosumMixers
import CallosumModularity
import CallosumNetworks
import CallosumNeurons
import CallosumTasks
import CallosumTensors
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// A rectangle of a picture.
private struct Rectangle {
  let kind: String
  let x, y, width, height: Double

  func touches(_ other: Rectangle) -> Bool {
    x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
  }
}

private func rectangles(_ svg: String) -> [Rectangle] {
  let pattern = /<rect class="([a-z ]+)" x="([-0-9.]+)" y="([-0-9.]+)" width="([0-9.]+)" height="([0-9.]+)"/
  return svg.matches(of: pattern).compactMap { match in
    guard let x = Double(match.2), let y = Double(match.3), let width = Double(match.4),
      let height = Double(match.5)
    else { return nil }
    return Rectangle(kind: String(match.1), x: x, y: y, width: width, height: height)
  }
}

@Suite struct PictureTests {
  private func brains() throws -> [Brain] {
    let fashion = try FashionMNISTTask()
    var crowded = BrainPlan(steps: 3, output: "r7") { Region("eye", part: "input") }
    for index in 0..<8 {
      crowded.regions.append(Region("r\(index)", part: Choice("units", ["activation": "tanh"]), width: 3))
    }
    for from in 0..<8 {
      crowded.tracts.append(Tract("eye", to: "r\(from)"))
      for to in 0..<8 where (from * 3 + to) % 2 == 0 || to == 7 {
        crowded.tracts.append(
          Tract("r\(from)", to: "r\(to)", delay: to > from ? 2 : 0, learnable: to % 3 > 0))
      }
    }
    return try exampleNames.map { try Brain(try BrainFile(path: exampleFile($0)).plan, fashion) }
      + [try Brain(everything, Numbers(shape: [4, 6, 1])), try Brain(crowded, Numbers())]
  }

  /// No box and no label lies on another, and all lie on the paper.
  @Test func nothingOverlaps() throws {
    for brain in try brains() {
      let svg = brain.picture()
      let found = rectangles(svg)
      #expect(found.count { $0.kind.hasPrefix("region") } == brain.plan.regions.count)
      let size = try #require(svg.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/))
      let (width, height) = (Double(size.1) ?? 0, Double(size.2) ?? 0)
      for (index, one) in found.enumerated() {
        #expect(one.x >= 0 && one.y >= 0 && one.x + one.width <= width && one.y + one.height <= height)
        for other in found[..<index] {
          #expect(!one.touches(other), "\(brain.plan.name ?? ""): \(one), \(other)")
        }
      }
    }
  }

  @Test func isWellFormedAndSaysWhatMatters() throws {
    for brain in try brains() {
      let svg = brain.picture()
      let parser = XMLParser(data: Data(svg.utf8))
      #expect(parser.parse(), "\(String(describing: parser.parserError))")
      for region in brain.plan.regions { #expect(svg.contains(">\(region.name)</text>")) }
      #expect(svg.matches(of: /<path class="tract/).count == brain.plan.tracts.map(\.to.count).reduce(0, +))
      let past = brain.wiring.lags.count { $0 > 0 }
      #expect(svg.matches(of: /<path class="tract[a-z ]* past"/).count == past)
      #expect(svg.contains("prefers-color-scheme: dark"))
    }
    let local = try Brain(try BrainFile(path: exampleFile("local-eye")).plan, try FashionMNISTTask())
    #expect(local.picture().contains("learns by oja"))
  }

  @Test func namesAreEscaped() throws {
    var plan = everything
    plan.name = "a < b & \"c\""
    let svg = try Brain(plan, Numbers(shape: [4, 6, 1])).picture()
    #expect(svg.contains("a &lt; b &amp; &quot;c&quot;"))
    #expect(XMLParser(data: Data(svg.utf8)).parse())
  }
}
