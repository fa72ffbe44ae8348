import CallosumTensors

/// A table of text for the terminal: columns aligned, two spaces apart, a rule under the heading.
package struct Table {
  package enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  package init(_ columns: [(title: String, alignment: Alignment)]) {
    self.columns = columns.map { ($0.title.printable(), $0.alignment) }
  }

  /// Adds a row with one cell per column.
  package mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "row of \(cells.count), \(columns.count) columns")
    rows.append(cells.map { $0.printable() })
  }

  /// The lines as one text.
  package var text: String { text(columns: nil) }

  /// The lines as one text that fits into `columns`, if told.
  package func text(columns: Int?) -> String { lines(columns: columns).joined(separator: "\n") }

  /// The table at its own width.
  package var lines: [String] { lines(columns: nil) }

  /// The heading (unless every title is empty) and the rows, without spaces at their ends. Where they are
  /// wider than `columns`, titles and columns of words are folded between words, the widest first; where that is
  /// not enough, columns of words are folded within words too, down to `narrowest`.
  package func lines(columns limit: Int?) -> [String] {
    let widths = widths(within: limit)
    func line(_ cells: [String]) -> String {
      let padded = columns.indices.map { column in
        let space = String(repeating: " ", count: max(0, widths[column] - DisplayWidth.of(cells[column])))
        return columns[column].alignment == .left ? cells[column] + space : space + cells[column]
      }
      let text = padded.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    func folded(_ row: [String]) -> [String] {
      let cells = columns.indices.map { DisplayWidth.folded(row[$0], to: widths[$0]) }
      let height = cells.map(\.count).max() ?? 1
      return (0..<height).map { part in line(cells.map { part < $0.count ? $0[part] : "" }) }
    }
    if columns.allSatisfy(\.title.isEmpty) { return rows.flatMap(folded) }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return folded(columns.map(\.title)) + [rule] + rows.flatMap(folded)
  }

  /// No column of words is folded to less than so much.
  private static let narrowest = 12

  private func widths(within limit: Int?) -> [Int] {
    func width(_ texts: [String]) -> Int { texts.map(DisplayWidth.of).max() ?? 0 }
    func words(_ texts: [String]) -> [String] { texts.flatMap { $0.split(separator: " ").map(String.init) } }
    let cells = columns.indices.map { column in rows.map { $0[column] } }
    var widths = columns.indices.map { width([columns[$0].title] + cells[$0]) }
    // Numbers are never folded.
    let wholeWords = columns.indices.map { column in
      let isOfWords = columns[column].alignment == .left
      return width(words([columns[column].title]) + (isOfWords ? words(cells[column]) : cells[column]))
    }
    let parts = columns.indices.map { column in
      columns[column].alignment == .left ? Table.narrowest : wholeWords[column]
    }
    var excess = widths.reduce(0, +) + 2 * (columns.count - 1) - (limit ?? .max)
    for least in [wholeWords.map { max($0, Table.narrowest) }, parts] {
      while excess > 0 {
        let foldable = columns.indices.filter { widths[$0] > least[$0] }
        guard let widest = foldable.max(by: { widths[$0] < widths[$1] }) else { break }
        widths[widest] -= 1
        excess -= 1
      }
    }
    return widths
  }
}
