// The doors of operations: which element types they take. Whatever chooses a kernel by type or reads memory as
// a type asks here first, so that no kernel sees memory as a type that it is not, and all say it in the same
// words. Two tensors of different types are never converted: that is the caller's word to give. A Swift number
// beside a tensor is (Operations/Elementwise/Numbers.swift).

extension Tensor {
  /// Stops unless the elements are float32 or float64.
  package func requireReal(_ name: StaticString) {
    precondition(
      dtype.isFloatingPoint, name, "needs float32 or float64, got \(dtype); convert with asType(.float32)")
  }

  /// Stops for truth values, which have no arithmetic.
  func requireNumbers(_ name: StaticString) {
    precondition(
      dtype != .bool, name, "needs numbers, got bool; convert with asType(.int32) or asType(.float32)")
  }

  /// Stops unless the elements are int32: places, labels, counts.
  package func requireIntegers(_ name: StaticString, _ what: StaticString = "indices") {
    precondition(dtype == .int32, name, "\(what) must be int32, got \(dtype); convert with asType(.int32)")
  }

  /// Stops unless the elements are bool: masks, conditions.
  package func requireTruth(_ name: StaticString) {
    precondition(dtype == .bool, name, "needs bool, got \(dtype); compare first, as in x .!= 0")
  }

  /// Stops unless the other has elements of the same type.
  func requireSameType(_ other: Tensor, _ name: StaticString) {
    precondition(
      dtype == other.dtype, name, "types \(dtype) and \(other.dtype) do not fit; convert one with asType")
  }
}

/// The type of `tensors`; stops unless all are float32 or all float64.
@discardableResult
package func realType(of tensors: [Tensor], _ name: StaticString) -> DType {
  guard let type = tensors.first?.dtype else { return .float32 }
  var fits = type.isFloatingPoint
  for tensor in tensors where tensor.dtype != type { fits = false }
  precondition(
    fits, name,
    "needs tensors of one floating-point type, got "
      + tensors.map { "\($0.dtype) \($0.shape)" }.joined(separator: ", ") + "; convert with asType(.float32)")
  return type
}
