import Foundation

/// `x` blurred along `axis` by a Gaussian of standard deviation `sigma` (in elements), cut off after `reach`
/// deviations and summing to one; `mode` says what lies beyond the borders. As SciPy's `gaussian_filter1d`,
/// whose "reflect" is `symmetric` here and whose "mirror" is `reflect`.
public func gaussianFilter(
  _ x: Tensor, sigma: Double, axis: Int, mode: PaddingMode = .symmetric, reach: Double = 4
) -> Tensor {
  x.requireReal("gaussianFilter")
  precondition(
    sigma >= 0 && sigma.isFinite && reach > 0, "gaussianFilter",
    "sigma must not be negative and reach above 0, are \(sigma) and \(reach)")
  let axis = resolved(axis, rank: x.ndim, "gaussianFilter")
  let radius = Int(reach * sigma + 0.5)
  if radius == 0 || x.size == 0 { return x }
  var weights = (-radius...radius).map { exp(-0.5 * pow(Double($0) / sigma, 2)) }
  let sum = weights.reduce(0, +)
  weights = weights.map { $0 / sum }
  let places = (-radius..<x.dim(axis) + radius).map { Int32(mode.element(at: $0, of: x.dim(axis))) }
  let padded =
    mode == .zeros
    ? x.padded(axis: axis, before: radius, after: radius, mode: .zeros) : x.take(Tensor(places), axis: axis)
  let windows = padded.slidingWindows(axis: axis, size: 2 * radius + 1)
  return matmul(windows, Tensor(weights).asType(x.dtype).reshaped(2 * radius + 1, 1)).squeezed(axis: -1)
}

/// `x` blurred along several axes, one after the other, by the same Gaussian.
public func gaussianFilter(
  _ x: Tensor, sigma: Double, axes: [Int], mode: PaddingMode = .symmetric, reach: Double = 4
) -> Tensor {
  axes.reduce(x) { gaussianFilter($0, sigma: sigma, axis: $1, mode: mode, reach: reach) }
}
