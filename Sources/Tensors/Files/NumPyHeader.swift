/// The beginning of an .npy file: magic bytes, version, and a Python dictionary that describes the array.
struct NumPyHeader {
  /// What is wrong with a file; the reader adds which.
  struct Problem: Error {
    let words: String
    init(_ words: String) { self.words = words }
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Bytes that tell where the header ends.
  static let fixedSize = 12

  /// Where the text begins, and where the elements do.
  let begin: Int, end: Int

  /// From the first ``fixedSize`` bytes (or all, if there are fewer) of a file of `fileSize` bytes.
  /// - Throws: ``Problem``.
  init(_ bytes: FileBytes, fileSize: Int) throws {
    guard bytes.count >= 10, bytes.withBytes({ $0.starts(with: Self.magic) }) else {
      throw Problem("does not begin like an .npy file")
    }
    let version = bytes.number(UInt8.self, at: 6)
    begin = version == 1 ? 10 : 12
    guard (1...3).contains(version), bytes.count >= begin else {
      throw Problem("has .npy version \(version), which is not supported")
    }
    let length = version == 1 ? Int(bytes.number(UInt16.self, at: 8)) : Int(bytes.number(UInt32.self, at: 8))
    guard length <= fileSize - begin else {
      throw Problem("claims a header of \(length) bytes, more than it holds")
    }
    end = begin + length
  }

  typealias Description = (type: String, isFortranOrder: Bool, shape: [Int])

  /// What the header says of the array, nil where it is no plain one. `bytes` reach to its end at least.
  func description(in bytes: FileBytes) -> Description? {
    bytes.withBytes { bytes in
      var scanner = HeaderScanner(UnsafeRawBufferPointer(rebasing: bytes[begin..<end]))
      guard let description = scanner.arrayDescription(), scanner.isAtEnd() else { return nil }
      return description
    }
  }
}

extension HeaderScanner {
  /// The Python dictionary of an .npy header: the keys 'descr', 'fortran_order' and 'shape', each once.
  fileprivate mutating func arrayDescription() -> NumPyHeader.Description? {
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
