import CallosumKernels

// What builds on Fourier transforms or resembles them: cosine and Hadamard transforms, convolution.

// MARK: Cosine transform

/// The discrete cosine transform of type II over `axis`: y[k] = 2 sum of x[j] cos(pi k (2 j + 1) / 2n);
/// with `orthonormal`, scaled so that its inverse is its transpose.
public func dct(_ x: Tensor, axis: Int = -1, orthonormal: Bool = false) -> Tensor {
  let axis = resolved(axis, rank: x.ndim, "dct"), n = x.dim(axis)
  requireCosines(x, axis, "dct")
  let moved = x.movedAxis(source: axis, destination: -1)
  // Even places forwards, then odd ones backwards, have this transform up to a turn of each frequency.
  let odd = moved.sliced(axis: -1, from: Swift.min(1, n), by: 2).flipped(axes: [-1])
  let half = rfft(concatenated([moved.sliced(axis: -1, by: 2), odd], axis: -1))
  let turned = complexMultiply(half, quarterTurns(n, sign: -1, dtype: x.dtype)) * 2
  let rest = imaginaryPart(turned).sliced(axis: -1, from: 1, to: (n + 1) / 2).flipped(axes: [-1])
  let y = concatenated([realPart(turned), -rest], axis: -1)
  return (orthonormal ? y * orthonormalScale(n, dtype: x.dtype) : y).movedAxis(source: -1, destination: axis)
}

/// The inverse of `dct`.
public func idct(_ y: Tensor, axis: Int = -1, orthonormal: Bool = false) -> Tensor {
  let axis = resolved(axis, rank: y.ndim, "idct"), n = y.dim(axis)
  requireCosines(y, axis, "idct")
  var moved = y.movedAxis(source: axis, destination: -1)
  if orthonormal { moved = moved / orthonormalScale(n, dtype: y.dtype) }
  // Frequency k after its turn is (y[k] - i y[n - k]) / 2, with y[n] = 0.
  let zero = Tensor.zeros(Array(moved.shape.dropLast()) + [1], dtype: y.dtype)
  let mirrored = concatenated([zero, moved.sliced(axis: -1, from: n - n / 2).flipped(axes: [-1])], axis: -1)
  let turned = complex(real: moved.sliced(axis: -1, to: n / 2 + 1), imaginary: -mirrored) * 0.5
  let ordered = irfft(complexMultiply(turned, quarterTurns(n, sign: 1, dtype: y.dtype)), length: n)
  let order = (0..<n).map { Int32($0 % 2 == 0 ? $0 / 2 : n - 1 - $0 / 2) }
  return ordered.take(Tensor(order), axis: -1).movedAxis(source: -1, destination: axis)
}

private func requireCosines(_ x: Tensor, _ axis: Int, _ name: StaticString) {
  x.requireReal(name)
  precondition(x.dim(axis) > 0, name, "axis \(axis) of shape \(x.shape) is empty")
}

/// exp(sign pi i k / 2n) for the frequencies k of a real transform.
private func quarterTurns(_ n: Int, sign: Double, dtype: DType) -> Tensor {
  let angles = Tensor.arange(n / 2 + 1, dtype: .float64) * (sign * Double.pi / Double(2 * n))
  return complex(real: cos(angles), imaginary: sin(angles)).asType(dtype)
}

private func orthonormalScale(_ n: Int, dtype: DType) -> Tensor {
  let inner = 1 / (2 * Double(n)).squareRoot()
  return Tensor((0..<n).map { $0 == 0 ? inner / 2.0.squareRoot() : inner }).asType(dtype)
}

// MARK: Hadamard transform

/// The Walsh-Hadamard transform of the last axis, whose size must be a power of 2:
/// y[i] = sum over j of (-1)^(binary ones that i and j share) x[j]. Twice gives the size times x; with
/// `orthonormal` it is its own inverse.
public func hadamard(_ x: Tensor, orthonormal: Bool = false) -> Tensor {
  precondition(
    x.dtype.isFloatingPoint && x.ndim > 0 && x.dim(-1) > 0 && x.dim(-1).nonzeroBitCount == 1, "hadamard",
    "needs float32 or float64 and a last axis that is a power of 2, got \(x.dtype) \(x.shape)")
  let n = x.dim(-1)
  let result = Tensor(uninitialized: x.shape, x.dtype)
  let source = x.packed
  callosum_hadamard(
    x.dtype.kernel, x.size / n, n, orthonormal ? 1 / Double(n).squareRoot() : 1, source.pointer,
    result.pointer)
  return result.recorded("hadamard", from: x) { hadamard($0, orthonormal: orthonormal) }
}

// MARK: Convolution

/// Where a convolution ends.
public enum ConvolutionExtent: String, Codable, Sendable, CaseIterable {
  /// Everything: length + kernel - 1 places.
  case full
  /// As long as the input: place t sees places 0...t of the input.
  case causal
  /// As long as the input, which repeats on both sides; the kernel must not be longer.
  case circular
}

/// Convolution of long sequences, y[t] = sum over s of kernel[s] x[t - s], each channel with a kernel of
/// its own: x [..., channels, length], kernel [channels, kernel length]. By Fourier transforms: the
/// time grows with n log n, not with the product of the lengths. What is not finite in x makes NaN of the places
/// that see it (of a circular convolution, which has no first place, of all).
public func fftConvolution(
  _ x: Tensor, kernel: Tensor, extent: ConvolutionExtent = .causal
) -> Tensor {
  precondition(
    x.ndim >= 2 && kernel.ndim == 2 && x.dim(-2) == kernel.dim(0) && x.dim(-1) > 0 && kernel.dim(1) > 0,
    "fftConvolution",
    "input \(x.shape) and kernel \(kernel.shape) do not fit [..., channels, length] and "
      + "[channels, kernel length]")
  realType(of: [x, kernel], "fftConvolution")
  let length = x.dim(-1), reach = kernel.dim(1)
  precondition(
    extent != .circular || reach <= length, "fftConvolution",
    "a circular kernel of \(reach) places is longer than the input of \(length)")
  let outputs = extent == .full ? length + reach - 1 : length
  let isFine = isFinite(stopGradient(x))
  if extent != .circular && isFine.all().item() == 0 {
    // Transforms would carry it everywhere.
    let bad = (.!isFine).asType(x.dtype).paddedAtEnd(to: outputs).cumsum(axis: -1)
    let isLost = (bad - bad.shifted(Swift.min(reach, outputs), axis: -1)) .> 0.5
    return fftConvolution(which(isFine, x, x.constant(0)), kernel: kernel, extent: extent)
      * which(isLost, x.constant(.nan), x.constant(1))
  }
  // Long enough for what runs over the end not to reach the places that are kept.
  let n = extent == .circular ? length : quickLength(length + reach - 1)
  let byTransforms = { (inputs: [Tensor]) in
    let spectrum = complexMultiply(
      rfft(inputs[0].paddedAtEnd(to: n)), rfft(inputs[1].paddedAtEnd(to: n)))
    return irfft(spectrum, length: n).sliced(axis: -1, to: outputs)
  }
  // The kernel is made for halves of rows that are worth cutting in two.
  if n < 512 || n % 2 == 1 || x.size == 0 { return byTransforms([x, kernel]) }
  return fused("fftConvolution", [x, kernel], reference: byTransforms) { inputs in
    let x = inputs[0].packed, w = inputs[1].packed
    let y = Tensor(uninitialized: Array(x.shape.dropLast()) + [outputs], .float32)
    var job = callosum_fourier_convolution_job(
      batch: x.size / (w.dim(0) * length), channels: w.dim(0), length: length, kernel: reach,
      outputs: outputs, n: n)
    callosum_fourier_convolution(
      &job, x.pointer(as: Float.self), w.pointer(as: Float.self), y.pointer(as: Float.self))
    return (
      y,
      { g, needsGradient in
        let g = g.packed
        let gx = needsGradient[0] ? Tensor(uninitialized: x.shape, .float32) : nil
        let gw = needsGradient[1] ? Tensor(uninitialized: w.shape, .float32) : nil
        callosum_fourier_convolution_backward(
          &job, x.pointer(as: Float.self), w.pointer(as: Float.self), g.pointer(as: Float.self),
          gx?.pointer(as: Float.self), gw?.pointer(as: Float.self))
        return [gx, gw]
      }
    )
  }
}

/// The smallest length from `least` on, and from 16, that is a power of 2 or 3 or 5 times one.
private func quickLength(_ least: Int) -> Int {
  [1, 3, 5].map { factor in
    var length = factor
    while length < Swift.max(least, 16) { length *= 2 }
    return length
  }.min() ?? least
}

extension Tensor {
  /// Zeros after the last axis.
  fileprivate func paddedAtEnd(to size: Int) -> Tensor {
    padded(shape.indices.map { (before: 0, after: $0 == ndim - 1 ? size - dim(-1) : 0) })
  }
}
