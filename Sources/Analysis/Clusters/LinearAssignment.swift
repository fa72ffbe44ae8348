import CallosumTensors

/// For each row of `cost` [n, m], n at most m, the column it is given, so that no column is given twice and
/// the sum of the costs is least: int32 [n]. Shortest augmenting paths (Jonker and Volgenant 1987) in double
/// precision, n² m steps at most.
public func linearAssignment(_ cost: Tensor) -> Tensor {
  let name: StaticString = "linearAssignment"
  precondition(
    cost.ndim == 2 && cost.dim(0) <= cost.dim(1) && cost.dtype.isFloatingPoint, name,
    "needs costs [rows, columns] with no more rows than columns, got \(cost.dtype) \(cost.shape)")
  let (rows, columns) = (cost.dim(0), cost.dim(1))
  let costs = cost.doubles
  precondition(costs.allSatisfy(\.isFinite), name, "every cost must be finite")
  // The prices of rows and columns keep every reduced cost at 0 or above; given pairs are at 0.
  var rowPrice = [Double](repeating: 0, count: rows), columnPrice = [Double](repeating: 0, count: columns)
  var owner = [Int?](repeating: nil, count: columns), given = [Int](repeating: 0, count: rows)
  for start in 0..<rows {
    var distance = [Double](repeating: .infinity, count: columns)
    var previous = [Int?](repeating: nil, count: columns)
    var isDone = [Bool](repeating: false, count: columns)
    var row = start, reached = 0.0, last: Int?, free: Int?
    while free == nil {
      var nearest = 0, least = Double.infinity
      for column in 0..<columns where !isDone[column] {
        let way = reached + costs[row * columns + column] - rowPrice[row] - columnPrice[column]
        if way < distance[column] { (distance[column], previous[column]) = (way, last) }
        // Of equal ones a free column, which ends the search.
        if distance[column] < least || (distance[column] == least && owner[column] == nil) {
          (nearest, least) = (column, distance[column])
        }
      }
      (isDone[nearest], reached, last) = (true, least, nearest)
      if let next = owner[nearest] { row = next } else { free = nearest }
    }
    rowPrice[start] += reached
    for column in 0..<columns where isDone[column] {
      if let row = owner[column] { rowPrice[row] += reached - distance[column] }
      columnPrice[column] -= reached - distance[column]
    }
    // Hands the columns on along the path.
    var column = free
    while let at = column {
      let before = previous[at]
      let row = before.flatMap { owner[$0] } ?? start
      (owner[at], given[row]) = (row, at)
      column = before
    }
  }
  return Tensor(given.map(Int32.init)).withoutDerivative(name, from: cost)
}
