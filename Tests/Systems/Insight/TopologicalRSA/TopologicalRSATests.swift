import CallosumAnalysis
import CallosumContracts
import CallosumInsight
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

private func probe(_ change: (inout TopologicalRSA.Settings) -> Void = { _ in }) throws -> TopologicalRSA {
  var settings = TopologicalRSA.Settings()
  change(&settings)
  return try TopologicalRSA(settings)
}

/// The authors' utils_transform.py, commit 18e5beb of doerlbh/TopologicalRSA, on SciPy's distances; the
/// second of the two codes has whole numbers and a code that occurs twice: ties and a distance of 0.
@Suite struct TopologicalRSATests {
  private let golden: GoldenTensors

  init() throws { golden = try Golden.tensors(beside: #filePath) }

  private func rows(_ name: String) -> [[Double]] {
    let tensor = golden[name]
    return (0..<tensor.dim(0)).map { tensor.sliced(axis: 0, from: $0, to: $0 + 1).doubles }
  }

  private func check(_ name: String, _ transform: ([Double]) -> [Double]) {
    for (distances, expected) in zip(rows("euclidean"), rows(name)) {
      let actual = Tensor(transform(distances), [expected.count])
      let wrong = CallosumTestSupport.Comparison(
        actual, Tensor(expected, [expected.count]), within: Tolerance(relative: 1e-9, absolute: 1e-9))
      #expect(wrong.problem == nil, "\(name)")
    }
  }

  @Test func distancesAgreeWithSciPy() {
    for (name, codes, kind) in [
      ("euclidean", "codes", Dissimilarity.euclidean), ("correlation", "codes.correlation", .correlation),
    ] {
      let wrong = CallosumTestSupport.Comparison(
        dissimilarities(golden[codes], by: kind), golden[name], within: Tolerance(relative: 1e-9))
      #expect(wrong.problem == nil, "\(name)")
    }
  }

  @Test(arguments: [(0.2, 0.8), (0, 0.5), (0, 1), (0.13, 0.4), (0, 0.075)])
  func transformsAgreeWithTheAuthorsCode(_ bounds: (Double, Double)) throws {
    let (lower, upper) = bounds
    for ranked in [true, false] {
      let one = try probe {
        ($0.lower, $0.upper, $0.ranksGeodesics, $0.asReleased) = (lower, upper, ranked, true)
      }
      check("geotopological.\(lower == 0 ? "0.0" : "\(lower)").\(upper == 1 ? "1.0" : "\(upper)")") {
        one.geoTopological($0)
      }
      let name = "geodesic.\(lower == 0 ? "0.0" : "\(lower)").\(upper == 1 ? "1.0" : "\(upper)")"
      check(name + (ranked ? ".ranked" : ".raw")) { one.geodesic($0) }
    }
  }

  /// A code with NaN is far from no other and near none, and one that does not vary has no correlation, wherever
  /// rounding puts its mean.
  @Test(arguments: [DType.float32, .float64]) func whatIsUnknownStaysUnknown(_ type: DType) throws {
    var random = RandomGenerator(seed: 1)
    for (row, kinds) in [
      ([Double](repeating: .nan, count: 5), Dissimilarity.allCases),
      ([1, 2, .nan, 3, 4], Dissimilarity.allCases),
      ([Double](repeating: 0.1, count: 5), [.correlation]),
      ([Double](repeating: 20000.3, count: 5), [.correlation]),
    ] {
      let codes = concatenated([Tensor(row, [1, 5]), random.normal([4, 5], dtype: .float64)], axis: 0)
      for kind in kinds {
        let distances = dissimilarities(codes.asType(type), by: kind).doubles
        #expect(distances.map(\.isNaN) == itemPairs(5).map { $0.0 == 0 }, "\(kind) \(row)")
        for statistic in TopologicalRSA.Statistic.allCases where statistic != .dissimilarity {
          for graph in TopologicalRSA.Graph.allCases {
            let probe = try probe { ($0.dissimilarity, $0.statistic, $0.graph) = (kind, statistic, graph) }
            #expect(probe.statistic(of: codes.asType(type)).allSatisfy { $0.isNaN }, "\(kind) \(statistic)")
          }
        }
      }
    }
  }

  @Test func otherTransformsAgreeWithTheAuthorsCode() throws {
    let plain = try probe()
    check("ranks") { plain.ranks($0) }
    let steep = try probe { $0.transform = .sigmoid }
    check("sigmoid") { steep.geoTopological($0) }
    let gentle = try probe { ($0.transform, $0.slope, $0.middle) = (.sigmoid, 4, 0.3) }
    check("sigmoid.4.0.3") { gentle.geoTopological($0) }
    let shortest = try probe { ($0.graph, $0.share, $0.asReleased) = (.shortest, 0.3, true) }
    check("shortest.0.3") { shortest.geodesic($0) }
    let nearest = try probe { ($0.graph, $0.neighbours, $0.asReleased) = (.nearest, 3, true) }
    check("nearest.3") { nearest.geodesic($0) }
  }

  /// Without cuts nothing is thrown away; with both at one place, near and far are all that is left.
  @Test func theLimitsOfTheTransform() throws {
    let distances = rows("euclidean")[0]
    let open = try probe { ($0.lower, $0.upper) = (0, 1) }
    #expect(open.geoTopological(distances) == open.ranks(distances))
    let closed = try probe { ($0.lower, $0.upper) = (0.4, 0.4) }
    let binary = closed.geoTopological(distances)
    #expect(Set(binary) == [0, 1])
    #expect(binary.count { $0 == 0 } == 37)  // Places 0 to 36 of 91: 0.4 x 90 = 36.
  }

  /// The closest pair is an edge with us, and none in the released code.
  @Test func theClosestPairIsConnected() throws {
    let line = dissimilarities(Tensor([0.0, 1, 3, 6], [4, 1]), by: .euclidean).doubles
    func paths(asReleased: Bool) throws -> [Double] {
      try probe {
        ($0.graph, $0.share, $0.ranksGeodesics, $0.asReleased) = (.shortest, 0.5, false, asReleased)
      }.geodesic(line)
    }
    // Distances 1 3 6 2 5 3 have the ranks 0, 0.5, 1, 0.2, 0.8, 0.5; half of them are at most 0.5.
    let own = try paths(asReleased: false)
    #expect(own[0] == 0 && own[1] == 0.2 && abs(own[2] - 0.7) < 1e-12)
    let released = try paths(asReleased: true)
    #expect(released[0] == 0.7 && released[1] == 0.5)
  }

  @Test func shortestPathsByHand() {
    let inf = Double.infinity
    let paths = shortestPaths([
      [inf, 1, 5, inf], [1, inf, 2, inf], [5, 2, inf, inf], [inf, inf, inf, inf],
    ])
    #expect(paths == [[0, 1, 3, inf], [1, 0, 2, inf], [3, 2, 0, inf], [inf, inf, inf, 0]])
  }

  /// Figures of eight in space: two cross themselves, two pass themselves by; of each topology one is flat
  /// and one twisted. Paths put equal topologies nearer on average, plain dissimilarities do not.
  @Test func pathsSeeTopology() throws {
    let count = 100
    let shapes = (0..<4).map { shape -> Tensor in
      let points = (0..<count).flatMap { step -> [Double] in
        let t = 2 * Double.pi * Double(step) / Double(count)
        let (x, y) = (cos(t), sin(2 * t) / 2)
        switch shape {
        case 0: return [x, y, 0]
        case 1: return [x / 2, y / 2, cos(2 * t)]
        case 2: return [x, y, sin(t) / 3]
        default: return [x / 2, y / 2, cos(2 * t) * (sin(t) / 3 + 1)]
        }
      }
      return Tensor(points, [count, 3])
    }
    func means(_ statistic: TopologicalRSA.Statistic) throws -> (same: Double, different: Double) {
      let one = try probe { ($0.statistic, $0.lower, $0.upper) = (statistic, 0, 0.05) }
      let vectors = shapes.map { one.statistic(of: $0) }
      func distance(_ a: Int, _ b: Int) -> Double {
        zip(vectors[a], vectors[b]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      }
      return (
        (distance(0, 1) + distance(2, 3)) / 2,
        (distance(0, 2) + distance(0, 3) + distance(1, 2) + distance(1, 3)) / 4
      )
    }
    let paths = try means(.geodesic), plain = try means(.rank)
    #expect(paths.same < 0.8 * paths.different)
    #expect(plain.same > plain.different)
  }

  /// Layers that are rotations of each other's codes with noise: told apart without noise, not with much.
  @Test func identification() throws {
    var random = RandomGenerator(seed: 3)
    let layers = (0..<3).map { _ in random.normal([12, 6]) }
    func codes(noise: Double) -> [[Tensor]] {
      (0..<5).map { _ in layers.map { $0 + random.normal([12, 6]) * noise } }
    }
    let clear = try probe { $0.bootstraps = 40 }.examine(codes(noise: 0.1))
    #expect(clear.accuracy == 1 && clear.predictions == Array(repeating: [0, 1, 2], count: 5))
    let interval = try #require(clear.interval)
    #expect(interval.lowerBound > 0.5 && interval.upperBound == 1)
    let hidden = try probe().examine(codes(noise: 20))
    #expect(hidden.accuracy < 0.9 && hidden.interval == nil)
    #expect(throws: InvalidInput.self) { try probe().examine([layers]) }
  }

  @Test func ranksAndCorrelation() {
    #expect(averageRanks([3, 1, 3, 2]) == [3.5, 1, 3.5, 2])
    #expect(spearman([1, 2, 3, 4], [10, 20, 25, 1000]) == 1)
    #expect(spearman([1, 2, 3], [3, 2, 1]) == -1)
    #expect(spearman([1, 1], [1, 2]).isNaN)
  }
}
