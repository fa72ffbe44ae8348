import CallosumTensors

/// Linear regression of many targets with a penalty on the squares of coefficients (Hoerl and Kennard 1970):
///
///     minimise ||y - x b - c||² + λ ||b||²        b = V diag(s / (s² + λ)) Uᵀ y,   x = U diag(s) Vᵀ, centred
///
/// for each target with a λ of its own; the intercept c is free. One factorisation serves all targets and all
/// penalties. With more features than points it is that of the Gram matrix x xᵀ, the dual form.
public struct RidgeRegression: LinearModel, Sendable {
  public let coefficients: Tensor
  public let intercepts: [Double]
  /// λ of each target.
  public let penalties: [Double]

  /// - Parameters:
  ///   - x: [points, features].
  ///   - y: [points, targets].
  ///   - penalties: λ, one for all targets or one for each; at least 0. With 0, where points do not determine
  ///     the coefficients, they are the shortest that fit.
  /// - Throws: `InvalidInput` for fewer than 2 points, numbers that are not finite, or a negative penalty.
  public init(_ x: Tensor, _ y: Tensor, penalties: [Double], intercept: Bool = true) throws {
    let (x, y) = try Centred.observed(x, y, "RidgeRegression")
    precondition(
      penalties.count == 1 || penalties.count == y.dim(1), "RidgeRegression",
      "\(penalties.count) penalties are neither one nor one for each target of \(y.shape)")
    try Self.check(penalties)
    let all = penalties.count == 1 ? [Double](repeating: penalties[0], count: y.dim(1)) : penalties
    let data = Centred(x, y, intercept: intercept)
    self.init(data, RidgeSpectrum(data.x), all)
  }

  init(_ data: Centred, _ spectrum: RidgeSpectrum, _ penalties: [Double]) {
    coefficients = matmul(
      spectrum.basis, spectrum.shrinkage(penalties) * matmul(spectrum.u.swappedAxes(0, 1), data.y))
    intercepts = data.intercepts(coefficients)
    self.penalties = penalties
  }

  static func check(_ penalties: [Double]) throws {
    try require(
      !penalties.isEmpty && penalties.allSatisfy { $0 >= 0 && $0.isFinite },
      "penalties of ridge regression must be at least 0, are \(penalties)")
  }
}

/// The factors of centred features x [points, features] that every penalty shares: coefficients are
/// `basis` · diag(1 / (s² + λ)) · Uᵀ y with `basis` = xᵀ U.
struct RidgeSpectrum {
  /// [points, rank]
  let u: Tensor
  /// s² [rank]
  let squares: Tensor
  /// [features, rank]
  let basis: Tensor
  private let isPresent: Tensor

  init(_ x: Tensor) {
    let (points, features) = (x.dim(0), x.dim(1))
    let limit: Double
    if features > points {
      let (values, vectors) = eigh(matmul(x, x.swappedAxes(0, 1)))
      (u, squares) = (vectors, maximum(values, 0))
      basis = matmul(x.swappedAxes(0, 1), vectors)
      limit = Double(points) * Double.ulpOfOne
    } else {
      let (u, s, vt) = svd(x)
      (self.u, squares) = (u, square(s))
      basis = vt.swappedAxes(0, 1) * s
      let relative = Double(points) * Double.ulpOfOne
      limit = relative * relative
    }
    // Directions without variance, of which rounding leaves something.
    isPresent = squares .> (squares.max() * limit)
  }

  /// 1 / (s² + λ) [rank, penalties]
  func shrinkage(_ penalties: [Double]) -> Tensor {
    let present = isPresent.expandedDimensions(axis: 1)
    let sums = squares.expandedDimensions(axis: 1) + Tensor(penalties)
    return which(present, 1 / which(present, sums, Tensor(1, .float64)), Tensor(0, .float64))
  }
}
