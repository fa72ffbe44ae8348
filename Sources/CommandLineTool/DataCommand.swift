import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// Real data sets.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Data sets: what there is, where it was found, how to get it.",
    subcommands: [DataList.self, DataGet.self])
}

struct DataList: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the data sets.")
  @OptionGroup var output: JSONOption

  private struct Row: Encodable {
    let id, name, summary, licence, source: String
    let found: String?
    let howToGet: String
    let files: [String]
    let bytes: Int
  }

  func run() throws {
    let rows = DataSet.all.map {
      Row(
        id: $0.id, name: $0.name, summary: $0.summary, licence: $0.licence, source: $0.source,
        found: $0.folder, howToGet: $0.howToGet, files: $0.files.map(\.address),
        bytes: $0.files.reduce(0) { $0 + $1.size })
    }
    if output.json { return try output.print(rows) }
    for row in rows {
      Terminal.say("\(row.id): \(row.name) (\(row.licence), \(row.source))")
      Terminal.say("  \(row.summary)")
      Terminal.say(
        row.found.map { "  found in \($0)" } ?? "  not on this machine; get it with: \(row.howToGet)")
      let megabytes = (Double(row.bytes) / 1e5).rounded() / 10
      let from = Set(row.files.map { $0.prefix(through: $0.lastIndex(of: "/") ?? $0.startIndex) }).sorted()
      Terminal.say(
        "  \(Format.count(row.files.count, "file")), \(megabytes) MB, from \(from.joined(separator: " "))"
      )
    }
  }
}

struct DataGet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "Fetch a data set from its public address, or go on with a fetch that broke off.",
    discussion: """
      Goes to the folder that CALLOSUM_DATA names, or to the user's data folder. Files are checked by SHA-256. \
      CALLOSUM_MIRROR=ADDRESS takes them from ADDRESS/NAME/FILE instead.
      """)
  @Argument(help: "Its name, as 'callosum data list' shows it.")
  var name: String
  @Flag(help: "Show no progress.")
  var quiet = false
  @OptionGroup var output: JSONOption

  private struct Result: Encodable {
    let id, folder: String
    let fetched: [String]
  }

  func run() throws {
    guard let set = DataSet.named(name) else {
      throw UsageError(unknownName("data set", name, in: DataSet.all.map(\.id)))
    }
    let total = set.files.reduce(0) { $0 + $1.size }
    let bar = FetchProgress(label: set.name, bytes: total, quiet: quiet)
    let (folder, fetched) = try set.get { bar.show(bytes: $0) }
    bar.end()
    if output.json {
      return try output.print(Result(id: set.id, folder: folder, fetched: fetched.map(\.address)))
    }
    Terminal.say("\(set.name) is in \(folder)\(fetched.isEmpty ? "; there was nothing to fetch" : "")")
  }
}

/// A progress bar that another thread may move.
private final class FetchProgress: @unchecked Sendable {
  private let bar: ProgressBar
  private let lock = NSLock()
  private var shown = 0

  init(label: String, bytes: Int, quiet: Bool) {
    bar = ProgressBar(
      label: label, total: bytes / 1000, unit: "kB", style: .standardError(quiet: quiet))
  }

  func show(bytes: Int) {
    lock.withLock {
      guard bytes / 1000 > shown else { return }
      bar.advance(by: bytes / 1000 - shown)
      shown = bytes / 1000
    }
  }

  func end() { lock.withLock { bar.finish() } }
}
