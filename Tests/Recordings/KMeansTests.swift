import CallosumContracts
import CallosumRecordings
import CallosumTensors
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
    let rest = square(points - found.centroids.take(Tensor(found.assignment.map(Int32.init)))).sum().item
    #expect(abs(rest - found.inertia) < 1e-9 * rest)
  }

  /// As many clusters as points leave nothing over, and points that are alike do no harm.
  @Test func takesEveryCount() throws {
    var random = RandomGenerator(seed: 2)
    let points = random.normal([5, 3])
    #expect(try KMeans(points, clusters: 5, using: &random).inertia < 1e-12)
    let same = try KMeans(Tensor.ones([4, 2]), clusters: 3, using: &random)
    #expect(same.inertia == 0 && Set(same.assignment).count == 1)
    #expect(throws: Mistake.self) { try KMeans(points, clusters: 6, using: &random) }
  }
}
