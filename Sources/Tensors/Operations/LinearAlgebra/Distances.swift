import CallosumKernels

// How far points are from each other: one product of matrices instead of all differences.

/// Squared Euclidean distances |x_i - y_j|² between points x [..., n, width] and y [..., m, width]:
/// [..., n, m], the leading axes broadcast.
///
/// They come from |x|² + |y|² - 2 x y about the mean of y, so that clouds far from the origin lose no digits;
/// the error is that of the squared spread of the points, and nothing is below 0.
public func squaredDistances(_ x: Tensor, _ y: Tensor) -> Tensor {
  requirePoints(x, y, "squaredDistances")
  // Of finite numbers, so that a point that is not finite has no effect on the distances of others.
  let plain = stopGradient(y)
  let centre =
    y.dim(-2) == 0
    ? y.constant(0) : which(isFinite(plain), plain, y.constant(0)).mean(axis: -2, keepDims: true)
  let (x, y) = (x - centre, y - centre)
  let squares = square(y).sum(axis: -1).expandedDimensions(axis: -2)
  return relu(square(x).sum(axis: -1, keepDims: true) + squares - matmul(x, y.swappedAxes(-1, -2)) * 2)
}

/// Cosines of the angles between x [..., n, width] and y [..., m, width]: [..., n, m], the leading axes
/// broadcast. A vector of length below `epsilon` counts as one of that length.
public func cosineSimilarities(_ x: Tensor, _ y: Tensor, epsilon: Double = 1e-8) -> Tensor {
  requirePoints(x, y, "cosineSimilarities")
  func directed(_ x: Tensor) -> Tensor {
    let squares = square(x).sum(axis: -1, keepDims: true)
    return x * rsqrt(maximum(squares, epsilon * epsilon))
  }
  return matmul(directed(x), directed(y).swappedAxes(-1, -2))
}

/// The `count` points nearest to each query by Euclidean distance, the nearest first.
///
/// - Parameters:
///   - queries: [n, width].
///   - points: [m, width], m at least `count`.
///   - block: points looked at together; memory is n times this.
/// - Returns: Squared distances [n, count], with derivatives by both, and the points' places (int32).
public func nearestNeighbours(
  of queries: Tensor, in points: Tensor, count: Int, block: Int = 4096
) -> (squaredDistances: Tensor, indices: Tensor) {
  let name: StaticString = "nearestNeighbours"
  requirePoints(queries, points, name)
  precondition(
    queries.ndim == 2 && points.ndim == 2 && (1...max(points.dim(0), 1)).contains(count) && block > 0, name,
    "needs queries [n, width] and at least count (\(count)) points, got \(queries.shape) and \(points.shape)")
  var best: (distances: Tensor, indices: Tensor)?
  let plainQueries = stopGradient(queries).packed, plainPoints = stopGradient(points)
  for start in stride(from: 0, to: points.dim(0), by: block) {
    let end = min(start + block, points.dim(0))
    let some = exactSquaredDistances(plainQueries, plainPoints.sliced(axis: 0, from: start, to: end))
    var (distances, indices) = some.topK(min(count, end - start), largest: false)
    indices = indices + start
    if let before = best {
      distances = concatenated([before.distances, distances], axis: 1)
      indices = concatenated([before.indices, indices], axis: 1)
      let (kept, places) = distances.topK(min(count, distances.dim(1)), largest: false)
      (distances, indices) = (kept, indices.takeAlong(places, axis: 1))
    }
    best = (distances, indices)
  }
  guard let indices = best?.indices else { preconditionFailure(name, "there are no points") }
  // Once more for those that were found, with derivatives.
  let found = points.take(indices, axis: 0)
  return (square(queries.expandedDimensions(axis: 1) - found).sum(axis: -1), indices)
}

/// Squared distances [n, m] as sums of squared differences: no cloud is too wide for them. Not recorded.
private func exactSquaredDistances(_ x: Tensor, _ y: Tensor) -> Tensor {
  let columns = y.transposed().packed
  let result = Tensor(uninitialized: [x.dim(0), y.dim(0)], x.dtype)
  callosum_squared_distances(
    x.dtype.kernel, x.dim(0), y.dim(0), x.dim(1), x.pointer, columns.pointer, result.pointer)
  return result
}

private func requirePoints(_ x: Tensor, _ y: Tensor, _ name: StaticString) {
  precondition(
    x.ndim >= 2 && y.ndim >= 2 && x.dim(-1) == y.dim(-1) && x.dtype == y.dtype && x.dtype.isFloatingPoint,
    name,
    "needs points [..., n, width] of one width, got \(x.dtype) \(x.shape) and \(y.dtype) \(y.shape)")
}
