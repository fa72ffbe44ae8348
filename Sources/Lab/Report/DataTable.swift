/// A table that becomes a list on a narrow screen, where each cell stands under the name of its column and
/// empty ones are left out.
struct DataTable {
  /// What a row is about.
  let subject: String
  let columns: [Column]
  let rows: [Row]
  /// A class of the style sheet.
  var style = ""

  struct Column {
    let title: String
    /// The title as it stands above the column, if more than the title.
    var head: HTML?
  }

  struct Row {
    let title: HTML
    let cells: [Cell]
  }

  enum Cell {
    case text(String)
    case html(HTML)
    /// Nothing was measured.
    case none

    init(_ text: String?) { self = text.map(Cell.text) ?? .none }
  }

  var html: HTML {
    """
    <table class="\(style)">
    <thead><tr><th scope="col">\(subject)</th>\(columns.map(head))</tr></thead>
    <tbody>
    \(rows.map(row))
    </tbody>
    </table>
    """
  }

  private func head(_ column: Column) -> HTML {
    "<th scope=\"col\">\(column.head ?? "\(column.title)")</th>"
  }

  private func row(_ row: Row) -> HTML {
    let cells = zip(columns, row.cells).map { column, cell -> HTML in
      switch cell {
      case .text(let text): "<td data-label=\"\(column.title)\">\(Format.unbroken(text))</td>"
      case .html(let html): "<td data-label=\"\(column.title)\">\(html)</td>"
      case .none: "<td class=\"none\" data-label=\"\(column.title)\">–</td>"
      }
    }
    return "<tr><th scope=\"row\">\(row.title)</th>\(cells)</tr>"
  }
}
