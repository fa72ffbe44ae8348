import CallosumTensors

/// Changes bytes in the ways in which files go wrong, and in those that somebody would choose who wants
/// to break a reader. The same random numbers give the same bytes.
struct Mutation {
  var random: RandomGenerator

  /// Numbers at which sizes overflow, wrap or are just one too many.
  private static let numbers: [UInt64] = [
    0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 31 - 1, 1 << 31, 1 << 32 - 1,
    1 << 32, 1 << 40, 1 << 61, 1 << 62, 1 << 63 - 1, 1 << 63, .max - 1, .max,
  ]

  /// Words of all formats that are read here.
  private static let words = [
    "{", "}", "[", "]", "(", ")", ",", ":", "\"", "'", "\\", "\\u0000", "\\ud800", "-", "1e999", "null",
    "true",
    "False", "True", "L", "\"F32\"", "\"BOOL\"", "\"I64\"", "'<f8'", "'|b1'", "'|O'", "'>i8'", "data_offsets",
    "shape", "dtype", "__metadata__", "\u{93}NUMPY", "PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}",
    "PK\u{6}\u{6}", "PK\u{6}\u{7}", "\u{0}", "\n", "ü",
  ].map { Array($0.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }) }

  mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

  /// One to eight changes, few more often; `other` is a file to take pieces from.
  mutating func mutated(_ original: [UInt8], with other: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0...below(1 + below(8)) { change(&bytes, other) }
    return bytes
  }

  /// Most changes belong to the front or the back, where the formats keep their headers.
  private mutating func place(in bytes: [UInt8]) -> Int {
    guard !bytes.isEmpty else { return 0 }
    switch below(4) {
    case 0: return below(min(bytes.count, 64))
    case 1: return bytes.count - 1 - below(min(bytes.count, 200))
    default: return below(bytes.count)
    }
  }

  private mutating func change(_ bytes: inout [UInt8], _ other: [UInt8]) {
    let at = place(in: bytes)
    let end = min(bytes.count, at + 1 + below(40))
    switch below(11) {
    case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(below(8))
    case 1 where !bytes.isEmpty: bytes[at] = UInt8(below(256))
    case 2, 3: writeNumber(&bytes, at)
    case 4: replaceDigits(&bytes, from: at)
    case 5: bytes.removeSubrange(at..<end)
    case 6: bytes.insert(contentsOf: bytes[at..<end], at: at)
    case 7: bytes.insert(contentsOf: Self.words[below(Self.words.count)], at: at)
    case 8: bytes.removeSubrange(at...)
    case 9: bytes.append(contentsOf: [UInt8](repeating: UInt8(below(256)), count: below(300)))
    default:
      guard !other.isEmpty else { return }
      let from = below(other.count)
      let piece = other[from..<min(other.count, from + 1 + below(100))]
      bytes.replaceSubrange(at..<end, with: piece)
    }
  }

  /// Over the bytes at `at`, in 1 to 8 bytes of either order.
  private mutating func writeNumber(_ bytes: inout [UInt8], _ at: Int) {
    let width = 1 << below(4), number = Self.numbers[below(Self.numbers.count)]
    let little = (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
    let piece = below(2) == 0 ? little : little.reversed()
    for (offset, byte) in piece.enumerated() where at + offset < bytes.count { bytes[at + offset] = byte }
  }

  /// The next number that is written out.
  private mutating func replaceDigits(_ bytes: inout [UInt8], from at: Int) {
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    guard let begin = bytes[at...].firstIndex(where: isDigit) else { return }
    let end = bytes[begin...].firstIndex { !isDigit($0) } ?? bytes.endIndex
    let number = Self.numbers[below(Self.numbers.count)]
    bytes.replaceSubrange(begin..<end, with: String(number).utf8)
  }
}
