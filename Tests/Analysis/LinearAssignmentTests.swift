import CallosumAnalysis
import CallosumTensors
import Testing

@Suite struct LinearAssignmentTests {
  @Test func assignmentIsTheBestOfAll() {
    var random = RandomGenerator(seed: 8)
    for (rows, columns) in [(1, 1), (3, 3), (4, 6), (6, 6), (2, 7)] {
      let cost = random.normal([rows, columns], dtype: .float64)
      let given = linearAssignment(cost).doubles
      #expect(Set(given).count == rows)
      let total = given.enumerated().reduce(0) { $0 + cost.doubles[$1.offset * columns + Int($1.element)] }
      #expect(abs(total - best(cost.doubles, rows, columns)) < 1e-12)
    }
    #expect(linearAssignment(.zeros([0, 3])).shape == [0])
    // Costs that are all alike, and steps of whole numbers with many ties.
    #expect(Set(linearAssignment(.ones([5, 5])).doubles).count == 5)
    let ties = Tensor([1.0, 2, 3, 2, 4, 6, 3, 6, 9], [3, 3])
    #expect(linearAssignment(ties).doubles == [2, 1, 0])
  }

  /// The least sum over all ways, one after the other.
  private func best(_ cost: [Double], _ rows: Int, _ columns: Int) -> Double {
    func search(_ row: Int, _ used: Set<Int>) -> Double {
      if row == rows { return 0 }
      return (0..<columns).filter { !used.contains($0) }
        .map { cost[row * columns + $0] + search(row + 1, used.union([$0])) }.min() ?? .infinity
    }
    return search(0, [])
  }

  @Test func largeAssignmentsHaveNoBetterNeighbour() {
    var random = RandomGenerator(seed: 9)
    let cost = random.uniform([60, 80], dtype: .float64), c = cost.doubles
    let given = linearAssignment(cost).doubles.map { Int($0) }
    let free = Set(0..<80).subtracting(given)
    for a in 0..<60 {
      for column in free { #expect(c[a * 80 + column] >= c[a * 80 + given[a]]) }
      for b in 0..<a {
        #expect(
          c[a * 80 + given[b]] + c[b * 80 + given[a]]
            >= c[a * 80 + given[a]] + c[b * 80 + given[b]] - 1e-12)
      }
    }
  }
}
