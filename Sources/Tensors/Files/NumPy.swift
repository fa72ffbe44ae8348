import Foundation

/// NumPy's files: one array (.npy, versions 1 to 3) or several by name (.npz, a zip archive of them).
///
/// Halves become float32; small integers int32, as do wide ones where the values allow it. Arrays in
/// Fortran order are read as views. Text, dates, records and Python objects are refused.
public enum NumPy {
  /// The array of an .npy file.
  /// - Parameter mapping: whether to leave the elements in the file, which costs nothing until they are read:
  ///   only for files that nobody writes to or cuts off meanwhile, as both reach the tensor.
  /// - Throws: ``TensorFileError``, one line that says what is wrong.
  public static func load(_ path: String, mapping: Bool = false) throws -> Tensor {
    let file = try TensorFile(path: path, mapping: mapping)
    // Of a large file of another kind not more than this is read.
    let start = try file.read(0..<min(file.count, NumPyHeader.fixedSize))
    let isArray = (try? NumPyHeader(start, fileSize: file.count)) != nil
    return try array(in: isArray ? file.read(0..<file.count) : start, nil)
  }

  /// The arrays of an .npz file by name; ``NumPyArchive`` reads those one wants.
  /// - Parameter mapping: as for ``load(_:mapping:)``; members that are deflated are unpacked anyway.
  /// - Throws: ``TensorFileError``, one line that says what is wrong; also where a member is no array of
  ///   numbers, so that nothing is missing unnoticed.
  public static func loadArchive(_ path: String, mapping: Bool = false) throws -> [String: Tensor] {
    try NumPyArchive(path: path, mapping: mapping).arrays()
  }

  /// Writes one array, as `numpy.save` would; all or nothing.
  /// - Throws: an error whose description is one line.
  public static func save(_ tensor: Tensor, to path: String) throws {
    try AtomicFile.write(to: path) { sink in
      try header(of: tensor).withUnsafeBytes { try sink.write($0) }
      try sink.write(tensor)
    }
  }

  /// Writes arrays by name in alphabetic order, as `numpy.savez` or, `compressed`,
  /// `numpy.savez_compressed` would; all or nothing.
  /// - Throws: an error whose description is one line.
  public static func saveArchive(
    _ tensors: [String: Tensor], compressed: Bool = false, to path: String
  ) throws {
    try saveArchive(tensors, compressed: compressed, to: path, widestPlain: ZipWriter.widestPlain)
  }

  /// With a limit above which sizes take 64 bits.
  package static func saveArchive(
    _ tensors: [String: Tensor], compressed: Bool = false, to path: String, widestPlain: UInt64
  ) throws {
    try AtomicFile.write(to: path) { sink in
      var writer = ZipWriter(sink: sink, path: path, widestPlain: widestPlain)
      for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
        let packed = tensor.packed
        try header(of: tensor).withUnsafeBytes { header in
          let elements = UnsafeRawBufferPointer(
            start: packed.pointer, count: packed.size * packed.dtype.size)
          try writer.append(name + ".npy", [header, elements], compressed: compressed)
        }
      }
      try writer.finish()
    }
  }

  // MARK: The format

  /// The array whose file lies in `bytes`; `name` is its member's, if it has one.
  static func array(in bytes: FileBytes, _ name: String?) throws -> Tensor {
    let label = name.map { "array \($0)" }
    func problem(_ words: String) -> TensorFileError {
      TensorFileError(path: bytes.path, label.map { "\($0) \(words)" } ?? words)
    }
    do {
      let header = try NumPyHeader(bytes, fileSize: bytes.count)
      guard let description = header.description(in: bytes) else {
        throw NumPyHeader.Problem("has a header that does not describe a plain array")
      }
      guard let (element, isBigEndian) = element(description.type) else {
        throw NumPyHeader.Problem("has type '\(description.type)', which is not supported")
      }
      guard let count = StoredTensor.byteCount(of: description.shape, width: element.width) else {
        throw NumPyHeader.Problem("has the impossible shape \(description.shape)")
      }
      guard count == bytes.count - header.end else {
        throw NumPyHeader.Problem(
          "holds \(bytes.count - header.end) bytes of data, its header describes \(count)")
      }
      return try bytes.tensor(
        StoredTensor(
          name: label ?? "the array", element: element, shape: description.shape, offset: header.end,
          isBigEndian: isBigEndian, isFortranOrder: description.isFortranOrder))
    } catch let error as NumPyHeader.Problem { throw problem(error.words) }
  }

  private static let types: [Substring: StoredElement] = [
    "f2": .float16, "f4": .float32, "f8": .float64, "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32,
    "i8": .int64, "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64,
  ]

  /// The type behind a text such as '<f4'; '|' and '=' stand for the machine's own order.
  private static func element(_ descriptor: String) -> (StoredElement, isBigEndian: Bool)? {
    guard let order = descriptor.first, "<>|=".contains(order), let element = types[descriptor.dropFirst()]
    else { return nil }
    return (element, order == ">" || ("|=".contains(order) && 1.bigEndian == 1))
  }

  /// Byte for byte what NumPy writes: room for the first axis to grow, and the elements at a multiple of
  /// 64.
  private static func header(of tensor: Tensor) -> [UInt8] {
    let type =
      switch tensor.dtype {
      case .float32: "<f4"
      case .float64: "<f8"
      case .int32: "<i4"
      case .bool: "|b1"
      }
    let sizes = tensor.shape.map(String.init)
    let shape = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
    var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
    if let first = sizes.first { text += String(repeating: " ", count: 21 - first.count) }
    text +=
      String(repeating: " ", count: 64 - (NumPyHeader.magic.count + 4 + text.utf8.count + 1) % 64) + "\n"
    let length = UInt16(text.utf8.count)
    return NumPyHeader.magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(text.utf8)
  }
}
