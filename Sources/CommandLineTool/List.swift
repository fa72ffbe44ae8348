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
  @OptionGroup var output: JSONOption

  private struct Row: Encodable {
    let id, name, family, kind, verified: String
  }

  private struct ClaimRow: Encodable {
    let id, family, claim, paper: String
    let year: Int
  }

  func run() throws {
    let wanted = try family.map { try named("family", $0, as: Family.self) }
    if tasks { return try listTasks() }
    try claims
      ? listClaims(Program.catalogue.claims.filter { wanted == nil || $0.card.family == wanted })
      : listParts(Program.catalogue.parts.filter { wanted == nil || $0.card.family == wanted })
  }

  private func listTasks() throws {
    if output.json { return try output.print(allTasks.map { ["id": $0.id, "name": $0.name] }) }
    var table = Table([("id", .left), ("name", .left)])
    for task in allTasks { table.add([task.id, task.name]) }
    table.show()
  }

  private func listClaims(_ claims: [Claim]) throws {
    let rows = claims.map {
      ClaimRow(
        id: $0.id, family: $0.card.family.rawValue, claim: $0.sentence, paper: $0.card.paper,
        year: $0.card.year)
    }
    if output.json { return try output.print(rows) }
    var table = Table([("id", .left), ("family", .left), ("claim", .left), ("paper", .left)])
    for row in rows { table.add([row.id, row.family, row.claim, "\(row.paper), \(row.year)"]) }
    table.show()
  }

  private func listParts(_ parts: [Part]) throws {
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
    table.show()
  }
}
