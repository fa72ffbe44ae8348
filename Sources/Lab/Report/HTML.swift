import CallosumContracts
import Foundation

/// A piece of HTML. Text enters it by interpolation only, and is escaped there; what is already HTML
/// passes as it is. So nothing can be forgotten.
struct HTML: ExpressibleByStringInterpolation {
  private(set) var text: String

  init(stringLiteral text: String) { self.text = text }

  init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  static func + (first: HTML, second: HTML) -> HTML { "\(first)\(second)" }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

    mutating func appendLiteral(_ literal: String) { text += literal }

    mutating func appendInterpolation(_ piece: HTML) { text += piece.text }

    mutating func appendInterpolation(_ pieces: [HTML]) {
      text += pieces.map(\.text).joined(separator: "\n")
    }

    mutating func appendInterpolation(_ words: String) { text += words.xmlEscaped }

    mutating func appendInterpolation(_ number: Int) { text += String(number) }

    /// A coordinate: a tenth of a unit is finer than the eye sees.
    mutating func appendInterpolation(_ coordinate: Double) {
      text += String(format: "%.1f", coordinate.isFinite ? coordinate : 0)
    }
  }

  /// A page that needs nothing else, and no network.
  static func page(title: String, _ main: HTML) -> HTML {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <title>\(title)</title>
    <style>
    \(Style.sheet)
    </style>
    </head>
    <body>
    <main>
    \(main)
    </main>
    </body>
    </html>

    """
  }
}
