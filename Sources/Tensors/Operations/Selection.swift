import CallosumKernels

// Comparisons (results are bool), logic, and choosing by condition. None has a derivative by the
// condition; `which` passes gradients to what it chose.

infix operator .&& : LogicalConjunctionPrecedence
infix operator .|| : LogicalDisjunctionPrecedence
prefix operator .!

public func .== (a: Tensor, b: Tensor) -> Tensor { a.combined(callosum_equal, b, "equal") }
public func .!= (a: Tensor, b: Tensor) -> Tensor { a.combined(callosum_not_equal, b, "notEqual") }
public func .< (a: Tensor, b: Tensor) -> Tensor { a.combined(callosum_less, b, "less") }
public func .<= (a: Tensor, b: Tensor) -> Tensor { a.combined(callosum_less_equal, b, "lessEqual") }
public func .> (a: Tensor, b: Tensor) -> Tensor { a.combined(callosum_greater, b, "greater") }
public func .>= (a: Tensor, b: Tensor) -> Tensor {
  a.combined(callosum_greater_equal, b, "greaterEqual")
}
public func .== (a: Tensor, b: Double) -> Tensor { a .== a.constant(b) }
public func .!= (a: Tensor, b: Double) -> Tensor { a .!= a.constant(b) }
public func .< (a: Tensor, b: Double) -> Tensor { a .< a.constant(b) }
public func .<= (a: Tensor, b: Double) -> Tensor { a .<= a.constant(b) }
public func .> (a: Tensor, b: Double) -> Tensor { a .> a.constant(b) }
public func .>= (a: Tensor, b: Double) -> Tensor { a .>= a.constant(b) }

public func .&& (a: Tensor, b: Tensor) -> Tensor {
  truth(a, "and").combined(callosum_and, truth(b, "and"), "and")
}
public func .|| (a: Tensor, b: Tensor) -> Tensor {
  truth(a, "or").combined(callosum_or, truth(b, "or"), "or")
}
public prefix func .! (a: Tensor) -> Tensor { truth(a, "not").mapped(callosum_not, to: .bool) }

private func truth(_ a: Tensor, _ name: StaticString) -> Tensor {
  require(a.dtype == .bool, name, "needs bool, got \(a.dtype); compare first, as in x .!= 0")
  return a
}

/// Where elements are NaN.
public func isNaN(_ x: Tensor) -> Tensor { x.mapped(callosum_is_nan, to: .bool) }
/// Where elements are neither infinite nor NaN.
public func isFinite(_ x: Tensor) -> Tensor { x.mapped(callosum_is_finite, to: .bool) }

/// `a` where `condition` (bool) holds, else `b`; the three shapes broadcast.
public func which(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  _ = truth(condition, "which")
  require(
    a.dtype == b.dtype, "which",
    "types \(a.dtype) and \(b.dtype) do not fit; convert one with asType")
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

/// `x` held between `low` and `high` (nil for no bound). At a bound the gradient passes.
public func clip(_ x: Tensor, min low: Double? = nil, max high: Double? = nil) -> Tensor {
  let inside = (x .>= (low ?? -.infinity)) .&& (x .<= (high ?? .infinity))
  var result = x.unmarked
  if let low { result = maximum(result, low) }
  if let high { result = minimum(result, high) }
  return result.recorded("clip", from: x) { which(inside, $0, $0.constant(0)) }
}

extension Tensor {
  /// The same values as another type. Gradients pass between the floating-point types.
  public func asType(_ type: DType) -> Tensor {
    if type == dtype { return self }
    let source = packed
    let result = Tensor(uninitialized: shape, type)
    callosum_convert(dtype.kernel, type.kernel, size, source.pointer, result.pointer)
    guard type.isFloatingPoint, dtype.isFloatingPoint else { return result }
    let before = dtype
    return result.recorded("asType", from: self) { $0.asType(before) }
  }
}
