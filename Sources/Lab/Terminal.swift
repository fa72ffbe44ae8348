import CallosumTensors
import Foundation

/// The terminal that a stream may lead to. Whatever goes there goes through ``say(_:)`` and its like or
/// ``remark(_:)``: names and notes come from outside, and are shown as text and nothing else.
package enum Terminal {
  /// Prints a line.
  package static func say(_ line: String = "") { print(line.printable()) }

  /// Prints lines, such as those of a table; they end where they do in `text`.
  package static func say(lines text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) { say(String(line)) }
  }

  /// Prints a JSON document. In JSON every character can be written as a number, so what a terminal would obey
  /// is, and the document stays the same.
  package static func say(json text: String) { print(text.jsonPrintable) }

  /// Says something on standard error, in one line of a length that somebody reads.
  package static func remark(_ line: String) {
    writeToStandardError(line.split(whereSeparator: \.isNewline).joined(separator: " ").asOneLine + "\n")
  }

  /// Says there what is wrong.
  package static func complain(_ problem: String) { remark("callosum: " + problem) }

  /// Its width; nil where the stream leads elsewhere. 80 where the terminal does not say.
  package static func columns(of descriptor: Int32) -> Int? {
    guard isatty(descriptor) == 1 else { return nil }
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? Int(size.ws_col) : 80
  }
}

/// How many columns of a terminal a text takes.
package enum DisplayWidth {
  package static func of(_ text: String) -> Int {
    text.reduce(0) { $0 + of($1) }
  }

  /// The longest beginning of `text` that fits into `columns`.
  package static func clip(_ text: String, to columns: Int) -> String {
    var width = 0
    return String(
      text.prefix { character in
        width += of(character)
        return width <= columns
      })
  }

  /// `text` in lines of at most `columns`, broken between words, and within a word that is longer.
  package static func folded(_ text: String, to columns: Int) -> [String] {
    guard of(text) > columns, columns > 1 else { return [text] }
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      let longer = line.isEmpty ? String(word) : line + " " + word
      if of(longer) <= columns {
        line = longer
        continue
      }
      if !line.isEmpty { lines.append(line) }
      line = String(word)
      while of(line) > columns {
        let part = clip(line, to: columns)
        lines.append(part)
        line.removeFirst(part.count)
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// A character with its combining marks: 2 for East Asian wide and emoji, 0 for what has no ink of
  /// its own, 1 otherwise.
  private static func of(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first else { return 0 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    let isEmoji =
      scalar.properties.isEmojiPresentation
      || character.unicodeScalars.contains { $0.value == 0xFE0F }
    return isEmoji || wide.contains { $0.contains(scalar.value) } ? 2 : 1
  }

  /// The blocks that are wide throughout (Unicode Standard Annex 11).
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
    0xA000...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
    0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]
}

extension String {
  /// A JSON document in which no character is left that a terminal would obey; outside texts there are none
  /// but line breaks.
  fileprivate var jsonPrintable: String {
    func isFit(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || !scalar.isUnprintable }
    if unicodeScalars.allSatisfy(isFit) { return self }
    var scalars = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if isFit(scalar) {
        scalars.append(scalar)
      } else {
        scalars += String(format: "\\u%04x", scalar.value).unicodeScalars
      }
    }
    return String(scalars)
  }
}
