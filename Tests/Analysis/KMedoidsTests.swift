import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct KMedoidsTests {
  /// The package kmedoids, pam with BUILD: Tests/Fixtures/analysis.py.
  @Test(arguments: ["small", "wide", "line"]) func agreesWithPAM(_ name: String) throws {
    let golden = try Golden.tensors("analysis/clusters").group("\(name).")
    let distances = try tensor(golden, "distances")
    let medoids = try tensor(golden, "medoids").integers
    let found = try KMedoids(distances: distances, clusters: medoids.count)
    // On a line the middle of an even cluster may be either of two items.
    if name != "line" { #expect(found.medoids.sorted() == medoids) }
    expectClose([found.loss], try tensor(golden, "loss").doubles, 1e-12)
  }

  /// What is found is no worse than after any single exchange.
  @Test(arguments: [(1, 9), (2, 11), (4, 15), (7, 7)]) func noExchangeIsBetter(_ k: Int, _ count: Int) throws
  {
    var random = RandomGenerator(seed: 3)
    let points = random.normal([count, 2], dtype: .float64)
    let table = sqrt(squaredDistances(points, points)).doubles
    let found = try KMedoids(distances: Tensor(table, [count, count]), clusters: k)
    func loss(_ medoids: [Int]) -> Double {
      (0..<count).reduce(0) { sum, item in sum + (medoids.map { table[item * count + $0] }.min() ?? 0) }
    }
    expectClose([found.loss + 1], [loss(found.medoids) + 1], 1e-12)
    for place in 0..<k {
      for candidate in 0..<count {
        var other = found.medoids
        other[place] = candidate
        #expect(loss(other) >= found.loss - 1e-9)
      }
    }
    #expect(found.medoids.enumerated().allSatisfy { found.assignment[$0.element] == $0.offset })
  }

  @Test func mistakesAreNamed() {
    #expect(throws: InvalidInput("k-medoids cannot make 3 clusters of 2 items")) {
      try KMedoids(distances: .ones([2, 2]), clusters: 3)
    }
    #expect(throws: InvalidInput("distances of k-medoids must be at least 0")) {
      try KMedoids(distances: Tensor([0.0, -1, 1, 0], [2, 2]), clusters: 1)
    }
  }
}
