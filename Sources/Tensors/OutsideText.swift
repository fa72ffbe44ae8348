// Names, paths, settings and notes come from outside and end up on terminals and pages, where some characters
// do more than stand there: they move the cursor, break the line, or turn the letters around them.

extension String {
  /// With every such character as Swift would write it, ESC as `\u{1b}` and a line break as `\n`, so that the
  /// text is one line and nothing but text. With `keepingLines`, line breaks and tabs stay.
  package func printable(keepingLines: Bool = false) -> String {
    func isFit(_ scalar: Unicode.Scalar) -> Bool {
      !scalar.isUnprintable || (keepingLines && (scalar == "\n" || scalar == "\t"))
    }
    if unicodeScalars.allSatisfy(isFit) { return self }
    var scalars = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if isFit(scalar) { scalars.append(scalar) } else { scalars += scalar.swiftEscape.unicodeScalars }
    }
    return String(scalars)
  }

  /// For messages that quote what came from outside: one line, with the middle left out of what is longer
  /// than anybody reads. Its end often says what to do.
  package var asOneLine: String {
    let most = 800, tail = 300
    // Long before it is as long as that, a text need not be looked at whole.
    guard utf8.count > most else { return printable() }
    let scalars = unicodeScalars
    guard scalars.count > most else { return printable() }
    return String(scalars.prefix(most - tail)).printable() + " … " + String(scalars.suffix(tail)).printable()
  }
}

extension Unicode.Scalar {
  /// Control characters, line and paragraph separators, marks that change the direction of writing, and the two
  /// that no document may hold.
  package var isUnprintable: Bool {
    switch value {
    case 0x20...0x7e: false
    case 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfffe, 0xffff: true
    default: value < 0x20 || (0x7f...0x9f).contains(value)
    }
  }

  fileprivate var swiftEscape: String {
    switch self {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    case "\0": "\\0"
    default: "\\u{\(String(value, radix: 16))}"
    }
  }
}
