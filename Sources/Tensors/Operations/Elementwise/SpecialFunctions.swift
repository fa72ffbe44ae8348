import CallosumKernels

// Rarer functions of one tensor, and stable forms of common compositions.

/// 1 - erf(x), accurate for large x.
public func erfc(_ x: Tensor) -> Tensor {
  x.real(callosum_erfc, "erfc").recorded("erfc", from: x) { $0 * (exp(-x * x) * -1.1283791670955126) }
}

/// exp(x²) erfc(x), which neither under- nor overflows for large x.
public func erfcx(_ x: Tensor) -> Tensor {
  x.real(callosum_erfcx, "erfcx").recorded(
    "erfcx", from: x, byResult: { g, y in g * (x * y * 2 - 1.1283791670955126) })
}

/// log(1 - erf(x)), also where erfc underflows.
public func logErfc(_ x: Tensor) -> Tensor {
  x.real(callosum_log_erfc, "logErfc").recorded("logErfc", from: x) {
    $0 * (-1.1283791670955126 / erfcx(x))
  }
}

/// log |Γ(x)|
public func logGamma(_ x: Tensor) -> Tensor {
  x.real(callosum_log_gamma, "logGamma").recorded("logGamma", from: x) { $0 * digamma(x) }
}

/// The derivative of log Γ.
public func digamma(_ x: Tensor) -> Tensor {
  x.real(callosum_digamma, "digamma").recorded("digamma", from: x) { $0 * trigamma(x) }
}

/// The derivative of digamma: recurrence up to 8 and Stirling's series, for negative numbers by
/// reflection. In ordinary operations, so that it has derivatives of every order.
public func trigamma(_ x: Tensor) -> Tensor {
  x.requireReal("trigamma")
  let isPositive = x .> 0
  let p = which(isPositive, x, 1 - x)
  let r = reciprocal(p + 8), r2 = r * r
  var series = r2 * (-691.0 / 2730) + 5.0 / 66
  for coefficient in [-1.0 / 30, 1.0 / 42, -1.0 / 30, 1.0 / 6] { series = series * r2 + coefficient }
  let sum = (0..<8).reduce(r + r2 * 0.5 + r * r2 * series) { $0 + square(reciprocal(p + Double($1))) }
  return which(isPositive, sum, square(.pi / sin(which(isPositive, x.constant(0.5), x) * .pi)) - sum)
}

/// The Bessel function of the first kind of order 0.
public func besselJ0(_ x: Tensor) -> Tensor {
  x.real(callosum_bessel_j0, "besselJ0").recorded("besselJ0", from: x) { -$0 * besselJ1(x) }
}

/// The Bessel function of the first kind of order 1.
public func besselJ1(_ x: Tensor) -> Tensor {
  x.real(callosum_bessel_j1, "besselJ1").recorded(
    "besselJ1", from: x,
    byResult: { g, y in
      // J₀(x) - J₁(x) / x, whose limit at 0 is 1/2.
      let isZero = x .== 0
      let safe = which(isZero, x.constant(1), x)
      return g * which(isZero, x.constant(0.5), besselJ0(x) - y / safe)
    })
}

/// log sigmoid(x), without overflow.
public func logSigmoid(_ x: Tensor) -> Tensor {
  x.requireReal("logSigmoid")
  return -softplus(-x)
}

/// sin(πx) / (πx), 1 at 0: 0 at all other integers (as NumPy and PyTorch have it).
public func sinc(_ x: Tensor) -> Tensor {
  x.requireReal("sinc")
  let x = x * .pi
  // Near 0 the quotient's derivatives would cancel; its series does not.
  let isNear = abs(x) .< 0.25
  let far = which(isNear, x.constant(1), x)
  let square = square(which(isNear, x, x.constant(0)))
  var series = square * (-1.0 / 39_916_800) + 1.0 / 362_880
  for coefficient in [-1.0 / 5040, 1.0 / 120, -1.0 / 6, 1] { series = series * square + coefficient }
  return which(isNear, series, sin(far) / far)
}

/// x where it is above 0, slope times x elsewhere.
public func leakyRelu(_ x: Tensor, negativeSlope slope: Double = 0.01) -> Tensor {
  x.requireReal("leakyRelu")
  return which(x .> 0, x, x * slope)
}

/// x where it is above 0, alpha (exp(x) - 1) elsewhere (Clevert et al. 2016).
public func elu(_ x: Tensor, alpha: Double = 1) -> Tensor {
  x.requireReal("elu")
  return which(x .> 0, x, expm1(minimum(x, 0)) * alpha)
}

/// clip(x / 6 + 1/2, 0, 1)
public func hardSigmoid(_ x: Tensor) -> Tensor {
  x.requireReal("hardSigmoid")
  return clip(x * (1.0 / 6) + 0.5, min: 0, max: 1)
}

/// x tanh(softplus(x)) (Misra 2020).
public func mish(_ x: Tensor) -> Tensor {
  x.requireReal("mish")
  return x * tanh(softplus(x))
}

/// GELU with the normal distribution approximated by a hyperbolic tangent,
/// x / 2 (1 + tanh(sqrt(2 / π) (x + 0.044715 x³))), as in the first published networks with it.
public func geluApproximate(_ x: Tensor) -> Tensor {
  x.requireReal("geluApproximate")
  let bent = x * (square(x) * 0.044715 + 1) * 0.7978845608028654
  return x * (tanh(bent) + 1) * 0.5
}

/// log cosh(x), without overflow.
public func logCosh(_ x: Tensor) -> Tensor {
  x.requireReal("logCosh")
  // |x| + log(1 + exp(-2|x|)) - log 2 for large x, which would cancel for small ones; those are
  // log(1 + 2 sinh²(x / 2)).
  let plain = x.unmarked, size = abs(plain)
  let near = log1p(square(sinh(minimum(size, 1) * 0.5)) * 2)
  let far = size + softplus(size * -2) - 0.6931471805599453
  return which(size .< 1, near, far).recorded("logCosh", from: x) { $0 * tanh(x) }
}
