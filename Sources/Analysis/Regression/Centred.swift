import CallosumTensors

/// Observations [points, features] and what belongs to them [points, targets], with their means taken out so
/// that an intercept needs no penalty and no column of its own.
struct Centred {
  let x, y: Tensor
  /// [1, features] and [1, targets]; zeros without an intercept.
  let xMean, yMean: Tensor

  init(_ x: Tensor, _ y: Tensor, intercept: Bool) {
    xMean = intercept ? x.mean(axis: 0, keepDims: true) : .zeros([1, x.dim(1)], dtype: .float64)
    yMean = intercept ? y.mean(axis: 0, keepDims: true) : .zeros([1, y.dim(1)], dtype: .float64)
    (self.x, self.y) = (x - xMean, y - yMean)
  }

  /// Reads and checks what a caller gave.
  static func observed(_ x: Tensor, _ y: Tensor, _ name: StaticString) throws -> (x: Tensor, y: Tensor) {
    let (x, y) = (try x.observedTable(name, "features"), try y.observedTable(name, "targets"))
    precondition(
      x.dim(0) == y.dim(0), name,
      "features \(x.shape) and targets \(y.shape) are not of the same points")
    try require(
      x.dim(0) > 1 && x.dim(1) > 0 && y.dim(1) > 0,
      "\(name) needs at least 2 points, a feature and a target; features are \(x.shape), targets \(y.shape)")
    return (x, y)
  }

  /// What coefficients [features, targets] of centred features leave to the intercepts.
  func intercepts(_ coefficients: Tensor) -> [Double] { (yMean - matmul(xMean, coefficients)).doubles }
}

/// A linear prediction y = x B + c of many targets.
public protocol LinearModel {
  /// B [features, targets], float64.
  var coefficients: Tensor { get }
  /// c, one for each target.
  var intercepts: [Double] { get }
}

extension LinearModel {
  /// The targets of other points [points, features] -> [points, targets].
  public func predict(_ x: Tensor) -> Tensor {
    precondition(
      x.ndim == 2 && x.dim(1) == coefficients.dim(0), "predict",
      "needs [points, \(coefficients.dim(0))], got \(x.shape)")
    return matmul(x.requireConstant("predict", "features").asType(.float64), coefficients)
      + Tensor(intercepts)
  }
}
