import CallosumKernels

// Elementwise functions of one tensor, each with its derivative. The mathematics and its accuracy
// are in Kernels/vector/VectorMath.h.

extension Tensor {
  /// f(self) by kernel, not recorded.
  func mapped(_ operation: callosum_unary_operation, to type: DType? = nil) -> Tensor {
    let source = isContiguous ? self : packed
    let result = Tensor(uninitialized: shape, type ?? dtype)
    callosum_unary(
      Int32(operation.rawValue), dtype.kernel, size, source.pointer, result.pointer)
    return result
  }

  /// f(self) by kernel for functions of numbers of any type.
  func number(_ operation: callosum_unary_operation, _ name: StaticString) -> Tensor {
    requireNumbers(name)
    return mapped(operation)
  }

  /// f(self) by kernel for real functions, which need a floating-point type.
  func real(_ operation: callosum_unary_operation, _ name: StaticString) -> Tensor {
    requireReal(name)
    return mapped(operation)
  }
}

public prefix func - (x: Tensor) -> Tensor {
  x.number(callosum_negate, "negate").recorded("negate", from: x) { -$0 }
}

public func abs(_ x: Tensor) -> Tensor {
  x.number(callosum_absolute, "abs").recorded("abs", from: x) { $0 * sign(x) }
}

/// -1, 0 or 1.
public func sign(_ x: Tensor) -> Tensor {
  x.number(callosum_sign, "sign").recorded("sign", from: x) { .zeros(like: $0) }
}

public func square(_ x: Tensor) -> Tensor {
  x.number(callosum_square, "square").recorded("square", from: x) { $0 * (x * 2) }
}

public func reciprocal(_ x: Tensor) -> Tensor {
  x.real(callosum_reciprocal, "reciprocal")
    .recorded("reciprocal", from: x, byResult: { g, y in -g * (y * y) })
}

public func sqrt(_ x: Tensor) -> Tensor {
  x.real(callosum_sqrt, "sqrt").recorded("sqrt", from: x, byResult: { g, y in g / (y * 2) })
}

/// 1 / sqrt(x)
public func rsqrt(_ x: Tensor) -> Tensor {
  x.real(callosum_rsqrt, "rsqrt")
    .recorded("rsqrt", from: x, byResult: { g, y in g * (y * y * y) * -0.5 })
}

public func exp(_ x: Tensor) -> Tensor {
  x.real(callosum_exp, "exp").recorded("exp", from: x, byResult: { g, y in g * y })
}

/// exp(x) - 1, accurate for small x.
public func expm1(_ x: Tensor) -> Tensor {
  x.real(callosum_expm1, "expm1").recorded("expm1", from: x, byResult: { g, y in g * (y + 1) })
}

public func log(_ x: Tensor) -> Tensor {
  x.real(callosum_log, "log").recorded("log", from: x) { $0 / x }
}

/// log(1 + x), accurate for small x.
public func log1p(_ x: Tensor) -> Tensor {
  x.real(callosum_log1p, "log1p").recorded("log1p", from: x) { $0 / (x + 1) }
}

public func sin(_ x: Tensor) -> Tensor {
  x.real(callosum_sin, "sin").recorded("sin", from: x) { $0 * cos(x) }
}

public func cos(_ x: Tensor) -> Tensor {
  x.real(callosum_cos, "cos").recorded("cos", from: x) { -$0 * sin(x) }
}

public func tan(_ x: Tensor) -> Tensor {
  x.real(callosum_tan, "tan").recorded("tan", from: x, byResult: { g, y in g * (1 + y * y) })
}

public func asin(_ x: Tensor) -> Tensor {
  x.real(callosum_asin, "asin").recorded("asin", from: x) { $0 * rsqrt(1 - x * x) }
}

public func acos(_ x: Tensor) -> Tensor {
  x.real(callosum_acos, "acos").recorded("acos", from: x) { -$0 * rsqrt(1 - x * x) }
}

public func atan(_ x: Tensor) -> Tensor {
  x.real(callosum_atan, "atan").recorded("atan", from: x) { $0 / (1 + x * x) }
}

public func sinh(_ x: Tensor) -> Tensor {
  x.real(callosum_sinh, "sinh").recorded("sinh", from: x) { $0 * cosh(x) }
}

public func cosh(_ x: Tensor) -> Tensor {
  x.real(callosum_cosh, "cosh").recorded("cosh", from: x) { $0 * sinh(x) }
}

/// The error function, 2/sqrt(pi) times the integral of exp(-t²) from 0 to x.
public func erf(_ x: Tensor) -> Tensor {
  x.real(callosum_erf, "erf").recorded("erf", from: x) { $0 * (exp(-x * x) * 1.1283791670955126) }
}

/// The nearest integer not above x; its derivative is 0.
public func floor(_ x: Tensor) -> Tensor {
  x.number(callosum_floor, "floor").recorded("floor", from: x) { .zeros(like: $0) }
}

/// The nearest integer not below x; its derivative is 0.
public func ceil(_ x: Tensor) -> Tensor {
  x.number(callosum_ceil, "ceil").recorded("ceil", from: x) { .zeros(like: $0) }
}

/// The nearest integer, halves to even; its derivative is 0.
public func round(_ x: Tensor) -> Tensor {
  x.number(callosum_round, "round").recorded("round", from: x) { .zeros(like: $0) }
}

// MARK: Activations

/// f(x), whose derivative is one kernel too. `slope` tells f'(x) in ordinary operations (given x or,
/// with `fromResult`, f(x)), for derivatives of derivatives.
private func activation(
  _ name: StaticString, _ operation: callosum_unary_operation,
  _ derivative: callosum_binary_operation, _ x: Tensor, fromResult: Bool = false,
  slope: @escaping (Tensor) -> Tensor
) -> Tensor {
  let rule = { (g: Tensor, at: Tensor) -> Tensor in
    if ThreadState.current.tape != nil || g.dtype != .float32 { return g * slope(at) }
    return at.unmarked.combined(derivative, g, name)
  }
  let y = x.real(operation, name)
  return fromResult
    ? y.recorded(name, from: x, byResult: rule) : y.recorded(name, from: x) { rule($0, x) }
}

public func tanh(_ x: Tensor) -> Tensor {
  activation("tanh", callosum_tanh, callosum_tanh_gradient, x, fromResult: true) { 1 - $0 * $0 }
}

/// The logistic function, 1 / (1 + exp(-x)).
public func sigmoid(_ x: Tensor) -> Tensor {
  activation("sigmoid", callosum_sigmoid, callosum_sigmoid_gradient, x, fromResult: true) {
    $0 * (1 - $0)
  }
}

/// max(x, 0); its derivative at 0 is 0.
public func relu(_ x: Tensor) -> Tensor {
  activation("relu", callosum_relu, callosum_relu_gradient, x) { ($0 .> 0).asType($0.dtype) }
}

/// x Φ(x), with the normal distribution function Φ (the exact form, by erf).
public func gelu(_ x: Tensor) -> Tensor {
  activation("gelu", callosum_gelu, callosum_gelu_gradient, x) { x in
    let cumulative = 0.5 * (1 + erf(x * 0.7071067811865476))
    return cumulative + x * exp(x * x * -0.5) * 0.3989422804014327
  }
}

/// x sigmoid(x)
public func silu(_ x: Tensor) -> Tensor {
  activation("silu", callosum_silu, callosum_silu_gradient, x) { x in
    let s = sigmoid(x)
    return s * (1 + x * (1 - s))
  }
}

/// log(1 + exp(x)), without overflow.
public func softplus(_ x: Tensor) -> Tensor {
  x.real(callosum_softplus, "softplus").recorded("softplus", from: x) { $0 * sigmoid(x) }
}
