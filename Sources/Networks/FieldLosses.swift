import CallosumTensors

// Norms of functions that are sampled on an even grid, [batch, spatial..., channels]: integrals, not sums, so
// that they stay what they are on a finer grid.

/// The Sobolev norm H^order of each field, [batch]: the root of the sum over wave numbers k of
/// (1 + |k|²)^order |u_k|², with the Fourier coefficients u_k of the field continued periodically.
///
/// That is the integral of |u|² + |grad u|² + ... where the grid spans 2π along each axis and has the area 1.
/// Order 0 is L2: the root of the mean of |u|².
public func sobolevNorm(_ u: Tensor, order: Int = 0) -> Tensor {
  precondition(order >= 0, "sobolevNorm", "order must not be negative, is \(order)")
  precondition(
    u.ndim >= (order == 0 ? 2 : 3) && u.size > 0, "sobolevNorm",
    "needs fields [batch, spatial..., channels], got \(u.shape)")
  let others = Array(1..<u.ndim)
  let spatial = Array(u.shape[1..<u.ndim - 1])
  let points = Double(spatial.elementCount)
  if order == 0 { return sqrt(square(u).sum(axes: others) * (1 / points)) }
  let waves = rfft(u, axes: Array(1..<u.ndim - 1))
  let weights = sobolevWeights(spatial, order: order, scale: 1 / (points * points))
  let powers = square(waves).sum(axis: -1) * weights.asType(u.dtype).expandedDimensions(axis: -1)
  return sqrt(powers.sum(axes: others))
}

/// |prediction - target| / |target| for each field, [batch], in the Sobolev norm of an order: the relative
/// L2 (0) and H1 (1) errors by which networks on fields learn and are judged.
public func relativeSobolevError(_ predictions: Tensor, _ targets: Tensor, order: Int = 0) -> Tensor {
  precondition(
    predictions.shape == targets.shape, "relativeSobolevError",
    "predictions \(predictions.shape) and targets \(targets.shape) differ in shape")
  return sobolevNorm(predictions - targets, order: order) / sobolevNorm(targets, order: order)
}

/// (1 + |k|²)^order times `scale` for the frequencies of `rfft`, twice that where it leaves a mirror out.
private func sobolevWeights(_ spatial: [Int], order: Int, scale: Double) -> Tensor {
  let last = spatial[spatial.count - 1]
  var frequencies = spatial.map { n in (0..<n).map { min($0, n - $0) } }
  frequencies[spatial.count - 1] = Array(0...last / 2)
  var squares = [0.0]
  for axis in frequencies {
    squares = squares.flatMap { square in axis.map { square + Double($0 * $0) } }
  }
  let columns = last / 2 + 1
  let values = squares.enumerated().map { place, square in
    let column = place % columns
    let isMirrored = column > 0 && 2 * column != last
    return (0..<order).reduce(isMirrored ? 2 * scale : scale) { weight, _ in weight * (1 + square) }
  }
  return Tensor(values, frequencies.map(\.count))
}
