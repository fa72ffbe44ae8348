import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// Every part of the catalogue.
struct List: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "List every part, claim or task.")

  @Option(help: "Only the parts of this family.") var family: String?
  @Flag(help: "The claims that can be re-checked instead of the parts.") var claims = false
  @Flag(help: "The tasks that 'train' knows by name.") var tasks = false
  @Flag(help: "The papers of the parts, as BibTeX.") var bibliography = false
  @OptionGroup var output: JSONOption

  private struct Row: Encodable {
    let id, name, family, kind, verified, paper: String
    let authors: [String]
    let year: Int
    let link: String?
  }

  private struct ClaimRow: Encodable {
    let id, family, claim, paper: String
    let authors: [String]
    let year: Int
    let link: String?
  }

  func run() throws {
    let wanted = try family.map { try named("family", $0, as: Family.self) }
    if tasks { return try listTasks() }
    if bibliography { return try listPapers(wanted) }
    try claims
      ? listClaims(Program.catalogue.claims.filter { wanted == nil || $0.card.family == wanted })
      : listParts(Program.catalogue.parts.filter { wanted == nil || $0.card.family == wanted })
  }

  private func listTasks() throws {
    if output.json {
      return try output.print(Program.catalogue.tasks.map { ["id": $0.id, "name": $0.name] })
    }
    var table = Table([("id", .left), ("name", .left)])
    for task in Program.catalogue.tasks { table.add([task.id, task.name]) }
    table.show()
  }

  private func listPapers(_ family: Family?) throws {
    let cards = Program.catalogue.parts.map(\.card).filter { family == nil || $0.family == family }
    let papers = Paper.bibliography(cards.map(\.paper))
    if output.json { return try output.print(papers) }
    Terminal.say(lines: papers.map(\.bibTeX).joined(separator: "\n\n"))
  }

  private func listClaims(_ claims: [Claim]) throws {
    let rows = claims.map { claim in
      let paper = claim.card.paper
      return ClaimRow(
        id: claim.id, family: claim.card.family.rawValue, claim: claim.sentence, paper: paper.title,
        authors: paper.authors, year: paper.year, link: paper.link)
    }
    if output.json { return try output.print(rows) }
    var table = Table([("id", .left), ("family", .left), ("claim", .left), ("paper", .left)])
    for row in rows { table.add([row.id, row.family, row.claim, "\(row.paper), \(row.year)"]) }
    table.show()
  }

  private func listParts(_ parts: [Part]) throws {
    let rows = parts.map { part in
      let card = part.card
      return Row(
        id: card.id, name: card.name, family: card.family.rawValue, kind: part.kind.rawValue,
        verified: card.verification, paper: card.paper.title, authors: card.paper.authors,
        year: card.paper.year, link: card.paper.link)
    }
    if output.json { return try output.print(rows) }
    var table = Table([
      ("id", .left), ("name", .left), ("family", .left), ("kind", .left), ("verified by", .left),
    ])
    for row in rows { table.add([row.id, row.name, row.family, row.kind, row.verified]) }
    table.show()
  }
}
