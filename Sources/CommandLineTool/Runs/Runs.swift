import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// What was run.
struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What was run: list, show, compare, delete, export.",
    discussion: """
      Every comparison, claim and training is kept with its settings, seed, machine and curves. A run may \
      have parts: a comparison has one for each arm and seed. A run whose process is gone is shown as \
      interrupted.
      """,
    subcommands: [
      RunsList.self, RunsShow.self, RunsCompare.self, RunsDelete.self, RunsExport.self,
    ])
}

struct RunsList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List runs, oldest first.")

  @Flag(help: "List the parts of runs too.") var all = false
  @Option(help: "Only runs of this kind: comparison, claim, training or inspection.") var kind: String?
  @Option(help: "Only runs about this task, claim or part.") var subject: String?
  @Option(help: "Only runs that are running, complete, interrupted or failed.") var status: String?
  @Option(parsing: .unconditional, help: "Only so many, the newest.") var limit: Int?
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  func run() throws {
    var filter = RunFilter(all ? .anywhere : .top, subject: subject)
    filter.kind = try kind.map { try named("kind", $0) }
    filter.status = try status.map { try named("status", $0) }
    if let limit, limit < 1 { throw UsageError("--limit must be at least 1, is \(limit)") }
    let store = try place.existing()
    var runs = try store?.runs(filter) ?? []
    if let limit { runs = runs.suffix(limit) }
    if output.json { return try output.print(JSONValue.array(runs.map(RunDocument.json(of:)))) }
    guard let store, !runs.isEmpty else {
      let path = store?.path ?? place.store ?? RunStore.defaultPath()
      let isAll = [kind, subject, status].allSatisfy { $0 == nil }
      return Terminal.say(
        isAll
          ? "No runs in \(path) yet; 'callosum compare', 'reproduce' and 'train' make some."
          : "No such runs in \(path).")
    }
    var table = Table([
      ("run", .right), ("kind", .left), ("subject", .left), ("arm", .left), ("seed", .right),
      ("budget", .left), ("started", .left), ("status", .left), ("found", .left),
    ])
    for run in runs {
      table.add([
        "\(run.id)", run.kind.rawValue, run.subject, run.arm ?? "", run.seed.map { "\($0)" } ?? "",
        run.budget, RunsList.minute(run.started), run.status.rawValue, try RunsList.found(run, store),
      ])
    }
    table.show()
  }

  /// In local time, "2026-11-21 14:05".
  static func minute(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd HH:mm"
    return formatter.string(from: date)
  }

  /// How many parts are complete and how many only begun, or the first result.
  private static func found(_ run: RunRecord, _ store: RunStore) throws -> String {
    let parts = try store.runs(RunFilter(.partOf(run.id)))
    if !parts.isEmpty {
      let complete = parts.count { $0.status == .complete }
      return "\(Format.count(complete, "part")) complete"
        + (complete < parts.count ? ", \(parts.count - complete) begun" : "")
    }
    let first = try store.results(of: run.id).min { $0.key < $1.key }
    return first.map { "\($0.key) \(Format.significant($0.value))" } ?? run.message ?? ""
  }
}
