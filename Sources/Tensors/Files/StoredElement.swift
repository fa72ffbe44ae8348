/// How a file writes one element. What the engine has no type for is converted: halves to float32,
/// small integers to int32, and wide integers to int32 where they fit.
enum StoredElement: Sendable {
  case float16, bfloat16, float32, float64
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64
  case bool

  /// Bytes in the file.
  var width: Int {
    switch self {
    case .int8, .uint8, .bool: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// The type of the tensor.
  var dtype: DType {
    switch self {
    case .float16, .bfloat16, .float32: .float32
    case .float64: .float64
    case .bool: .bool
    default: .int32
    }
  }

  /// Whether the file's bytes, in the machine's order, are the tensor's. A bool is not: other bytes
  /// than 0 and 1 would be.
  var isNative: Bool {
    switch self {
    case .float32, .float64, .int32: true
    default: false
    }
  }
}

/// Where the elements of a tensor lie in a file, and how.
struct StoredTensor: Sendable {
  /// For messages, such as "tensor x".
  let name: String
  let element: StoredElement
  let shape: [Int]
  /// Of the first element, in bytes.
  let offset: Int
  var isBigEndian = false
  /// The first axis runs fastest.
  var isFortranOrder = false

  /// The bytes that `shape` takes, nil where no tensor can have that shape.
  static func byteCount(of shape: [Int], width: Int) -> Int? {
    guard shape.count <= 16, shape.allSatisfy({ $0 >= 0 }) else { return nil }
    // Strides must not overflow either, though another axis be empty.
    var reach = width
    for size in shape {
      let (product, overflow) = reach.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow else { return nil }
      reach = product
    }
    return shape.contains(0) ? 0 : reach
  }
}

extension FileBytes {
  /// A tensor whose place was checked: it shares these bytes where they can be used as they are, and is a
  /// converted copy elsewhere.
  /// - Throws: ``TensorFileError`` for an integer that does not fit.
  func tensor(_ stored: StoredTensor) throws -> Tensor {
    let (element, count) = (stored.element, stored.shape.elementCount)
    let storage: Storage
    let isNative = element.isNative && stored.isBigEndian == (1.bigEndian == 1)
    let isAligned = withBytes { (Int(bitPattern: $0.baseAddress) + stored.offset) % element.width == 0 }
    if isNative && isAligned && count > 0 {
      storage = self.storage(at: stored.offset, byteCount: count * element.width)
    } else {
      storage = Storage(byteCount: count * element.dtype.size)
      try withBytes { try convert($0, stored, count, into: storage.pointer) }
    }
    guard stored.isFortranOrder else {
      return Tensor(storage: storage, shape: stored.shape, dtype: element.dtype)
    }
    let reversed = Tensor(storage: storage, shape: stored.shape.reversed(), dtype: element.dtype)
    return reversed.view(stored.shape, strides: reversed.strides.reversed(), offset: 0)
  }

  private func convert(
    _ bytes: UnsafeRawBufferPointer, _ stored: StoredTensor, _ count: Int,
    into target: UnsafeMutableRawPointer
  ) throws {
    /// Element by element, from bits in the machine's order.
    func each<Bits: FixedWidthInteger, Element: TensorElement>(
      _ type: Bits.Type, _ value: (Bits) throws -> Element
    ) rethrows {
      let result = target.assumingMemoryBound(to: Element.self)
      for i in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: stored.offset + i * MemoryLayout<Bits>.size, as: type)
        result[i] = try value(stored.isBigEndian ? Bits(bigEndian: bits) : Bits(littleEndian: bits))
      }
    }
    func narrow(_ value: some FixedWidthInteger) throws -> Int32 {
      guard let narrow = Int32(exactly: value) else {
        throw TensorFileError(path: path, "\(stored.name) holds \(value), which does not fit int32")
      }
      return narrow
    }
    switch stored.element {
    case .float16: each(UInt16.self, float(half:))
    case .bfloat16: each(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .float32: each(UInt32.self) { Float(bitPattern: $0) }
    case .float64: each(UInt64.self) { Double(bitPattern: $0) }
    case .int8: each(Int8.self) { Int32($0) }
    case .int16: each(Int16.self) { Int32($0) }
    case .int32: each(Int32.self) { $0 }
    case .int64: try each(Int64.self, narrow)
    case .uint8: each(UInt8.self) { Int32($0) }
    case .uint16: each(UInt16.self) { Int32($0) }
    case .uint32: try each(UInt32.self, narrow)
    case .uint64: try each(UInt64.self, narrow)
    case .bool: each(UInt8.self) { $0 != 0 }
    }
  }
}

/// The value of an IEEE 754 half: 1 bit sign, 5 bits exponent, 10 bits fraction.
private func float(half bits: UInt16) -> Float {
  let exponent = UInt32(bits >> 10) & 0x1f, fraction = UInt32(bits) & 0x3ff
  let magnitude: Float =
    switch exponent {
    case 0: Float(fraction) * 0x1p-24
    case 0x1f: Float(bitPattern: 0x7f80_0000 | fraction << 13)
    default: Float(bitPattern: (exponent + 112) << 23 | fraction << 13)
    }
  return bits >> 15 == 1 ? -magnitude : magnitude
}
