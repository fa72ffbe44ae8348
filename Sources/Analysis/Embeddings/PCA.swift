import CallosumTensors

/// Principal component analysis (Pearson 1901, Hotelling 1933): the directions in which points vary most,
/// from the singular values of the centred points X = U diag(s) Vᵀ. Component i is row i of Vᵀ, with the sign
/// that makes its largest entry positive; it carries the variance s_i² / (n - 1).
public struct PCA: Sendable {
  /// [components, width], orthonormal rows, float64.
  public let components: Tensor
  /// [width]
  public let mean: Tensor
  /// The variance along each component (n - 1), falling.
  public let variances: [Double]
  /// The share of each of the whole variance; zeros if there is none.
  public let shares: [Double]

  /// - Parameters:
  ///   - points: [points, width].
  ///   - components: how many to keep; all if nil, the smaller of points and width.
  /// - Throws: `InvalidInput` for fewer than 2 points, more components than there are, or numbers that are not
  ///   finite.
  public init(_ points: Tensor, components: Int? = nil) throws {
    let points = try points.observedTable("PCA", "points")
    let most = min(points.dim(0), points.dim(1)), count = components ?? most
    try require(
      points.dim(0) > 1 && (0...most).contains(count),
      "PCA of points \(points.shape) has no \(count) components; it needs 2 points and has at most \(most)")
    let mean = points.mean(axis: 0)
    self.mean = mean
    let (_, s, vt) = svd(points - mean)
    let all = (square(s) / Double(points.dim(0) - 1)).doubles, whole = all.reduce(0, +)
    variances = Array(all.prefix(count))
    shares = variances.map { whole > 0 ? $0 / whole : 0 }
    self.components = withLargestPositive(vt.sliced(axis: 0, to: count))
  }

  /// The coordinates along the components: [points, width] -> [points, components]. With `whitens` they are
  /// divided by their deviations; a component without variance stays as it is.
  public func transform(_ points: Tensor, whitens: Bool = false) -> Tensor {
    let data = points.requireConstant("PCA", "points").asType(.float64)
    let scores = matmul(data - mean, components.swappedAxes(0, 1))
    return whitens ? scores / Tensor(variances.map { $0 > 0 ? $0.squareRoot() : 1 }) : scores
  }

  /// Points from their coordinates, the best that so many components can do: [points, components] -> [points,
  /// width].
  public func inverse(_ scores: Tensor) -> Tensor {
    matmul(scores.requireConstant("PCA", "coordinates").asType(.float64), components) + mean
  }
}

/// Each row with the sign that makes its entry of largest magnitude positive, so that directions, whose sign
/// is arbitrary, come out the same everywhere.
func withLargestPositive(_ rows: Tensor) -> Tensor {
  if rows.size == 0 { return rows }
  let largest = rows.takeAlong(abs(rows).argMax(axis: 1, keepDims: true), axis: 1)
  return rows * which(largest .< 0, Tensor(-1, .float64), Tensor(1, .float64))
}
