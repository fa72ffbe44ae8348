import CallosumKernels

// The 32 bits of int32 numbers, one by one: sparse codes, hashes, Boolean functions of many inputs at once.
// None of these has a derivative.

/// The bits that are 1 in both; shapes broadcast.
public func bitwiseAnd(_ a: Tensor, _ b: Tensor) -> Tensor { bits("bitwiseAnd", callosum_bits_and, a, b) }

/// The bits that are 1 in either or both; shapes broadcast.
public func bitwiseOr(_ a: Tensor, _ b: Tensor) -> Tensor { bits("bitwiseOr", callosum_bits_or, a, b) }

/// The bits that differ; shapes broadcast.
public func bitwiseXor(_ a: Tensor, _ b: Tensor) -> Tensor { bits("bitwiseXor", callosum_bits_xor, a, b) }

/// `a` with its bits moved up by `places`, zeros coming in; 0 from 32 places on. Shapes broadcast.
public func leftShift(_ a: Tensor, _ places: Tensor) -> Tensor {
  bits("leftShift", callosum_bits_left, a, places)
}

/// `a` with its bits moved down by `places`, zeros coming in, also where `a` is negative; 0 from 32 places on.
/// Shapes broadcast.
public func rightShift(_ a: Tensor, _ places: Tensor) -> Tensor {
  bits("rightShift", callosum_bits_right, a, places)
}

/// How many of each number's 32 bits are 1.
public func bitCount(_ x: Tensor) -> Tensor { bits("bitCount", callosum_bits_count, x, x) }

private func bits(
  _ name: StaticString, _ operation: callosum_bit_operation, _ a: Tensor, _ b: Tensor
) -> Tensor {
  a.requireIntegers(name, "numbers")
  b.requireIntegers(name, "numbers")
  let shape = broadcastShape(a.shape, b.shape, name)
  let (first, second) = (a.broadcast(to: shape).packed, b.broadcast(to: shape).packed)
  let result = Tensor(uninitialized: shape, .int32)
  callosum_bits(
    Int32(operation.rawValue), result.size, first.pointer(as: Int32.self), second.pointer(as: Int32.self),
    result.pointer(as: Int32.self))
  return result.withoutDerivative(name, from: a, b)
}
