import CallosumKernels

// Elementwise operations of two tensors. Shapes broadcast; types must agree.

extension Tensor {
  /// f(self, other) by kernel, not recorded.
  func combined(
    _ operation: callosum_binary_operation, _ other: Tensor, _ name: StaticString
  ) -> Tensor {
    requireSameType(other, name)
    let target = broadcastShape(shape, other.shape, name)
    let compares =
      operation.rawValue >= callosum_equal.rawValue
      && operation.rawValue <= callosum_or.rawValue
    let result = Tensor(uninitialized: target, compares ? .bool : dtype)
    combine(operation, other, into: result, target)
    return result
  }

  private func combine(
    _ operation: callosum_binary_operation, _ other: Tensor, into result: Tensor, _ target: [Int]
  ) {
    if isContiguous && other.isContiguous && shape == other.shape {
      var count = result.size
      var one = 1
      callosum_binary(
        Int32(operation.rawValue), dtype.kernel, 1, &count, pointer, &one, other.pointer, &one,
        result.pointer)
      return
    }
    let rank = target.count
    withUnsafeTemporaryAllocation(of: Int.self, capacity: Swift.max(2 * rank, 1)) { strides in
      guard let first = strides.baseAddress else { return }
      write(stridesTo: rank, at: first)
      other.write(stridesTo: rank, at: first + rank)
      callosum_binary(
        Int32(operation.rawValue), dtype.kernel, Int32(rank), target, pointer, first, other.pointer,
        first + rank, result.pointer)
    }
  }

  /// Strides with which this is read as if it had a shape of `rank` axes that it broadcasts to; as
  /// `broadcastStrides`, without an array.
  private func write(stridesTo rank: Int, at strides: UnsafeMutablePointer<Int>) {
    let shift = rank - ndim
    for axis in 0..<shift { strides[axis] = 0 }
    var step = 1
    for axis in shape.indices.reversed() {
      let size = shape[axis]
      strides[axis + shift] = size == 1 ? 0 : stridesIfNotContiguous?[axis] ?? step
      step *= size
    }
  }

  /// self + other, written over self where nobody else sees its memory.
  consuming func adding(consuming other: Tensor) -> Tensor {
    var sum = self
    guard sum.mark.index < 0, other.mark.index < 0, sum.isContiguous, sum.shape == other.shape,
      sum.dtype == other.dtype, isKnownUniquelyReferenced(&sum.storage)
    else { return sum + other }
    sum.combine(callosum_add, other, into: sum, sum.shape)
    return sum
  }

  /// The sum over the axes that broadcasting stretched, giving back the shape before it.
  func summed(to target: [Int]) -> Tensor {
    if shape == target { return self }
    let extra = ndim - target.count
    var axes = Array(0..<extra)
    for axis in target.indices where target[axis] == 1 && shape[axis + extra] != 1 {
      axes.append(axis + extra)
    }
    return sum(axes: axes).reshaped(target)
  }

  /// A number of the same type as this tensor.
  package func constant(_ value: Double) -> Tensor { Tensor(value, dtype) }
}

public func + (a: Tensor, b: Tensor) -> Tensor {
  a.combined(callosum_add, b, "add").recorded("add", from: a, { $0 }, and: b, { $0 })
}

public func - (a: Tensor, b: Tensor) -> Tensor {
  a.requireNumbers("subtract")
  return a.combined(callosum_subtract, b, "subtract").recorded("subtract", from: a, { $0 }, and: b, { -$0 })
}

public func * (a: Tensor, b: Tensor) -> Tensor {
  a.combined(callosum_multiply, b, "multiply")
    .recorded("multiply", from: a, { $0 * b }, and: b, { $0 * a })
}

/// The quotient; of whole numbers and truth values, as float32 (`floorDivide` stays with whole numbers).
public func / (a: Tensor, b: Tensor) -> Tensor {
  if a.dtype == b.dtype && !a.dtype.isFloatingPoint { return a.asType(.float32) / b.asType(.float32) }
  return a.combined(callosum_divide, b, "divide")
    .recorded("divide", from: a, { $0 / b }, and: b, { -($0 / b) * (a / b) })
}

/// The quotient rounded down: of whole numbers a whole number, else floor(a / b), whose derivative is 0.
public func floorDivide(_ a: Tensor, _ b: Tensor) -> Tensor {
  a.requireNumbers("floorDivide")
  if a.dtype.isFloatingPoint { return floor(a / b) }
  requireDivisor(b, "floorDivide")
  return a.combined(callosum_divide, b, "floorDivide")
}

/// The remainder with the sign of the divisor: a - floor(a / b) b.
public func % (a: Tensor, b: Tensor) -> Tensor {
  a.requireNumbers("remainder")
  requireDivisor(b, "remainder")
  return a.combined(callosum_remainder, b, "remainder")
    .recorded("remainder", from: a, { $0 }, and: b, { -$0 * floor(a / b) })
}

private func requireDivisor(_ b: Tensor, _ name: StaticString) {
  guard b.dtype == .int32 else { return }
  precondition((b .== 0).any().item() == 0, name, "an int32 divisor is 0")
}

/// a to the power b; of whole numbers a whole number, for which b must not be negative.
public func pow(_ a: Tensor, _ b: Tensor) -> Tensor {
  a.requireNumbers("power")
  if b.dtype == .int32 {
    precondition(
      (b .< 0).any().item() == 0, "power",
      "an int32 number has no int32 power below 0; convert with asType(.float32)")
  }
  return a.combined(callosum_power, b, "power").recorded(
    "power",
    from: a,
    { g in
      // 0 where both are 0, although pow(a, b - 1) is infinite there.
      let base = which((a .== 0) .&& (b .== 0), a.constant(1), a)
      return g * b * pow(base, b - 1)
    },
    and: b,
    { g in
      // 0 at a = 0, where a^b log a tends to 0.
      let isZero = a .== 0
      return g * which(isZero, a.constant(0), pow(a, b) * log(which(isZero, a.constant(1), a)))
    })
}

/// The angle of the point (x, y). At the origin, which has none, the derivatives are 0.
public func atan2(_ y: Tensor, _ x: Tensor) -> Tensor {
  y.requireReal("atan2")
  func squares() -> Tensor {
    let squares = y * y + x * x
    return which(squares .== 0, squares.constant(1), squares)
  }
  return y.combined(callosum_atan2, x, "atan2").recorded(
    "atan2", from: y, { $0 / squares() * x }, and: x, { -$0 / squares() * y })
}

/// The larger of two, NaN if either is. Equal values share the gradient.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
  a.combined(callosum_maximum, b, "maximum").recorded(
    "maximum", from: a, { shareOfWinner($0, a .> b, a .== b) }, and: b,
    { shareOfWinner($0, b .> a, a .== b) })
}

/// The smaller of two, NaN if either is. Equal values share the gradient.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
  a.combined(callosum_minimum, b, "minimum").recorded(
    "minimum", from: a, { shareOfWinner($0, a .< b, a .== b) }, and: b,
    { shareOfWinner($0, b .< a, a .== b) })
}

private func shareOfWinner(_ g: Tensor, _ wins: Tensor, _ ties: Tensor) -> Tensor {
  which(wins, g, which(ties, g * 0.5, g.constant(0)))
}

public func += (a: inout Tensor, b: Tensor) { a = a + b }
public func -= (a: inout Tensor, b: Tensor) { a = a - b }
public func *= (a: inout Tensor, b: Tensor) { a = a * b }
public func /= (a: inout Tensor, b: Tensor) { a = a / b }
