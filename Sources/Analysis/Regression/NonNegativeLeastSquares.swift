import CallosumTensors

/// The x ≥ 0 for which ||A x - b|| is least, by the active-set method of Lawson and Hanson (1974): entries
/// become free one after the other where the slope is steepest, and go back to 0 where a solution would cross
/// it.
/// - Parameters:
///   - a: [equations, unknowns].
///   - b: one number for each equation.
/// - Returns: x and ||A x - b||.
/// - Throws: `InvalidInput` for numbers that are not finite, or if it does not end within 3 · unknowns steps.
public func nonNegativeLeastSquares(_ a: Tensor, _ b: [Double]) throws -> (x: [Double], residual: Double) {
  let name: StaticString = "nonNegativeLeastSquares"
  let a = try a.observedTable(name, "coefficients")
  precondition(b.count == a.dim(0), name, "\(b.count) numbers do not fit coefficients \(a.shape)")
  let wanted = try Tensor(b, [b.count, 1]).observed(name, "right-hand sides")
  let count = a.dim(1)
  var x = [Double](repeating: 0, count: count), isFree = [Bool](repeating: false, count: count)
  func rest() -> Tensor { wanted - matmul(a, Tensor(x, [count, 1])) }
  func slopes() -> [Double] { matmul(a.swappedAxes(0, 1), rest()).doubles }
  let scale = sqrt(square(a).sum(axis: 0)).doubles
  let limit = 1e-13 * wanted.doubles.reduce(0) { $0 + $1 * $1 }.squareRoot()
  var steps = 0
  while true {
    let slope = slopes()
    let open = (0..<count).filter { !isFree[$0] && slope[$0] > limit * scale[$0] * Double(count) }
    guard let steepest = open.max(by: { slope[$0] < slope[$1] }) else { break }
    isFree[steepest] = true
    while true {
      steps += 1
      try require(steps <= 3 * count + 3, "\(name) did not end within \(steps - 1) steps")
      let free = (0..<count).filter { isFree[$0] }
      let values = matmul(pseudoInverse(a.take(Tensor(free.map(Int32.init)), axis: 1)), wanted).doubles
      let crossing = free.indices.filter { values[$0] <= 0 }
      // How far the solution may be approached before an entry is 0.
      let lengths = crossing.map { x[free[$0]] / (x[free[$0]] - values[$0]) }
      guard let first = lengths.indices.min(by: { lengths[$0] < lengths[$1] }) else {
        for (at, unknown) in free.enumerated() { x[unknown] = values[at] }
        break
      }
      for (at, unknown) in free.enumerated() { x[unknown] += lengths[first] * (values[at] - x[unknown]) }
      for (at, length) in zip(crossing, lengths) where length == lengths[first] {
        (x[free[at]], isFree[free[at]]) = (0, false)
      }
    }
  }
  return (x, square(rest()).sum().item().squareRoot())
}
