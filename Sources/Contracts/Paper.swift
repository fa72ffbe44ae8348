import Foundation

/// Where a mechanism was published.
public struct Paper: Encodable, Sendable, Equatable {
  public let title: String
  /// In the paper's order, given names first.
  public let authors: [String]
  public let year: Int
  /// Its page: the abstract at arXiv, or a DOI.
  public let link: String?

  public init(_ title: String, by authors: [String], year: Int, link: String?) {
    self.title = title
    self.authors = authors
    self.year = year
    self.link = link
  }

  /// For people, in one line.
  public var citation: String { "\(authors.joined(separator: ", ")): \(title), \(year)" }

  /// Surname, year and the first long word of the title: `vaswani2017attention`.
  public var key: String {
    func plain(_ word: Substring?) -> String {
      (word.map(String.init) ?? "").folding(options: [.diacriticInsensitive, .caseInsensitive], locale: nil)
        .filter { $0.isASCII && $0.isLetter }
    }
    let words: [Substring] = title.split { !$0.isLetter }
    let word = words.first { $0.count > 3 }
    return plain(authors.first?.split(separator: " ").last) + "\(year)" + plain(word)
  }

  /// An entry of a bibliography.
  public var bibTeX: String {
    func escaped(_ text: String) -> String { text.replacing(/[&%#_$]/) { "\\\($0.output)" } }
    let names = escaped(authors.joined(separator: " and "))
    let fields =
      [("title", "{\(escaped(title))}"), ("author", names), ("year", "\(year)")]
      + (link.map { [("url", $0)] } ?? [])
    let lines = fields.map { "  \($0) = {\($1)}" }.joined(separator: ",\n")
    return "@misc{\(key),\n\(lines)\n}"
  }
}

extension Paper {
  /// Each paper once, in the order of their keys.
  public static func bibliography(_ papers: some Sequence<Paper>) -> [Paper] {
    Dictionary(papers.map { ($0.key, $0) }) { first, _ in first }.values.sorted { $0.key < $1.key }
  }
}
