import ArgumentParser
import Callosum
import CallosumLab

/// Real data sets.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Data sets: what there is, where it was found, how to get it.",
    subcommands: [DataList.self])
}

struct DataList: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the data sets.")
  @OptionGroup var output: JSONOption

  private struct Row: Encodable {
    let id, name, summary, licence, source: String
    let found: String?
    let howToGet: String
  }

  func run() throws {
    let rows = DataSet.all.map {
      Row(
        id: $0.id, name: $0.name, summary: $0.summary, licence: $0.licence, source: $0.source,
        found: $0.folder, howToGet: $0.howToGet)
    }
    if output.json { return try output.print(rows) }
    for row in rows {
      print("\(row.id): \(row.name) (\(row.licence), \(row.source))\n  \(row.summary)")
      print(row.found.map { "  found in \($0)" } ?? "  not on this machine; get it with: \(row.howToGet)")
    }
  }
}
