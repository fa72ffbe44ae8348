import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

/// Components, distances and skeletons against SciPy, OpenCV and scikit-image (analysis/shapes.py).
@Suite struct ShapeTests {
  private let golden: GoldenTensors
  private let masks: [String: Tensor]

  init() throws {
    golden = try Golden.tensors("analysis/shapes")
    masks = golden.group("masks/")
  }

  /// Every mask for which the file says what `kind` gives.
  private func expectSame(_ kind: String, at least: Int, _ function: (Tensor) -> Tensor) throws {
    let expected = golden.group("\(kind)/")
    #expect(expected.count >= least)
    for (name, values) in expected {
      let found = function(try #require(masks[name]))
      #expect(found.shape == values.shape)
      let differ = zip(found.doubles, values.doubles).count { abs($0 - $1) > 1e-12 * max(abs($1), 1) }
      #expect(differ == 0, "\(kind), \(name): \(differ) of \(found.size) elements differ")
    }
  }

  @Test func regionsOfMasks() throws {
    try expectSame("faces", at: 15) { labelledComponents($0).labels }
    try expectSame("all", at: 15) { labelledComponents($0, neighbours: .all).labels }
    let count = labelledComponents(golden["masks/noise"]).count
    #expect(Double(count) == golden["faces/noise"].max().item())
  }

  @Test func distancesToWhatLiesOutside() throws {
    try expectSame("distance", at: 13) { distanceTransform($0) }
    try expectSame("spaced", at: 13) { distanceTransform($0, spacing: Array([1.5, 0.7, 2].prefix($0.ndim))) }
    #expect(distanceTransform(Tensor([true, true])).doubles == [.infinity, .infinity])
    #expect(distanceTransform(Tensor([Bool](), [0, 3])).shape == [0, 3])
  }

  @Test func skeletonsInAPlane() throws { try expectSame("zhang", at: 7, thinned) }

  /// scikit-image 0.26 lets both elements of the last pair of a region go; here one stays.
  @Test func skeletonsInSpace() throws {
    let expected = golden.group("lee/")
    #expect(expected.count >= 12)
    for (name, values) in expected {
      let mask = try #require(masks[name]), found = thinnedVolume(mask)
      #expect(found.shape == values.shape)
      let regions = [mask, found, values].map { labelledComponents($0, neighbours: .all).count }
      #expect(regions[0] == regions[1], "\(name)")
      let more = zip(found.doubles, values.doubles).count { $0 > $1 }
      let fewer = zip(found.doubles, values.doubles).count { $0 < $1 }
      #expect(more == regions[0] - regions[2] && fewer == 0, "\(name): \(more) more, \(fewer) fewer")
    }
  }

  /// Thinning twice changes nothing, and keeps the number of regions.
  @Test func aSkeletonStaysWhatItIs() {
    for (name, mask) in masks where mask.ndim > 1 {
      let once = thinnedVolume(mask)
      #expect(thinnedVolume(once).asArray(Bool.self) == once.asArray(Bool.self), "\(name)")
      let regions = labelledComponents(mask, neighbours: .all).count
      #expect(labelledComponents(once, neighbours: .all).count == regions, "\(name)")
    }
  }

  @Test func componentsOfGraphs() throws {
    for (name, nodes) in [("tree", 200), ("dense", 50), ("no edges", 7), ("loops", 40)] {
      let (labels, count) = connectedComponents(
        from: golden["graph/\(name)/from"], to: golden["graph/\(name)/to"], nodes: nodes)
      let expected = golden["graph/\(name)/labels"]
      #expect(labels.doubles == expected.doubles, "\(name)")
      #expect(Double(count) == expected.max().item() + 1)
    }
  }

  @Test func mistakesStop() async {
    await #expect(processExitsWith: .failure) { _ = labelledComponents(.zeros([3, 3])) }
    await #expect(processExitsWith: .failure) { _ = thinned(Tensor([true, false])) }
    await #expect(processExitsWith: .failure) {
      _ = connectedComponents(from: Tensor([Int32(0)]), to: Tensor([Int32(5)]), nodes: 3)
    }
    await #expect(processExitsWith: .failure) { _ = distanceTransform(Tensor([true]), spacing: [0]) }
  }
}
