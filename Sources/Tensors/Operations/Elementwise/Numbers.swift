// Swift numbers beside tensors, by PyTorch's rule: a floating-point tensor keeps its type; beside an Int whole
// numbers stay what they are and truth values become int32; beside a Double both become float32. So
// `indices * 2` is int32 and `indices * 0.5` float32.

extension Tensor {
  /// The result of `operation` on this tensor and a number, brought to one type.
  func with(_ number: Double, _ operation: (Tensor, Tensor) -> Tensor) -> Tensor {
    dtype.isFloatingPoint
      ? operation(self, constant(number)) : operation(asType(.float32), Tensor(Float(number)))
  }

  /// The same with a whole number; stops where int32 would have to hold one that it cannot.
  func with(_ number: Int, _ name: StaticString, _ operation: (Tensor, Tensor) -> Tensor) -> Tensor {
    if dtype.isFloatingPoint { return operation(self, constant(Double(number))) }
    guard let whole = Int32(exactly: number) else {
      preconditionFailure(
        name, "\(number) is beyond int32, which \(dtype) \(shape) would be computed in; use asType(.float64)")
    }
    return operation(asType(.int32), Tensor(whole))
  }

  /// The same for comparisons, which have an answer for every number.
  fileprivate func compared(with number: Int, _ operation: (Tensor, Tensor) -> Tensor) -> Tensor {
    if dtype.isFloatingPoint || Int32(exactly: number) != nil { return with(number, "compare", operation) }
    return asType(.float64).with(Double(number), operation)
  }
}

// MARK: Arithmetic

public func + (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 + $1 } }
public func + (a: Double, b: Tensor) -> Tensor { b.with(a) { $1 + $0 } }
public func + (a: Tensor, b: Int) -> Tensor { a.with(b, "add") { $0 + $1 } }
public func + (a: Int, b: Tensor) -> Tensor { b.with(a, "add") { $1 + $0 } }
public func - (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 - $1 } }
public func - (a: Double, b: Tensor) -> Tensor { b.with(a) { $1 - $0 } }
public func - (a: Tensor, b: Int) -> Tensor { a.with(b, "subtract") { $0 - $1 } }
public func - (a: Int, b: Tensor) -> Tensor { b.with(a, "subtract") { $1 - $0 } }
public func * (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 * $1 } }
public func * (a: Double, b: Tensor) -> Tensor { b.with(a) { $1 * $0 } }
public func * (a: Tensor, b: Int) -> Tensor { a.with(b, "multiply") { $0 * $1 } }
public func * (a: Int, b: Tensor) -> Tensor { b.with(a, "multiply") { $1 * $0 } }
public func / (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 / $1 } }
public func / (a: Double, b: Tensor) -> Tensor { b.with(a) { $1 / $0 } }
public func / (a: Tensor, b: Int) -> Tensor { a.with(b, "divide") { $0 / $1 } }
public func / (a: Int, b: Tensor) -> Tensor { b.with(a, "divide") { $1 / $0 } }
public func % (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 % $1 } }
public func % (a: Tensor, b: Int) -> Tensor { a.with(b, "remainder") { $0 % $1 } }

public func += (a: inout Tensor, b: Double) { a = a + b }
public func += (a: inout Tensor, b: Int) { a = a + b }
public func -= (a: inout Tensor, b: Double) { a = a - b }
public func -= (a: inout Tensor, b: Int) { a = a - b }
public func *= (a: inout Tensor, b: Double) { a = a * b }
public func *= (a: inout Tensor, b: Int) { a = a * b }
public func /= (a: inout Tensor, b: Double) { a = a / b }
public func /= (a: inout Tensor, b: Int) { a = a / b }

// MARK: Functions

public func pow(_ a: Tensor, _ b: Double) -> Tensor {
  b == 2 && a.dtype.isFloatingPoint ? square(a) : a.with(b) { pow($0, $1) }
}
public func pow(_ a: Tensor, _ b: Int) -> Tensor {
  b == 2 && a.dtype != .bool ? square(a) : a.with(b, "power") { pow($0, $1) }
}
/// The quotient rounded down, as a floating-point number beside a Double.
public func floorDivide(_ a: Tensor, _ b: Double) -> Tensor { a.with(b) { floorDivide($0, $1) } }
/// The quotient rounded down; of whole numbers a whole number.
public func floorDivide(_ a: Tensor, _ b: Int) -> Tensor { a.with(b, "floorDivide") { floorDivide($0, $1) } }
public func maximum(_ a: Tensor, _ b: Double) -> Tensor { a.with(b) { maximum($0, $1) } }
public func maximum(_ a: Tensor, _ b: Int) -> Tensor { a.with(b, "maximum") { maximum($0, $1) } }
public func minimum(_ a: Tensor, _ b: Double) -> Tensor { a.with(b) { minimum($0, $1) } }
public func minimum(_ a: Tensor, _ b: Int) -> Tensor { a.with(b, "minimum") { minimum($0, $1) } }

/// `x` held between `low` and `high`; whole numbers stay whole numbers.
public func clip(_ x: Tensor, min low: Int, max high: Int? = nil) -> Tensor {
  if x.dtype.isFloatingPoint { return clip(x, min: Double(low), max: high.map { Double($0) }) }
  x.requireNumbers("clip")
  let held = maximum(x, low)
  return high.map { minimum(held, $0) } ?? held
}
/// `x` held below `high`; whole numbers stay whole numbers.
public func clip(_ x: Tensor, max high: Int) -> Tensor {
  if x.dtype.isFloatingPoint { return clip(x, max: Double(high)) }
  x.requireNumbers("clip")
  return minimum(x, high)
}

/// `a` where `condition` (bool) holds, else `b`.
public func which(_ condition: Tensor, _ a: Tensor, _ b: Double) -> Tensor {
  a.with(b) { which(condition, $0, $1) }
}
public func which(_ condition: Tensor, _ a: Double, _ b: Tensor) -> Tensor {
  b.with(a) { which(condition, $1, $0) }
}
public func which(_ condition: Tensor, _ a: Tensor, _ b: Int) -> Tensor {
  a.with(b, "which") { which(condition, $0, $1) }
}
public func which(_ condition: Tensor, _ a: Int, _ b: Tensor) -> Tensor {
  b.with(a, "which") { which(condition, $1, $0) }
}

// MARK: Comparisons

public func .== (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .== $1 } }
public func .== (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .== $1 } }
public func .!= (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .!= $1 } }
public func .!= (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .!= $1 } }
public func .< (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .< $1 } }
public func .< (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .< $1 } }
public func .<= (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .<= $1 } }
public func .<= (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .<= $1 } }
public func .> (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .> $1 } }
public func .> (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .> $1 } }
public func .>= (a: Tensor, b: Double) -> Tensor { a.with(b) { $0 .>= $1 } }
public func .>= (a: Tensor, b: Int) -> Tensor { a.compared(with: b) { $0 .>= $1 } }
