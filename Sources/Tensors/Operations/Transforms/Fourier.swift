import CallosumKernels

// Discrete Fourier transforms of any length, in float32 or float64, scaled as NumPy does: 1 / n on the
// way back. Complex numbers are pairs along a last axis of 2 (see Complex.swift), which `axes` does not
// count: axis -1 is the one before it. Every derivative is again such a transform.

/// The transform X[k] = sum of x[j] exp(-2 pi i j k / n) of complex numbers [..., 2] over each of `axes`.
public func fft(_ x: Tensor, axes: [Int] = [-1]) -> Tensor {
  overAxes(x, axes, "fft") { complexTransform($0, inverse: false, scale: 1) }
}

/// The inverse of `fft`.
public func ifft(_ x: Tensor, axes: [Int] = [-1]) -> Tensor {
  overAxes(x, axes, "ifft") {
    complexTransform($0, inverse: true, scale: 1 / Double(Swift.max($0.dim(-2), 1)))
  }
}

/// The transform of real numbers over each of `axes`: complex numbers [..., 2]. The last of the axes has
/// n / 2 + 1 frequencies, the others being their mirror.
public func rfft(_ x: Tensor, axes: [Int] = [-1]) -> Tensor {
  x.requireReal("rfft")
  let (last, others) = parted(axes, rank: x.ndim, "rfft")
  precondition(x.dim(last) > 0, "rfft", "axis \(last) of shape \(x.shape) is empty")
  let half = realTransform(x.movedAxis(source: last, destination: -1), weight: 1, scale: 1)
    .movedAxis(source: -2, destination: last)
  return others.isEmpty ? half : fft(half, axes: others)
}

/// The inverse of `rfft`, from complex numbers [..., 2] to real ones, of which the last of the axes gets
/// `length`: 2 (frequencies - 1) or, which is an odd length, one more. Imaginary parts that are 0 in the
/// transform of real numbers are not read.
public func irfft(_ x: Tensor, length: Int, axes: [Int] = [-1]) -> Tensor {
  requireComplex(x, "irfft")
  let (last, others) = parted(axes, rank: x.ndim - 1, "irfft")
  precondition(
    length > 0 && x.dim(last) == length / 2 + 1, "irfft",
    "length \(length) has \(length / 2 + 1) frequencies, axis \(last) of shape \(x.shape) has \(x.dim(last))")
  let half = others.isEmpty ? x : ifft(x, axes: others)
  return backTransform(
    half.movedAxis(source: last, destination: -2), length: length, weight: 2, scale: 1 / Double(length)
  ).movedAxis(source: -1, destination: last)
}

/// The last of the axes and those before it, counted from the front.
private func parted(_ axes: [Int], rank: Int, _ name: StaticString) -> (last: Int, others: [Int]) {
  precondition(!axes.isEmpty, name, "needs an axis at least")
  _ = resolved(axes, rank: rank, name)
  let axes = axes.map { resolved($0, rank: rank, name) }
  return (axes[axes.count - 1], Array(axes.dropLast()))
}

private func overAxes(
  _ x: Tensor, _ axes: [Int], _ name: StaticString, _ transform: (Tensor) -> Tensor
) -> Tensor {
  requireComplex(x, name)
  let (last, others) = parted(axes, rank: x.ndim - 1, name)
  return (others + [last]).reduce(x) { x, axis in
    transform(x.movedAxis(source: axis, destination: -2)).movedAxis(source: -2, destination: axis)
  }
}

// MARK: The three transforms, over the last axis, and how each is the transpose of another

private func transform(
  _ x: Tensor, _ kind: callosum_fourier_kind, n: Int, scale: Double, weight: Double = 1,
  inverse: Bool = false, to shape: [Int]
) -> Tensor {
  let result = Tensor(uninitialized: shape, x.dtype)
  guard x.size > 0 else { return result }
  let source = x.packed
  let rowSize =
    kind == callosum_complex_to_complex ? 2 * n : kind == callosum_real_to_complex ? n : 2 * (n / 2 + 1)
  var job = callosum_fourier_job(
    type: x.dtype.kernel, kind: kind, inverse: inverse, count: x.size / rowSize, n: n, scale: scale,
    weight: weight)
  callosum_fourier(&job, source.pointer, result.pointer)
  return result
}

private func complexTransform(_ x: Tensor, inverse: Bool, scale: Double) -> Tensor {
  transform(x, callosum_complex_to_complex, n: x.dim(-2), scale: scale, inverse: inverse, to: x.shape)
    .recorded("fourierTransform", from: x) { complexTransform($0, inverse: !inverse, scale: scale) }
}

/// Real [..., n] to complex [..., n / 2 + 1, 2], inner frequencies times `weight`.
private func realTransform(_ x: Tensor, weight: Double, scale: Double) -> Tensor {
  let n = x.dim(-1)
  return transform(
    x, callosum_real_to_complex, n: n, scale: scale, weight: weight,
    to: Array(x.shape.dropLast()) + [n / 2 + 1, 2]
  ).recorded("realFourierTransform", from: x) {
    backTransform($0, length: n, weight: weight, scale: scale)
  }
}

/// Complex [..., n / 2 + 1, 2] to real [..., n], inner frequencies times `weight`.
private func backTransform(_ x: Tensor, length n: Int, weight: Double, scale: Double) -> Tensor {
  transform(
    x, callosum_complex_to_real, n: n, scale: scale, weight: weight, to: Array(x.shape.dropLast(2)) + [n]
  ).recorded("inverseRealFourierTransform", from: x) {
    realTransform($0, weight: weight, scale: scale)
  }
}
