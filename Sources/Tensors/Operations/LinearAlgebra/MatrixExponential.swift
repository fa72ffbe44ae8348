/// exp(A) = I + A + A² / 2 + ... for square matrices [..., n, n], in float32 or float64; NaN for a matrix
/// that is not finite, or whose norm is not. By scaling, a
/// rational approximation of Padé, and squaring (N. Higham, "The scaling and squaring method for the
/// matrix exponential revisited", 2005).
public func matrixExponential(_ x: Tensor) -> Tensor {
  x.requireMatrices("matrixExponential", square: true)
  if x.size == 0 { return x }
  let approximation = x.dtype == .float64 ? Pade.double : Pade.float
  let norms = abs(x.unmarked).sum(axis: -2).max(axis: -1)
  // How often each matrix is halved, so that the approximation is exact up to rounding.
  let halvings = norms.doubles.map { norm in
    let ratio = norm / approximation.reach
    return ratio > 1 && ratio.isFinite ? Int(ratio.exponent) + (ratio.significand > 1 ? 1 : 0) : 0
  }
  let most = halvings.max() ?? 0
  func perMatrix(_ values: [Double]) -> Tensor {
    Tensor(values, x.batch + [1, 1]).asType(x.dtype)
  }
  let scale = perMatrix(halvings.map { Double(sign: .plus, exponent: -$0, significand: 1) })
  var y = approximation(most == 0 ? x : x * scale)
  for done in 0..<most {
    let squared = matmul(y, y)
    let needsMore = perMatrix(halvings.map { $0 > done ? 1 : 0 }) .!= 0
    y = which(needsMore, squared, y)
  }
  return y
}

/// p(A) / p(-A) with p(A) = c₀ + c₁ A + c₂ A² + ..., of an odd degree.
private struct Pade {
  let coefficients: [Double]
  /// The largest 1-norm of A for which the error is below the rounding error of the type.
  let reach: Double

  static let float = Pade(
    coefficients: [17_297_280, 8_648_640, 1_995_840, 277_200, 25_200, 1512, 56, 1], reach: 3.925724783138660)
  static let double = Pade(
    coefficients: [
      64_764_752_532_480_000, 32_382_376_266_240_000, 7_771_770_303_897_600, 1_187_353_796_428_800,
      129_060_195_264_000, 10_559_470_521_600, 670_442_572_800, 33_522_128_640, 1_323_241_920, 40_840_800,
      960_960, 16380, 182, 1,
    ], reach: 5.371920351148152)

  func callAsFunction(_ a: Tensor) -> Tensor {
    let identity = Tensor.eye(a.dim(-1), dtype: a.dtype)
    let square = matmul(a, a)
    // By Horner's rule in A²: the even powers, and the odd ones without one A. The coefficients are
    // divided by the first, so that they stay small.
    func polynomial(_ from: Int) -> Tensor {
      let powers = stride(from: from, to: coefficients.count, by: 2).map {
        coefficients[$0] / coefficients[0]
      }
      return powers.dropLast().reversed().reduce(identity * (powers.last ?? 0)) { sum, coefficient in
        matmul(square, sum) + identity * coefficient
      }
    }
    let even = polynomial(0), odd = matmul(a, polynomial(1))
    return solve(even - odd, even + odd)
  }
}
