/// Reads the small languages in which files describe their tensors, front to back. Never goes deeper
/// than their grammars do and takes no more memory than the text. Nil and false mean that something else
/// stands there.
struct HeaderScanner {
  private var rest: Slice<UnsafeRawBufferPointer>

  init(_ text: UnsafeRawBufferPointer) { rest = text[...] }

  /// Whether all was read but spaces.
  mutating func isAtEnd() -> Bool {
    skipSpace()
    return rest.isEmpty
  }

  private mutating func skipSpace() {
    while let byte = rest.first, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { rest = rest.dropFirst() }
  }

  /// Passes over `text`, if it comes next.
  mutating func take(_ text: StaticString) -> Bool {
    skipSpace()
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard rest.starts(with: wanted) else { return false }
    rest = rest.dropFirst(wanted.count)
    return true
  }

  /// A whole number without sign.
  mutating func integer() -> Int? {
    skipSpace()
    let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
    // More than 19 digits do not fit anyway.
    guard digits.count <= 19, let value = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
    rest = rest.dropFirst(digits.count)
    return value
  }

  /// Text between two `quote`s without any escapes, as Python writes plain names.
  mutating func plainText(quote: StaticString) -> String? {
    guard take(quote), let end = rest.firstIndex(of: quote.utf8Start.pointee) else { return nil }
    let inside = rest[..<end]
    guard !inside.contains(UInt8(ascii: "\\")) else { return nil }
    rest = rest[(end + 1)...]
    return String(decoding: inside, as: UTF8.self)
  }

  /// A JSON string.
  mutating func text() -> String? {
    guard take("\"") else { return nil }
    var utf8: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""): return String(validating: utf8, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escaped() else { return nil }
        utf8.append(contentsOf: String(scalar).utf8)
      case 0..<0x20: return nil
      default: utf8.append(byte)
      }
    }
    return nil
  }

  /// What follows a backslash.
  private mutating func escaped() -> Unicode.Scalar? {
    switch rest.popFirst() {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "u"):
      guard let unit = codeUnit() else { return nil }
      guard (0xd800..<0xdc00).contains(unit) else { return Unicode.Scalar(unit) }
      // The first half of a pair.
      guard rest.popFirst() == UInt8(ascii: "\\"), rest.popFirst() == UInt8(ascii: "u"),
        let second = codeUnit(), (0xdc00..<0xe000).contains(second)
      else { return nil }
      return Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (second - 0xdc00))
    case let byte? where [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/")].contains(byte):
      return Unicode.Scalar(byte)
    default: return nil
    }
  }

  /// Four hexadecimal digits.
  private mutating func codeUnit() -> UInt32? {
    let digits = rest.prefix(4)
    guard digits.count == 4, !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-"))
    else { return nil }
    rest = rest.dropFirst(4)
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
