import CallosumTensors

/// How well stimulus c tells the cells of cluster c from the others:
///
///     J_c = rbar_c(x_c) / tau - log((1 / K) sum_k exp(rbar_k(x_c) / tau))
///
/// with rbar_k(x) the mean response to x of cluster k. J is 0 where all clusters respond alike and at most
/// log K. Without the log term (`contrasts`) it is a cluster's own mean response.
///
/// A cluster without a cell counts nowhere, and its J is 0.
struct Discriminability {
  var temperature: Double
  var contrasts: Bool

  /// - Parameters:
  ///   - responses: to stimulus 0..<K, [..., K, cells].
  ///   - weights: what each cell counts in its cluster's mean, [..., K, cells]; see ``weights(_:clusters:)``.
  /// - Returns: J of each stimulus, [..., K].
  func callAsFunction(_ responses: Tensor, _ weights: Tensor) -> Tensor {
    let weights = weights.asType(responses.dtype), clusters = weights.dim(-2)
    // [..., stimulus, cluster]
    let means = matmul(responses, weights.swappedAxes(-1, -2)) * (1 / temperature)
    let own = (means * Tensor.eye(clusters, dtype: responses.dtype)).sum(axis: -1)
    guard contrasts else { return own }
    let isOccupied = weights.sum(axis: -1) .> 0
    let counted = which(
      isOccupied.expandedDimensions(axis: -2), means, Tensor(-1e30, responses.dtype))
    let count = isOccupied.asType(responses.dtype).sum(axis: -1, keepDims: true)
    let advantage = own - logSumExp(counted, axis: -1) + log(count)
    return which(isOccupied, advantage, Tensor(0, responses.dtype))
  }

  /// 1 / |cluster| for its cells, 0 for the others: [..., cells] (int32, below `clusters`) ->
  /// [..., clusters, cells].
  static func weights(_ assignment: Tensor, clusters: Int) -> Tensor {
    let belongs = assignment.oneHot(count: clusters, dtype: .float64).swappedAxes(-1, -2)
    return belongs / maximum(belongs.sum(axis: -1, keepDims: true), 1)
  }
}
