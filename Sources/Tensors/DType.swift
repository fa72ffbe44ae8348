import CallosumKernels

/// The type of a tensor's elements. Computation happens in float32; float64 exists to check
/// derivatives; int32 indexes and counts; bool selects.
public enum DType: String, Codable, Sendable, CaseIterable {
  case float32, float64, int32, bool

  /// Bytes per element.
  public var size: Int {
    switch self {
    case .float32, .int32: 4
    case .float64: 8
    case .bool: 1
    }
  }

  public var isFloatingPoint: Bool { self == .float32 || self == .float64 }

  var kernel: Int32 {
    switch self {
    case .float32: Int32(callosum_float.rawValue)
    case .float64: Int32(callosum_double.rawValue)
    case .int32: Int32(callosum_int.rawValue)
    case .bool: Int32(callosum_bool.rawValue)
    }
  }
}

/// A Swift type that tensors can hold.
public protocol TensorElement: Sendable {
  static var dtype: DType { get }
  static var zero: Self { get }
}
extension Float: TensorElement { public static var dtype: DType { .float32 } }
extension Double: TensorElement { public static var dtype: DType { .float64 } }
extension Int32: TensorElement { public static var dtype: DType { .int32 } }
extension Bool: TensorElement {
  public static var dtype: DType { .bool }
  public static var zero: Bool { false }
}
