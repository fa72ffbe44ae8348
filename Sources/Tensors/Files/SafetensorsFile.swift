import Foundation

/// An open safetensors file: an 8-byte little-endian header length, a JSON header (name -> dtype, shape,
/// data_offsets), then the elements, without gaps.
///
/// Only the header is read until a tensor is asked for, whatever the file's size.
public struct SafetensorsFile: Sendable {
  /// What the header says of a tensor.
  public struct Entry: Sendable, Equatable {
    /// The type's name in the file, such as F32 or BF16.
    public let type: String
    public let shape: [Int]
    /// The type of the tensor, nil where the file's has none.
    public var dtype: DType? { SafetensorsFile.types[type]?.dtype }
    /// Where the elements begin and end, counted from the end of the header.
    package let begin: Int, end: Int
  }

  /// The tensors by name.
  public let entries: [String: Entry]
  /// The texts under `__metadata__`.
  public let metadata: [String: String]
  private let file: TensorFile
  /// Where the elements start.
  private let start: Int

  /// What a header may take at most; the reference implementation has the same limit.
  private static let largestHeader = 100_000_000

  static let types: [String: StoredElement] = [
    "F16": .float16, "BF16": .bfloat16, "F32": .float32, "F64": .float64, "BOOL": .bool, "I8": .int8,
    "I16": .int16, "I32": .int32, "I64": .int64, "U8": .uint8, "U16": .uint16, "U32": .uint32,
    "U64": .uint64,
  ]

  /// Opens the file at `path` and checks its header: every tensor fits its place, and the places cover
  /// the file without gaps or overlaps.
  ///
  /// A tensor is read into memory of its own when it is asked for, and stays what it is whatever becomes of
  /// the file.
  /// - Parameter mapping: whether to leave the elements in the file, which costs nothing until they are read:
  ///   only for files that nobody writes to or cuts off meanwhile. What is written there shows in the tensor,
  ///   and where the file is cut off the program ends (SIGBUS).
  /// - Throws: ``TensorFileError``.
  public init(path: String, mapping: Bool = false) throws {
    file = try TensorFile(path: path, mapping: mapping)
    guard file.count >= 8 else {
      throw TensorFileError(path: path, "is too short for a safetensors file")
    }
    let length = try file.read(0..<8).number(UInt64.self, at: 0)
    guard length <= UInt64(Self.largestHeader), Int(length) <= file.count - 8 else {
      throw TensorFileError(
        path: path, "is cut off, or no safetensors file: it claims a header of \(length) bytes")
    }
    start = 8 + Int(length)
    (entries, metadata) = try file.read(8..<start).withBytes { try Self.header($0, path) }
    try Self.check(entries, dataCount: file.count - start, path)
  }

  /// A tensor by name. F16 and BF16 become float32; I8, I16, U8 and U16 int32, as do I64, U32 and U64
  /// where the values allow it.
  /// - Throws: ``TensorFileError`` for an absent name, a type that is not supported, or an integer that
  ///   does not fit.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entries[name] else {
      throw TensorFileError(path: file.path, "has no tensor \(name)")
    }
    guard let element = Self.types[entry.type] else {
      throw TensorFileError(
        path: file.path, "tensor \(name) has type \(entry.type), which is not supported")
    }
    return try file.read(start + entry.begin..<start + entry.end)
      .tensor(StoredTensor(name: "tensor \(name)", element: element, shape: entry.shape, offset: 0))
  }

  // MARK: The header

  private static func check(_ entries: [String: Entry], dataCount: Int, _ path: String) throws {
    for (name, entry) in entries {
      guard entry.begin <= entry.end, entry.end <= dataCount else {
        throw TensorFileError(
          path: path,
          "tensor \(name) of shape \(entry.shape) does not fit its place [\(entry.begin), \(entry.end)] in the file"
        )
      }
      // Types that are not read might be of any width, but their shapes must be possible.
      let width = types[entry.type]?.width
      guard let bytes = StoredTensor.byteCount(of: entry.shape, width: width ?? 1) else {
        throw TensorFileError(path: path, "tensor \(name) has the impossible shape \(entry.shape)")
      }
      guard width == nil || bytes == entry.end - entry.begin else {
        throw TensorFileError(
          path: path,
          "tensor \(name) of shape \(entry.shape) does not fit its place [\(entry.begin), \(entry.end)] in the file"
        )
      }
    }
    var end = 0
    let inOrder = entries.sorted { ($0.value.begin, $0.value.end) < ($1.value.begin, $1.value.end) }
    for (name, entry) in inOrder {
      guard entry.begin == end else {
        throw TensorFileError(path: path, "has a gap or an overlap before tensor \(name)")
      }
      end = entry.end
    }
    guard end == dataCount else {
      throw TensorFileError(path: path, "holds \(dataCount) bytes of data, its header describes \(end)")
    }
  }

  private static func header(
    _ text: UnsafeRawBufferPointer, _ path: String
  ) throws -> (entries: [String: Entry], metadata: [String: String]) {
    var scanner = HeaderScanner(text)
    var entries: [String: Entry] = [:]
    var metadata: [String: String]?
    let isComplete = try scanner.object { scanner, name in
      guard name == "__metadata__" else {
        guard let entry = try scanner.entry(name, path) else { return false }
        return try entries.addNew(name, entry, path)
      }
      guard metadata == nil else {
        throw TensorFileError(path: path, "has two entries for \(name)")
      }
      var texts: [String: String] = [:]
      guard
        try scanner.object({ scanner, key in
          guard let value = scanner.text() else { return false }
          return try texts.addNew(key, value, path)
        })
      else { throw TensorFileError(path: path, "has an unreadable entry for \(name)") }
      metadata = texts
      return true
    }
    guard isComplete, scanner.isAtEnd() else {
      throw TensorFileError(path: path, "has a header that is not safetensors JSON")
    }
    return (entries, metadata ?? [:])
  }
}

extension HeaderScanner {
  /// A JSON object, whose values `member` reads; false where either is not what stands there.
  fileprivate mutating func object(
    _ member: (inout HeaderScanner, String) throws -> Bool
  ) rethrows -> Bool {
    guard take("{") else { return false }
    if take("}") { return true }
    repeat {
      guard let name = text(), take(":"), try member(&self, name) else { return false }
    } while take(",")
    return take("}")
  }

  /// A JSON array of whole numbers.
  private mutating func integers() -> [Int]? {
    guard take("[") else { return nil }
    if take("]") { return [] }
    var values: [Int] = []
    repeat {
      guard let value = integer() else { return nil }
      values.append(value)
    } while take(",")
    return take("]") ? values : nil
  }

  /// The object that describes a tensor.
  fileprivate mutating func entry(_ name: String, _ path: String) throws -> SafetensorsFile.Entry? {
    var type: String?
    var shape: [Int]?, offsets: [Int]?
    let isComplete = object { scanner, key in
      switch key {
      case "dtype" where type == nil: type = scanner.text()
      case "shape" where shape == nil: shape = scanner.integers()
      case "data_offsets" where offsets == nil: offsets = scanner.integers()
      default: return false
      }
      return true
    }
    guard isComplete, let type, let shape, let offsets, offsets.count == 2 else {
      throw TensorFileError(path: path, "has an unreadable entry for \(name)")
    }
    return .init(type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }
}

extension Dictionary where Key == String {
  /// - Throws: ``TensorFileError`` if there is a value already.
  fileprivate mutating func addNew(_ name: String, _ value: Value, _ path: String) throws -> Bool {
    guard updateValue(value, forKey: name) == nil else {
      throw TensorFileError(path: path, "has two entries for \(name)")
    }
    return true
  }
}
