import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

/// scikit-learn, SciPy and NumPy: Tests/Fixtures/analysis.py.
@Suite struct EmbeddingTests {
  private func golden(_ name: String) throws -> [String: Tensor] {
    try Golden.tensors("analysis/embeddings").group("\(name).")
  }

  // MARK: Principal components

  @Test(arguments: ["tall", "wide", "line"]) func principalComponentsAgree(_ name: String) throws {
    let golden = try golden(name)
    let points = try tensor(golden, "points"), components = try tensor(golden, "components")
    let model = try PCA(points, components: components.dim(0))
    expectClose(model.components, components, 1e-10)
    expectClose(model.variances, try tensor(golden, "variances").doubles)
    expectClose(model.shares, try tensor(golden, "shares").doubles)
    expectClose(model.transform(points), try tensor(golden, "scores"))
    expectClose(model.transform(points, whitens: true), try tensor(golden, "white"))
    // All components lose nothing.
    let all = try PCA(points)
    expectClose(all.inverse(all.transform(points)), points)
  }

  @Test func principalComponentsOfNothing() throws {
    let flat = try PCA(Tensor.ones([4, 3]))
    #expect(flat.shares == [0, 0, 0] && flat.variances.allSatisfy { $0 == 0 })
    #expect(flat.transform(Tensor.ones([1, 3]), whitens: true).doubles == [0, 0, 0])
    #expect(
      throws: InvalidInput("PCA of points [4, 3] has no 5 components; it needs 2 points and has at most 3")
    ) { try PCA(Tensor.ones([4, 3]), components: 5) }
  }

  // MARK: Classical scaling

  @Test func scalingAgrees() throws {
    let golden = try golden("scaling")
    let found = try ClassicalScaling(distances: try tensor(golden, "distances"), dimensions: 2)
    expectClose(found.eigenvalues, try tensor(golden, "eigenvalues").doubles)
    #expect(found.eigenvalues.contains { $0 < -1e-6 })
  }

  /// Points of a plane lie as before, and what is placed is what PCA finds.
  @Test func scalingKeepsDistances() throws {
    var random = RandomGenerator(seed: 1)
    let points = random.normal([9, 2], dtype: .float64)
    let distances = sqrt(squaredDistances(points, points))
    let found = try ClassicalScaling(distances: distances)
    let again = squaredDistances(found.coordinates, found.coordinates)
    #expect(abs(again - square(distances)).max().item() < 1e-10)
    let scores = try PCA(points).transform(points)
    expectClose(abs(found.coordinates), abs(scores), 1e-8)
    #expect(throws: InvalidInput("distances for scaling must be symmetric")) {
      try ClassicalScaling(distances: Tensor([0.0, 1, 2, 0], [2, 2]))
    }
  }

  // MARK: Spectral clustering

  @Test func laplaciansAgree() throws {
    let golden = try golden("graph")
    var random = RandomGenerator(seed: 0)
    let found = try SpectralClustering(
      affinities: try tensor(golden, "affinities"), clusters: 3, using: &random)
    #expect(
      zip(found.eigenvalues, try tensor(golden, "eigenvalues").doubles).allSatisfy { abs($0 - $1) < 1e-12 })
    expectClose(square(found.embedding).sum(axis: 1), Tensor.ones([13], dtype: .float64))
  }

  /// Parts without edges between them, rings that no centroid parts, and noise between groups.
  @Test func spectralClusteringFindsParts() throws {
    var random = RandomGenerator(seed: 2)
    let labels = (0..<24).map { $0 % 3 }
    func affinities(_ within: Double, _ between: Double) -> Tensor {
      let own = Tensor(labels.map(Int32.init)).oneHot(count: 3, dtype: .float64)
      let same = matmul(own, own.swappedAxes(0, 1))
      let noise = random.uniform([24, 24], dtype: .float64)
      return (noise + noise.swappedAxes(0, 1)) * (same * within + (1 - same) * between)
    }
    let parts = try SpectralClustering(affinities: affinities(1, 0), clusters: 3, using: &random)
    #expect(adjustedRandIndex(parts.assignment, labels) == 1)
    #expect(parts.eigenvalues[2] < 1e-12 && parts.eigenvalues[3] > 0.1)
    let noisy = try SpectralClustering(affinities: affinities(1, 0.2), clusters: 3, using: &random)
    #expect(adjustedRandIndex(noisy.assignment, labels) == 1)

    let angles = Tensor.linspace(0, 6, count: 40, dtype: .float64)
    let circle = stacked([cos(angles), sin(angles)], axis: 1)
    let rings = concatenated([circle, circle * 5])
    let ringLabels = (0..<80).map { $0 / 40 }
    let near = exp(-squaredDistances(rings, rings) / 0.5)
    let found = try SpectralClustering(affinities: near, clusters: 2, using: &random)
    #expect(adjustedRandIndex(found.assignment, ringLabels) == 1)
    let plain = try KMeans(rings, clusters: 2, using: &random)
    #expect(adjustedRandIndex(plain.assignment, ringLabels) < 0.5)
    // An item that nobody knows does no harm.
    let alone = Tensor([0.0, 0, 0, 0, 0, 1, 0, 1, 0], [3, 3])
    #expect(try SpectralClustering(affinities: alone, clusters: 2, using: &random).assignment.count == 3)
    #expect(throws: InvalidInput("affinities must be at least 0")) {
      try SpectralClustering(affinities: alone - 1, clusters: 2, using: &random)
    }
  }

  // MARK: t-SNE

  @Test func stochasticNeighboursAgree() throws {
    let golden = try golden("tsne")
    let points = try tensor(golden, "points"), start = try tensor(golden, "start")
    let joint = try TSNE.jointProbabilities(points, perplexity: 9)
    expectClose(joint, try tensor(golden, "joint"), 1e-9)
    #expect(abs(joint.sum().item() - 1) < 1e-10)
    let (value, gradient) = TSNE.divergence(joint, start * 1e4)
    expectClose([value], try tensor(golden, "divergence").doubles, 1e-9)
    expectClose(gradient, try tensor(golden, "gradient"), 1e-8)
    // The gradient is the engine's own.
    let beside = 1 - Tensor.eye(45, dtype: .float64)
    let slope = CallosumTensors.gradient(at: start * 1e4) { y in
      let closeness = beside / (1 + squaredDistances(y, y))
      let q = closeness / closeness.sum() + Tensor.eye(45, dtype: .float64)
      return -(joint * log(q)).sum()
    }
    expectClose(gradient, slope, 1e-8)

    var settings = TSNE.Settings()
    (settings.perplexity, settings.steps, settings.learningRate) = (9, 12, 50)
    let early = try TSNE(points, from: start, settings: settings)
    expectClose(early.embedding, try tensor(golden, "early"), 1e-6)

    (settings.steps, settings.learningRate) = (1000, nil)
    let whole = try TSNE(points, from: start, settings: settings)
    // scikit-learn's own ends scatter so far over starts that differ in the ninth digit.
    let finals = try tensor(golden, "finals").doubles
    let range = (finals.min() ?? 0) * 0.95...(finals.max() ?? 0)
    #expect(range.contains(whole.divergence), "\(whole.divergence), \(range)")
    // After exaggeration the divergence falls, though with momentum not at every step.
    let after = whole.history.dropFirst(6)
    let (first, last) = (try #require(after.first), try #require(after.last))
    #expect(last < first && last < 1.05 * (after.min() ?? 0))
    #expect(whole.history[0] > 3 * whole.divergence)
  }

  @Test func stochasticNeighboursNameMistakes() {
    let points = Tensor.ones([4, 2])
    #expect(
      throws: InvalidInput(
        "t-SNE of 4 points needs at least 3, and a perplexity from 1 to below their number, not 30.0")
    ) { try TSNE(points, from: points) }
    // Points that are all alike are all as near.
    let joint = try? TSNE.jointProbabilities(points, perplexity: 2)
    #expect(joint.map { abs($0.sum().item() - 1) < 1e-9 } == true)
  }
}
