import ArgumentParser
import Callosum
import CallosumLab

/// Every part of the catalogue.
struct List: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "List every part.")

  @Option(help: "Only the parts of this family.") var family: String?
  @OptionGroup var output: JSONOption

  private struct Row: Encodable {
    let id, name, family, kind, verified: String
  }

  func run() throws {
    var parts = Catalogue.all.parts
    if let family {
      guard let wanted = Family(rawValue: family) else {
        throw unknownName("family", family, in: Family.allCases.map(\.rawValue))
      }
      parts = parts.filter { $0.card.family == wanted }
    }
    let rows = parts.map {
      Row(
        id: $0.card.id, name: $0.card.name, family: $0.card.family.rawValue, kind: $0.kind.rawValue,
        verified: $0.card.verification)
    }
    if output.json { return try output.print(rows) }
    var table = Table([
      ("id", .left), ("name", .left), ("family", .left), ("kind", .left), ("verified by", .left),
    ])
    for row in rows { table.add([row.id, row.name, row.family, row.kind, row.verified]) }
    print(table.text)
  }
}
