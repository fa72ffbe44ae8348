import CallosumTensors

/// Clusters of a graph (Ng, Jordan and Weiss 2001): items become points by the eigenvectors of the normalised
/// Laplacian L = 1 - D^-1/2 A D^-1/2 with the smallest eigenvalues, their rows are brought to length 1, and
/// k-means clusters them. Groups without edges between them are found exactly.
public struct SpectralClustering: Sendable {
  public let assignment: [Int]
  /// All eigenvalues of L, rising, from 0 to 2. As many are 0 as there are parts without edges between them;
  /// a gap after the k-th speaks for k clusters.
  public let eigenvalues: [Double]
  /// The points that were clustered [items, clusters].
  public let embedding: Tensor

  /// - Parameter affinities: [items, items], symmetric, 0 or more; the diagonal counts too. An item without
  ///   any lies at the origin.
  /// - Throws: `InvalidInput` if affinities are negative, not symmetric or not finite, or there are fewer items
  ///   than clusters.
  public init(
    affinities: Tensor, clusters: Int, restarts: Int = 10, using generator: inout RandomGenerator
  ) throws {
    let count = affinities.ndim == 2 ? affinities.dim(0) : 0
    precondition(
      affinities.shape == [count, count] && count > 0, "SpectralClustering",
      "needs affinities [items, items], got \(affinities.shape)")
    let a = try affinities.observed("SpectralClustering", "affinities")
    try require((1...count).contains(clusters), "\(count) items do not make \(clusters) clusters")
    try require(a.min().item() >= 0, "affinities must be at least 0")
    try require(
      abs(a - a.swappedAxes(0, 1)).max().item() <= 1e-6 * a.max().item(), "affinities must be symmetric")
    let degrees = a.sum(axis: 1, keepDims: true)
    let isJoined = degrees .> 0
    let scale = which(
      isJoined, 1 / sqrt(which(isJoined, degrees, Tensor(1, .float64))), Tensor(0, .float64))
    let symmetric = (a + a.swappedAxes(0, 1)) / 2
    let laplacian = Tensor.eye(count, dtype: .float64) - symmetric * scale * scale.swappedAxes(0, 1)
    let (values, vectors) = eigh(laplacian)
    eigenvalues = values.doubles
    let rows = vectors.sliced(axis: 1, to: clusters)
    let lengths = sqrt(square(rows).sum(axis: 1, keepDims: true))
    embedding = which(
      lengths .> 1e-12, rows / maximum(lengths, 1e-12), Tensor(0, .float64))
    assignment = try KMeans(embedding, clusters: clusters, restarts: restarts, using: &generator).assignment
  }
}
