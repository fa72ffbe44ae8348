import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct KMeansTests {
  /// Three heaps far from each other are found whatever they start from.
  @Test func findsHeaps() throws {
    var random = RandomGenerator(seed: 1)
    let labels = (0..<45).map { $0 % 3 }
    let centres = Tensor([0, 0, 9, 0, 0, 9] as [Double], [3, 2])
    let points = centres.take(Tensor(labels.map(Int32.init))) + random.normal([45, 2], dtype: .float64) * 0.5
    let found = try KMeans(points, clusters: 3, restarts: 3, using: &random)
    #expect(adjustedRandIndex(found.assignment, labels) == 1)
    #expect(found.assign(points) == found.assignment)
    let rest = square(points - found.centroids.take(Tensor(found.assignment.map(Int32.init)))).sum().item()
    #expect(abs(rest - found.inertia) < 1e-9 * rest)
    let balanced = try KMeans(balanced: points, clusters: 3, using: &random)
    #expect(adjustedRandIndex(balanced.assignment, labels) == 1)
    expectClose([balanced.inertia], [found.inertia])
  }

  /// As many clusters as points leave nothing over, and points that are alike do no harm.
  @Test func takesEveryCount() throws {
    var random = RandomGenerator(seed: 2)
    let points = random.normal([5, 3])
    #expect(try KMeans(points, clusters: 5, using: &random).inertia < 1e-12)
    #expect(try KMeans(balanced: points, clusters: 5, using: &random).inertia < 1e-12)
    let same = try KMeans(Tensor.ones([4, 2]), clusters: 3, using: &random)
    #expect(same.inertia == 0 && Set(same.assignment).count == 1)
    #expect(throws: InvalidInput("k-means cannot make 6 clusters of points of shape [5, 3]")) {
      try KMeans(points, clusters: 6, using: &random)
    }
    #expect(throws: InvalidInput("weights of k-means must be at least 0, and not all 0")) {
      try KMeans(points, clusters: 2, weights: [1, 1, -1, 1, 1], using: &random)
    }
    #expect(throws: InvalidInput("KMeans: points hold numbers that are not finite")) {
      try KMeans(Tensor([1.0, .nan], [2, 1]), clusters: 2, using: &random)
    }
  }

  /// scikit-learn's KMeans with algorithm "lloyd" from the same centroids: Tests/Fixtures/analysis.py.
  @Test(arguments: ["small", "wide", "line"], ["even", "weighted"])
  func agreesWithScikitLearn(_ name: String, _ form: String) throws {
    let golden = try Golden.tensors("analysis/clusters").group("\(name).")
    let points = try tensor(golden, "points")
    let weights = form == "even" ? nil : try tensor(golden, "weights").doubles
    let found = try KMeans(points, from: try tensor(golden, "start"), weights: weights)
    #expect(found.assignment == (try tensor(golden, "\(form).assignment").integers))
    expectClose(found.centroids, try tensor(golden, "\(form).centroids"), 1e-12)
    expectClose([found.inertia], try tensor(golden, "\(form).inertia").doubles, 1e-12)
  }

  /// A weight is so many copies of a point.
  @Test func weightsAreCopies() throws {
    var random = RandomGenerator(seed: 4)
    let points = random.normal([9, 2], dtype: .float64)
    let counts = [1, 3, 0, 2, 1, 1, 4, 1, 2]
    let copies = points.take(
      Tensor(counts.indices.flatMap { [Int32](repeating: Int32($0), count: counts[$0]) }))
    let start = points.sliced(axis: 0, to: 3)
    let weighted = try KMeans(points, from: start, weights: counts.map(Double.init))
    let plain = try KMeans(copies, from: start)
    expectClose(weighted.centroids, plain.centroids, 1e-12)
    expectClose([weighted.inertia], [plain.inertia], 1e-12)
    // Points without weight are never a start: with as many clusters as others, each other is one.
    for seed in 0..<20 as Range<UInt64> {
      var random = RandomGenerator(seed: seed)
      let few = try KMeans(
        points, clusters: 2, weights: [0, 0, 1, 0, 0, 5, 0, 0, 0], restarts: 1, using: &random)
      #expect(few.inertia < 1e-20)
    }
  }

  @Test(arguments: ["small", "wide", "line"]) func balancedPlacesAreTheBest(_ name: String) throws {
    let golden = try Golden.tensors("analysis/clusters").group("\(name).")
    let points = try tensor(golden, "points"), start = try tensor(golden, "start")
    let cost = squaredDistances(points, start), groups = start.dim(0)
    let found = balancedAssignment(cost)
    let sizes = (0..<groups).map { group in found.filter { $0 == group }.count }
    #expect(sizes.reduce(0, +) == points.dim(0))
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    // In any unit.
    #expect(balancedAssignment(cost * 1e-20) == found)
    #expect(Set(balancedAssignment(cost * 0)).count == groups)
    let total = found.enumerated().reduce(0) { $0 + cost.doubles[$1.offset * groups + $1.element] }
    expectClose([total], try tensor(golden, "balanced").doubles, 1e-12)
  }

  @Test(arguments: [(10, 3), (12, 4), (7, 2), (5, 1)]) func balancedClustersHaveOneSize(
    _ count: Int, _ k: Int
  )
    throws
  {
    var random = RandomGenerator(seed: 6)
    let points = random.normal([count, 2], dtype: .float64)
    let found = try KMeans(balanced: points, clusters: k, using: &random)
    let sizes = (0..<k).map { group in found.assignment.filter { $0 == group }.count }
    #expect(Set(sizes).isSubset(of: [count / k, (count + k - 1) / k]))
    // Each centroid is the mean of its points.
    let own = squaredDistances(points, found.centroids).doubles
    let sum = found.assignment.enumerated().reduce(0) { $0 + own[$1.offset * k + $1.element] }
    expectClose([found.inertia], [sum])
  }

  @Test func derivativesAreRefused() async {
    await #expect(processExitsWith: .failure) {
      _ = gradient(at: Tensor([1.0, 2, 3], [3, 1])) { x in
        var random = RandomGenerator(seed: 0)
        return (try? KMeans(x, clusters: 2, using: &random).centroids.sum()) ?? x.sum()
      }
    }
  }
}
