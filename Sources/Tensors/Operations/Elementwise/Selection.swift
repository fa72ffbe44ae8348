import CallosumKernels

// Comparisons (results are bool), logic, and choosing by condition. None has a derivative;
// `which` passes gradients to what it chose.

infix operator .&& : LogicalConjunctionPrecedence
infix operator .|| : LogicalDisjunctionPrecedence
prefix operator .!

public func .== (a: Tensor, b: Tensor) -> Tensor { compared(callosum_equal, a, b, "equal") }
public func .!= (a: Tensor, b: Tensor) -> Tensor { compared(callosum_not_equal, a, b, "notEqual") }
public func .< (a: Tensor, b: Tensor) -> Tensor { compared(callosum_less, a, b, "less") }
public func .<= (a: Tensor, b: Tensor) -> Tensor { compared(callosum_less_equal, a, b, "lessEqual") }
public func .> (a: Tensor, b: Tensor) -> Tensor { compared(callosum_greater, a, b, "greater") }
public func .>= (a: Tensor, b: Tensor) -> Tensor {
  compared(callosum_greater_equal, a, b, "greaterEqual")
}

private func compared(
  _ operation: callosum_binary_operation, _ a: Tensor, _ b: Tensor, _ name: StaticString
) -> Tensor {
  let result = a.combined(operation, b, name)
  return ThreadState.current.tape == nil ? result : result.withoutDerivative(name, from: a, b)
}

public func .&& (a: Tensor, b: Tensor) -> Tensor {
  compared(callosum_and, truth(a, "and"), truth(b, "and"), "and")
}
public func .|| (a: Tensor, b: Tensor) -> Tensor {
  compared(callosum_or, truth(a, "or"), truth(b, "or"), "or")
}
public prefix func .! (a: Tensor) -> Tensor {
  truth(a, "not").mapped(callosum_not, to: .bool).withoutDerivative("not", from: a)
}

private func truth(_ a: Tensor, _ name: StaticString) -> Tensor {
  a.requireTruth(name)
  return a
}

/// Where elements are NaN.
public func isNaN(_ x: Tensor) -> Tensor {
  x.mapped(callosum_is_nan, to: .bool).withoutDerivative("isNaN", from: x)
}
/// Where elements are neither infinite nor NaN.
public func isFinite(_ x: Tensor) -> Tensor {
  x.mapped(callosum_is_finite, to: .bool).withoutDerivative("isFinite", from: x)
}

/// `a` where `condition` (bool) holds, else `b`; the three shapes broadcast.
public func which(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  condition.requireTruth("which")
  a.requireSameType(b, "which")
  let target = broadcastShape(
    condition.shape, broadcastShape(a.shape, b.shape, "which"), "which")
  let result = Tensor(uninitialized: target, a.dtype)
  callosum_choose(
    a.dtype.kernel, Int32(target.count), target,
    condition.pointer.assumingMemoryBound(to: UInt8.self),
    broadcastStrides(condition.shape, condition.strides, to: target), a.pointer,
    broadcastStrides(a.shape, a.strides, to: target), b.pointer,
    broadcastStrides(b.shape, b.strides, to: target), result.pointer)
  return result.recorded(
    "which", from: a, { which(condition, $0, $0.constant(0)) },
    and: b, { which(condition, $0.constant(0), $0) })
}

/// `x` held between `low` and `high` (nil for no bound). At a bound the gradient passes. Whole numbers become
/// float32, unless the bounds are whole numbers too.
public func clip(_ x: Tensor, min low: Double? = nil, max high: Double? = nil) -> Tensor {
  x.requireNumbers("clip")
  var result = x.unmarked
  if let low { result = maximum(result, low) }
  if let high { result = minimum(result, high) }
  return result.recorded("clip", from: x) { g in
    which((x .>= (low ?? -.infinity)) .&& (x .<= (high ?? .infinity)), g, g.constant(0))
  }
}

extension Tensor {
  /// The same values as another type. Gradients pass between the floating-point types.
  public func asType(_ type: DType) -> Tensor {
    if type == dtype { return self }
    let source = packed
    let result = Tensor(uninitialized: shape, type)
    callosum_convert(dtype.kernel, type.kernel, size, source.pointer, result.pointer)
    guard dtype.isFloatingPoint else { return result }
    guard type.isFloatingPoint else { return result.withoutDerivative("asType", from: self) }
    let before = dtype
    return result.recorded("asType", from: self) { $0.asType(before) }
  }
}
