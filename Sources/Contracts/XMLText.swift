import CallosumTensors

extension String {
  /// Safe as text of a page or a picture (HTML, SVG) and between quotes: nothing in it is markup, and what no
  /// document may hold is shown as on a terminal. Line breaks and tabs stay.
  package var xmlEscaped: String {
    var escaped = ""
    for scalar in printable(keepingLines: true).unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
