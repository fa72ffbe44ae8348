import CallosumTensors

/// The fold of each point when the points are cut into `count` runs of neighbours, as even as can be with the
/// longer ones first. Neighbours in time stay together, so what is held out is not half known already.
public func contiguousFolds(_ points: Int, count: Int) -> [Int] {
  precondition(
    count > 0 && count <= points, "contiguousFolds", "cannot cut \(points) points into \(count) folds")
  let (size, longer) = (points / count, points % count)
  return (0..<count).flatMap { [Int](repeating: $0, count: size + ($0 < longer ? 1 : 0)) }
}

/// The rows to learn from and those held out, for each label in order.
struct Splits {
  let all: [(known: [Int], heldOut: [Int])]

  init(_ folds: [Int], points: Int, _ name: StaticString) throws {
    precondition(
      folds.count == points, name, "\(folds.count) labels of folds do not belong to \(points) points")
    let labels = Set(folds).sorted()
    try require(labels.count > 1, "\(name) needs at least 2 folds")
    all = labels.map { label in
      (folds.indices.filter { folds[$0] != label }, folds.indices.filter { folds[$0] == label })
    }
  }
}

extension Tensor {
  /// Some rows of a table.
  func rows(_ rows: [Int]) -> Tensor { take(Tensor(rows.map(Int32.init))) }
}

/// The share of each column's variance that a prediction explains: R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)² for
/// tables [points, targets]; 0 for a column without variance, NaN where a number is.
public func rSquared(of targets: Tensor, by predictions: Tensor) -> [Double] {
  let name: StaticString = "rSquared"
  precondition(
    targets.ndim == 2 && targets.shape == predictions.shape, name,
    "needs two tables [points, targets], got \(targets.shape) and \(predictions.shape)")
  let y = targets.requireConstant(name, "targets").asType(.float64)
  let rest = square(y - predictions.requireConstant(name, "predictions").asType(.float64)).sum(axis: 0)
    .doubles
  let whole = square(y - y.moments(axes: [0]).mean).sum(axis: 0).doubles
  return zip(rest, whole).map { $1 == 0 ? 0 : 1 - $0 / $1 }
}
