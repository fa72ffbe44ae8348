import Foundation

/// NumPy's files: one array (.npy, versions 1 to 3) or several by name (.npz, a zip archive of them).
///
/// Halves become float32; small integers int32, as do wide ones where the values allow it. Arrays in
/// Fortran order are read as views. Text, dates, records and Python objects are refused.
public enum NumPy {
  /// The array of an .npy file, which is mapped: it costs nothing until it is read.
  /// - Throws: ``TensorFileError``, one line that says what is wrong.
  public static func load(_ path: String) throws -> Tensor {
    try array(in: FileBytes(mapping: path), from: 0, count: nil, "the array")
  }

  /// The arrays of an .npz file by name. Stored members are mapped, deflated ones unpacked and checked.
  /// - Throws: ``TensorFileError``, one line that says what is wrong.
  public static func loadArchive(_ path: String) throws -> [String: Tensor] {
    let file = try FileBytes(mapping: path)
    var arrays: [String: Tensor] = [:]
    for member in try ZipArchive.members(of: file) {
      guard member.name.hasSuffix(".npy") else {
        throw TensorFileError(path: path, "holds \(member.name), which is not an array (.npy)")
      }
      let (bytes, offset) = try member.unpacked(from: file)
      let name = String(member.name.dropLast(4))
      arrays[name] = try array(in: bytes, from: offset, count: member.size, "array \(name)")
    }
    return arrays
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

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// The array of `count` bytes (all that follow, if nil) from `start` on.
  private static func array(
    in file: FileBytes, from start: Int, count: Int?, _ name: String
  ) throws -> Tensor {
    func problem(_ words: String) -> TensorFileError {
      TensorFileError(path: file.path, count == nil ? words : "\(name) \(words)")
    }
    let end = start + (count ?? file.count)
    guard end - start >= 10, file.bytes[start..<start + 6].elementsEqual(magic) else {
      throw problem("does not begin like an .npy file")
    }
    let version = file.bytes[start + 6]
    let headerStart = start + (version == 1 ? 10 : 12)
    guard (1...3).contains(version), end >= headerStart else {
      throw problem("has .npy version \(version), which is not supported")
    }
    let length =
      version == 1
      ? Int(file.number(UInt16.self, at: start + 8)) : Int(file.number(UInt32.self, at: start + 8))
    guard length <= end - headerStart else {
      throw problem("claims a header of \(length) bytes, more than it holds")
    }
    let begin = headerStart + length
    var scanner = HeaderScanner(UnsafeRawBufferPointer(rebasing: file.bytes[headerStart..<begin]))
    guard let (descriptor, isFortranOrder, shape) = scanner.arrayDescription(), scanner.isAtEnd() else {
      throw problem("has a header that does not describe a plain array")
    }
    guard let (element, isBigEndian) = element(descriptor) else {
      throw problem("has type '\(descriptor)', which is not supported")
    }
    guard let bytes = StoredTensor.byteCount(of: shape, width: element.width) else {
      throw problem("has the impossible shape \(shape)")
    }
    guard bytes == end - begin else {
      throw problem("holds \(end - begin) bytes of data, its header describes \(bytes)")
    }
    return try file.tensor(
      StoredTensor(
        name: name, element: element, shape: shape, offset: begin, isBigEndian: isBigEndian,
        isFortranOrder: isFortranOrder))
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
    text += String(repeating: " ", count: 64 - (magic.count + 4 + text.utf8.count + 1) % 64) + "\n"
    let length = UInt16(text.utf8.count)
    return magic + [1, 0, UInt8(length & 0xff), UInt8(length >> 8)] + Array(text.utf8)
  }
}

extension HeaderScanner {
  /// The Python dictionary of an .npy header: the keys 'descr', 'fortran_order' and 'shape', each once.
  fileprivate mutating func arrayDescription() -> (descriptor: String, isFortranOrder: Bool, shape: [Int])? {
    var descriptor: String?, isFortranOrder: Bool?, shape: [Int]?
    guard take("{") else { return nil }
    while !take("}") {
      guard let key = pythonText(), take(":") else { return nil }
      switch key {
      case "descr" where descriptor == nil: descriptor = pythonText()
      case "fortran_order" where isFortranOrder == nil:
        isFortranOrder = take("True") ? true : take("False") ? false : nil
      case "shape" where shape == nil: shape = sizes()
      default: return nil
      }
      if take(",") { continue }
      guard take("}") else { return nil }
      break
    }
    guard let descriptor, let isFortranOrder, let shape else { return nil }
    return (descriptor, isFortranOrder, shape)
  }

  private mutating func pythonText() -> String? { plainText(quote: "'") ?? plainText(quote: "\"") }

  /// A tuple such as (), (3,) or (3, 4).
  private mutating func sizes() -> [Int]? {
    guard take("(") else { return nil }
    var values: [Int] = []
    while !take(")") {
      guard let value = integer() else { return nil }
      _ = take("L")  // Python 2 wrote long numbers so.
      values.append(value)
      if take(",") { continue }
      // Without a comma, (3) is a number and no tuple.
      return values.count > 1 && take(")") ? values : nil
    }
    return values
  }
}
