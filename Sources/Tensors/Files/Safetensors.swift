import Foundation

/// Files of named tensors in the safetensors format.
public enum Safetensors {
  /// The tensors and the metadata of a file; ``SafetensorsFile`` reads those one wants.
  /// - Parameter mapping: whether to leave the elements in the file: see ``SafetensorsFile/init(path:mapping:)``.
  /// - Throws: ``TensorFileError``, one line that says what is wrong.
  public static func load(
    _ path: String, mapping: Bool = false
  ) throws -> (tensors: [String: Tensor], metadata: [String: String]) {
    let file = try SafetensorsFile(path: path, mapping: mapping)
    var tensors: [String: Tensor] = [:]
    for name in file.entries.keys { tensors[name] = try file.tensor(name) }
    return (tensors, file.metadata)
  }

  /// The format's names of our types, in the order in which the format's own package writes them: wide
  /// types first, so that every tensor is aligned to its elements for readers that map the file.
  private static let types: [(name: String, dtype: DType)] = [
    ("F64", .float64), ("F32", .float32), ("I32", .int32), ("BOOL", .bool),
  ]

  /// Writes the tensors and the metadata, byte for byte as the format's own package would; all or
  /// nothing.
  /// - Throws: an error whose description is one line.
  public static func save(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
  ) throws {
    guard tensors["__metadata__"] == nil else {
      throw TensorFileError(path: path, "cannot hold a tensor with the name __metadata__")
    }
    var members: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var order: [Tensor] = []
    var offset = 0
    for type in types {
      let group = tensors.filter { $0.value.dtype == type.dtype }
      // By the bytes of the names, as the package does.
      let byName = group.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (name, tensor) in byName {
        let end = offset + tensor.size * type.dtype.size
        let shape = tensor.shape.map(String.init).joined(separator: ",")
        members.append(
          "\(quoted(name)):{\"dtype\":\"\(type.name)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
        )
        order.append(tensor)
        offset = end
      }
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    // Elements start at a multiple of 8.
    while header.count % 8 != 0 { header.append(0x20) }
    try AtomicFile.write(to: path) { sink in
      try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try sink.write($0) }
      try header.withUnsafeBytes { try sink.write($0) }
      for tensor in order { try sink.write(tensor) }
    }
  }

  /// A JSON string.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case "\0"..<" ":
        result += (scalar.value < 16 ? "\\u000" : "\\u00") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension AtomicFile.Sink {
  /// Appends the elements in row-major order.
  func write(_ tensor: Tensor) throws {
    let packed = tensor.packed
    try write(UnsafeRawBufferPointer(start: packed.pointer, count: packed.size * packed.dtype.size))
  }
}
