import CallosumKernels

// Complex numbers are pairs: a trailing axis of size 2 holds the real and the imaginary part, in
// float32 or float64. Sums, products with real numbers and changes of shape are those of any tensor;
// here is what treats the pair as one number.

/// Complex numbers [..., 2] from their parts.
public func complex(real: Tensor, imaginary: Tensor) -> Tensor {
  precondition(
    real.shape == imaginary.shape && real.dtype == imaginary.dtype && real.dtype.isFloatingPoint, "complex",
    "parts \(real.dtype) \(real.shape) and \(imaginary.dtype) \(imaginary.shape) do not fit; both must be "
      + "float32 or both float64, of one shape")
  return stacked([real, imaginary], axis: -1)
}

/// The real part of complex numbers [..., 2], a view.
public func realPart(_ z: Tensor) -> Tensor {
  requireComplex(z, "realPart")
  return z.sliced(axis: -1, from: 0, to: 1).squeezed(axis: -1)
}

/// The imaginary part of complex numbers [..., 2], a view.
public func imaginaryPart(_ z: Tensor) -> Tensor {
  requireComplex(z, "imaginaryPart")
  return z.sliced(axis: -1, from: 1, to: 2).squeezed(axis: -1)
}

/// Complex numbers [..., 2] with the other sign of the imaginary part.
public func conjugate(_ z: Tensor) -> Tensor {
  requireComplex(z, "conjugate")
  return z * Tensor([1.0, -1.0]).asType(z.dtype)
}

/// The magnitudes of complex numbers [..., 2]; the derivative at 0 is 0.
public func complexMagnitude(_ z: Tensor) -> Tensor {
  requireComplex(z, "complexMagnitude")
  // Divided by the larger part, whose square could overflow.
  let scale = abs(z.unmarked).max(axis: -1, keepDims: true)
  let isZero = scale .== 0
  let safe = which(isZero, scale.constant(1), scale)
  let squares = square(z / safe).sum(axis: -1, keepDims: true)
  let lengths = sqrt(which(isZero, squares.constant(1), squares)) * safe
  return which(isZero, lengths.constant(0), lengths).squeezed(axis: -1)
}

/// The products of complex numbers [..., 2]; shapes broadcast. With `conjugating` the first factor
/// is conjugated.
public func complexMultiply(_ a: Tensor, _ b: Tensor, conjugating: Bool = false) -> Tensor {
  requireComplex(a, "complexMultiply")
  requireComplex(b, "complexMultiply")
  a.requireSameType(b, "complexMultiply")
  let shape = broadcastShape(Array(a.shape.dropLast()), Array(b.shape.dropLast()), "complexMultiply")
  let result = Tensor(uninitialized: shape + [2], a.dtype)
  func pairs(_ x: Tensor) -> (Tensor, [Int]) {
    let x = x.strides[x.ndim - 1] == 1 ? x.unmarked : x.packed
    return (x, broadcastStrides(Array(x.shape.dropLast()), Array(x.strides.dropLast()), to: shape))
  }
  let (first, firstStrides) = pairs(a), (second, secondStrides) = pairs(b)
  callosum_complex_multiply(
    a.dtype.kernel, conjugating, Int32(shape.count), shape, first.pointer, firstStrides, second.pointer,
    secondStrides, result.pointer)
  return result.recorded("complexMultiply", from: [a, b]) { g, needsGradient in
    // Of a b: g conj(b) and conj(a) g. Of conj(a) b: conj(g) b and a g.
    let byFirst =
      conjugating ? complexMultiply(g, b, conjugating: true) : complexMultiply(b, g, conjugating: true)
    return [
      needsGradient[0] ? byFirst.summed(to: a.shape) : nil,
      needsGradient[1] ? complexMultiply(a, g, conjugating: !conjugating).summed(to: b.shape) : nil,
    ]
  }
}

/// The quotients of complex numbers [..., 2]; shapes broadcast.
public func complexDivide(_ a: Tensor, _ b: Tensor) -> Tensor {
  requireComplex(a, "complexDivide")
  requireComplex(b, "complexDivide")
  // By the larger part first, whose square could over- or underflow.
  let scale = stopGradient(abs(b)).max(axis: -1, keepDims: true)
  let divisor = b / scale
  return complexMultiply(divisor, a / scale, conjugating: true)
    / square(divisor).sum(axis: -1, keepDims: true)
}

/// exp of complex numbers [..., 2].
public func complexExp(_ z: Tensor) -> Tensor {
  requireComplex(z, "complexExp")
  let angle = imaginaryPart(z), size = exp(realPart(z))
  return complex(real: size * cos(angle), imaginary: size * sin(angle))
}

/// Sums of products of complex numbers by `formula` (as in `einsum`, without the pair's axis), each
/// operand [..., 2].
public func complexEinsum(_ formula: String, _ a: Tensor, _ b: Tensor) -> Tensor {
  requireComplex(a, "complexEinsum")
  requireComplex(b, "complexEinsum")
  let (ar, ai, br, bi) = (realPart(a), imaginaryPart(a), realPart(b), imaginaryPart(b))
  return complex(
    real: einsum(formula, [ar, br]) - einsum(formula, [ai, bi]),
    imaginary: einsum(formula, [ar, bi]) + einsum(formula, [ai, br]))
}

func requireComplex(_ z: Tensor, _ name: StaticString) {
  precondition(
    z.dtype.isFloatingPoint && z.ndim > 0 && z.dim(-1) == 2, name,
    "needs complex numbers, pairs of float32 or float64 along a last axis of 2, got \(z.dtype) \(z.shape)")
}
