import CallosumKernels

/// An array of numbers with any number of axes: a value, shared when copied, never changed after it
/// was made. Views (slices, transposes, broadcasts) share their elements with the original.
///
/// Operations record themselves for derivatives only inside functions such as
/// `valueAndGradient(at:of:)`. Names follow MLX Swift where it has an equivalent.
///
/// What is not a number never becomes one: NaN makes NaN of all that depends on it and leaves every bit of the
/// rest as it is. In an order NaN is the largest, as in PyTorch.
public struct Tensor: @unchecked Sendable {
  package internal(set) var storage: Storage
  /// Position of the first element in the storage, in elements.
  package let offset: Int
  public let shape: [Int]
  /// Elements between neighbours along each axis; nil for contiguous row-major order.
  let stridesIfNotContiguous: [Int]?
  public let dtype: DType
  /// Where this tensor stands on a tape, if it depends on what a derivative was asked for.
  var mark: Tape.Mark

  init(
    storage: Storage, offset: Int = 0, shape: [Int], strides: [Int]? = nil, dtype: DType,
    mark: Tape.Mark = .none
  ) {
    // The kernels walk at most this many axes.
    precondition(
      shape.count <= 16, "Tensor", "a tensor has at most 16 axes, shape \(shape) has \(shape.count)")
    self.storage = storage
    self.offset = offset
    self.shape = shape
    stridesIfNotContiguous = strides
    self.dtype = dtype
    self.mark = mark
  }

  /// Fresh contiguous memory, not yet written.
  package init(uninitialized shape: [Int], _ dtype: DType) {
    self.init(
      storage: Storage(byteCount: shape.elementCount * dtype.size), shape: shape, dtype: dtype)
  }

  /// Fresh memory with the given strides (positive, without gaps at the end), not yet written.
  init(uninitialized shape: [Int], strides: [Int], _ dtype: DType) {
    let reach = zip(shape, strides).map { ($0 - 1) * $1 }.reduce(1, +)
    let straight = strides.areContiguousStrides(of: shape)
    self.init(
      storage: Storage(byteCount: Swift.max(reach, 0) * dtype.size), shape: shape,
      strides: straight ? nil : strides, dtype: dtype)
  }

  // MARK: Properties

  /// Number of axes.
  public var ndim: Int { shape.count }
  /// Number of elements.
  public var size: Int { shape.elementCount }
  public var device: Device { storage.device }
  /// Elements between neighbours along each axis.
  public var strides: [Int] { stridesIfNotContiguous ?? shape.contiguousStrides }
  /// Whether the elements lie in row-major order without gaps.
  public var isContiguous: Bool { stridesIfNotContiguous == nil }

  /// The size of one axis; negative axes count from the back.
  public func dim(_ axis: Int) -> Int { shape[resolved(axis, rank: ndim, "dim")] }

  // MARK: Memory

  /// The first element, for kernels that read.
  package var pointer: UnsafeMutableRawPointer { storage.pointer + offset * dtype.size }

  /// The first element, for kernels that know its type; the last door, behind those of the operations.
  package func pointer<Element: TensorElement>(as type: Element.Type) -> UnsafeMutablePointer<Element> {
    precondition(
      type.dtype == dtype, "Tensor", "\(dtype) elements of \(shape) were to be read as \(type.dtype)")
    return pointer.assumingMemoryBound(to: type)
  }

  /// The first element of a float32 tensor, for kernels.
  var floats32: UnsafeMutablePointer<Float> { pointer(as: Float.self) }

  /// The same elements seen through other strides. Not recorded.
  func view(_ shape: [Int], strides: [Int], offset: Int) -> Tensor {
    let straight = strides.areContiguousStrides(of: shape) || shape.elementCount == 0
    return Tensor(
      storage: storage, offset: offset, shape: shape, strides: straight ? nil : strides,
      dtype: dtype)
  }

  /// The same elements, unknown to any tape.
  var unmarked: Tensor {
    var plain = self
    plain.mark = .none
    return plain
  }

  /// The same values in contiguous memory (itself, if it already is). Not recorded.
  package var packed: Tensor {
    guard let strides = stridesIfNotContiguous else { return unmarked }
    let result = Tensor(uninitialized: shape, dtype)
    callosum_copy(
      Int32(dtype.size), Int32(ndim), shape, pointer, strides, result.pointer)
    return result
  }

  // MARK: Values in

  /// A tensor without axes.
  public init(_ value: Float) { self.init([value], []) }
  public init(_ value: Double, _ dtype: DType) { self = .full([], value, dtype: dtype) }
  public init(_ value: Int32) { self.init([value], []) }
  public init(_ value: Bool) { self.init([value], []) }

  /// A tensor of the given values in row-major order; without `shape`, one axis.
  public init<Element: TensorElement>(_ values: [Element], _ shape: [Int]? = nil) {
    let shape = shape ?? [values.count]
    precondition(
      shape.elementCount == values.count, "Tensor",
      "shape \(shape) holds \(shape.elementCount) elements, but \(values.count) values were given")
    self.init(uninitialized: shape, Element.dtype)
    values.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { storage.pointer.copyMemory(from: base, byteCount: bytes.count) }
    }
  }

  /// A tensor of one value; stops where that is no whole number and int32 is asked for.
  public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32) -> Tensor {
    let result = Tensor(uninitialized: shape, dtype)
    let count = result.size
    switch dtype {
    case .float32: result.pointer(as: Float.self).initialize(repeating: Float(value), count: count)
    case .float64: result.pointer(as: Double.self).initialize(repeating: value, count: count)
    case .int32:
      guard let whole = Int32(exactly: value) else { preconditionFailure("full", "\(value) is not an int32") }
      result.pointer(as: Int32.self).initialize(repeating: whole, count: count)
    case .bool: result.pointer(as: Bool.self).initialize(repeating: value != 0, count: count)
    }
    return result
  }
  public static func zeros(_ shape: [Int], dtype: DType = .float32) -> Tensor {
    full(shape, 0, dtype: dtype)
  }
  public static func ones(_ shape: [Int], dtype: DType = .float32) -> Tensor {
    full(shape, 1, dtype: dtype)
  }
  public static func zeros(like other: Tensor) -> Tensor { zeros(other.shape, dtype: other.dtype) }
  public static func ones(like other: Tensor) -> Tensor { ones(other.shape, dtype: other.dtype) }

  /// 0, 1, ..., count - 1.
  public static func arange(_ count: Int, dtype: DType = .int32) -> Tensor {
    Tensor((0..<Int32(count)).map { $0 }).asType(dtype)
  }
  /// `count` evenly spaced values from `start` to `stop`, both included.
  public static func linspace(
    _ start: Double, _ stop: Double, count: Int, dtype: DType = .float32
  ) -> Tensor {
    let step = count > 1 ? (stop - start) / Double(count - 1) : 0
    return Tensor((0..<count).map { start + Double($0) * step }).asType(dtype)
  }
  /// The identity matrix.
  public static func eye(_ size: Int, dtype: DType = .float32) -> Tensor {
    let index = arange(size)
    return (index.reshaped(size, 1) .== index).asType(dtype)
  }

  // MARK: Values out

  /// The values in row-major order, converted where `Element` is not the tensor's own type.
  public func asArray<Element: TensorElement>(_ type: Element.Type = Element.self) -> [Element] {
    let packed = unmarked.asType(type.dtype).packed
    return Array(UnsafeBufferPointer(start: packed.pointer(as: type), count: packed.size))
  }

  /// The values as Double, whatever their type.
  public var doubles: [Double] { asArray() }
  public var floats: [Float] { asArray() }

  /// The only value of a tensor of one element, whatever its type.
  public func item() -> Double { item(Double.self) }

  /// The only value of a tensor of one element, converted where that is not its own type.
  public func item<Element: TensorElement>(_ type: Element.Type) -> Element {
    precondition(size == 1, "item", "a tensor of shape \(shape) has \(size) values, not one")
    return asArray(type)[0]
  }
  public func item(_ type: Int.Type) -> Int { Int(item(Int32.self)) }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    let values = doubles
    let shown = values.prefix(8).map { dtype.isFloatingPoint ? "\(Float($0))" : "\(Int($0))" }
    return "Tensor(\(dtype), \(shape), [\(shown.joined(separator: ", "))\(values.count > 8 ? ", …" : "")])"
  }
}

extension Tensor {
  /// Lets `body` change the elements in place, of a copy if anybody else sees this memory. Float32.
  public mutating func withOwnMemory(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    if !isContiguous || offset != 0 || storage.byteCount != size * dtype.size
      || !isKnownUniquelyReferenced(&storage)
    {
      let copy = Tensor(uninitialized: shape, dtype)
      let source = packed
      copy.storage.pointer.copyMemory(from: source.pointer, byteCount: size * dtype.size)
      self = copy
    }
    body(pointer(as: Float.self))
  }
}
