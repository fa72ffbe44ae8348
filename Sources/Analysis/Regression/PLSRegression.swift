import CallosumTensors

/// Regression on a few directions of the features that share most covariance with the targets, one after the
/// other: partial least squares by NIPALS (Wold 1975), as Brain-Score predicts neurons. For each component:
///
///     w ∝ Xᵀ u,  t = X w,  q = Yᵀ t / tᵀt,  u = Y q / qᵀq      until w stands still
///     p = Xᵀ t / tᵀt,  X <- X - t pᵀ,  Y <- Y - t qᵀ            coefficients B = W (PᵀW)⁻¹ Qᵀ
///
/// Features and targets are centred, and with `scales` divided by their deviation (n - 1); B is for the
/// numbers as given.
public struct PLSRegression: LinearModel, Sendable {
  public let coefficients: Tensor
  public let intercepts: [Double]
  /// W (PᵀW)⁻¹ [features, components]: centred, scaled features times this are the scores t.
  public let rotations: Tensor

  /// - Parameters:
  ///   - x: [points, features].
  ///   - y: [points, targets].
  ///   - components: at most the rank of the centred features; what the targets do not need is left out.
  /// - Throws: `InvalidInput` for fewer than 2 points, numbers that are not finite, more components than points -
  ///   1 or features, or none.
  public init(
    _ x: Tensor, _ y: Tensor, components: Int, scales: Bool = true, tolerance: Double = 1e-12,
    iterations: Int = 5000
  ) throws {
    let (x, y) = try Centred.observed(x, y, "PLSRegression")
    let most = min(x.dim(0) - 1, x.dim(1))
    try require(
      (1...most).contains(components),
      "partial least squares of features \(x.shape) needs from 1 to \(most) components, not \(components)")
    let data = Centred(x, y, intercept: true)
    func deviations(_ table: Tensor) -> Tensor {
      if !scales { return .ones([1, table.dim(1)], dtype: .float64) }
      let deviation = sqrt(table.variance(axis: 0, keepDims: true, correction: 1))
      return which(deviation .> 0, deviation, Tensor(1, .float64))
    }
    let (xScale, yScale) = (deviations(data.x), deviations(data.y))
    var (restX, restY) = (data.x / xScale, data.y / yScale)
    let smallest = square(restX).sum().item().squareRoot() * square(restY).sum().item().squareRoot() * 1e-14
    var w: [Tensor] = [], p: [Tensor] = [], q: [Tensor] = []
    for _ in 0..<components {
      let cross = matmul(restX.swappedAxes(0, 1), restY)
      if square(cross).sum().item().squareRoot() <= smallest { break }
      let direction = Self.direction(cross, tolerance, iterations)
      let t = matmul(restX, direction)
      let length = square(t).sum()
      let loadX = matmul(restX.swappedAxes(0, 1), t) / length
      let loadY = matmul(restY.swappedAxes(0, 1), t) / length
      restX = restX - matmul(t, loadX.swappedAxes(0, 1))
      restY = restY - matmul(t, loadY.swappedAxes(0, 1))
      w.append(direction)
      p.append(loadX)
      q.append(loadY)
    }
    if w.isEmpty {
      rotations = .zeros([x.dim(1), 0], dtype: .float64)
      coefficients = .zeros([x.dim(1), y.dim(1)], dtype: .float64)
    } else {
      let weights = concatenated(w, axis: 1)
      let inner = matmul(concatenated(p, axis: 1).swappedAxes(0, 1), weights)
      rotations = matmul(weights, inverse(inner))
      let scaled = matmul(rotations, concatenated(q, axis: 1).swappedAxes(0, 1))
      coefficients = scaled * yScale / xScale.swappedAxes(0, 1)
    }
    intercepts = data.intercepts(coefficients)
  }

  /// The inner loop, on the products C = XᵀY, in which u does not appear: w ∝ C q, q ∝ Cᵀ w.
  private static func direction(_ cross: Tensor, _ tolerance: Double, _ iterations: Int) -> Tensor {
    func unit(_ x: Tensor) -> Tensor { x / sqrt(square(x).sum()) }
    // From the target that shares most.
    let start = Int(square(cross).sum(axis: 0).argMax(axis: 0).item())
    var w = unit(cross.sliced(axis: 1, from: start, to: start + 1))
    for _ in 0..<(cross.dim(1) > 1 ? iterations : 0) {
      let next = unit(matmul(cross, matmul(cross.swappedAxes(0, 1), w)))
      let change = square(next - w).sum().item()
      w = next
      if change < tolerance * tolerance { break }
    }
    return w
  }
}
