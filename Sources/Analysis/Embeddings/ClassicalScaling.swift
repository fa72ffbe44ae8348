import CallosumTensors

/// Classical multidimensional scaling (Torgerson 1952): coordinates whose Euclidean distances are those given
/// as far as so many dimensions allow. The distances d squared and centred twice are inner products, B = -1/2
/// J d² J with J = 1 - 1/n, and coordinates are the eigenvectors of B times the roots of its eigenvalues.
public struct ClassicalScaling: Sendable {
  /// [items, dimensions], centred; each column has the sign that makes its largest entry positive.
  public let coordinates: Tensor
  /// All eigenvalues of B, falling. Negative ones say that no Euclidean space has such distances.
  public let eigenvalues: [Double]

  /// - Parameter distances: [items, items], symmetric.
  /// - Throws: `InvalidInput` if distances are not symmetric or finite, or there are fewer items than dimensions.
  public init(distances: Tensor, dimensions: Int = 2) throws {
    let count = distances.ndim == 2 ? distances.dim(0) : 0
    precondition(
      distances.shape == [count, count] && count > 0, "ClassicalScaling",
      "needs distances [items, items], got \(distances.shape)")
    let d = try distances.observed("ClassicalScaling", "distances")
    try require(
      (1...count).contains(dimensions), "\(count) items have no \(dimensions) dimensions to be placed in")
    try require(
      abs(d - d.swappedAxes(0, 1)).max().item() <= 1e-6 * abs(d).max().item(),
      "distances for scaling must be symmetric")
    let squares = square((d + d.swappedAxes(0, 1)) / 2)
    let rows = squares.mean(axis: 1, keepDims: true)
    let products = (squares - rows - rows.swappedAxes(0, 1) + squares.mean()) * -0.5
    let (values, vectors) = eigh(products)
    eigenvalues = values.doubles.reversed()
    let axes = withLargestPositive(
      vectors.swappedAxes(0, 1).flipped(axes: [0]).sliced(axis: 0, to: dimensions))
    let lengths = eigenvalues.prefix(dimensions).map { max($0, 0).squareRoot() }
    coordinates = axes.swappedAxes(0, 1) * Tensor(lengths)
  }
}
