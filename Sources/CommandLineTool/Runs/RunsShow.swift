import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

struct RunsShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one run: settings, machine, results, parts.",
    discussion: "--report writes the report of a comparison anew, from what was kept.")

  @Argument(help: "Number of the run.") var id: Int64
  @Option(help: "Where to write the report of a comparison.") var report: String?
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  func run() throws {
    try checkFiles(writing: report.map { [("--report", $0)] } ?? [], keeping: place)
    let store = try place.holdingRuns()
    let record = try store.run(id)
    if let report { try Report(try Comparison(run: id, in: store)).write(to: report) }
    let document = try RunDocument(record, in: store)
    if output.json { return try output.print(try document.json()) }
    var table = Table([("", .left), ("", .left)])
    for (name, value) in rows(document) where !value.isEmpty { table.add([name, value]) }
    table.show()
    if !document.results.isEmpty {
      var results = Table([("result", .left), ("value", .right)])
      for (metric, value) in document.results.sorted(by: { $0.key < $1.key }) {
        results.add([metric, Format.significant(value)])
      }
      Terminal.say()
      results.show()
    }
    if document.attachments.contains(where: { $0.name == "comparison" }) {
      Terminal.say()
      try Comparison(run: id, in: store).table.show()
    } else if !document.parts.isEmpty {
      Terminal.say()
      Terminal.say(lines: try RunTable([id], in: store).text(columns: Terminal.width))
    }
    if let report {
      Terminal.say()
      Terminal.say("Report: \(report)")
    }
  }

  private func rows(_ document: RunDocument) -> [(String, String)] {
    let run = document.run
    return [
      ("Run", "\(run.id)" + (run.parent.map { ", part of \($0)" } ?? "")),
      ("Kind", run.kind.rawValue), ("Subject", run.subject), ("Arm", run.arm ?? ""),
      ("Seed", run.seed.map { "\($0)" } ?? ""), ("Budget", run.budget),
      ("Status", run.status.rawValue + (run.message.map { ": \($0)" } ?? "")),
      ("Started", RunsList.minute(run.started)), ("Finished", run.finished.map(RunsList.minute) ?? ""),
      ("Parameters", document.sizes.map { Format.count($0.parameters) } ?? ""),
      ("Parts", document.parts.map { "\($0.id)" }.joined(separator: " ")),
      ("Points", document.points.isEmpty ? "" : Format.count(document.points.count)),
      ("Command", run.command),
    ] + run.machine.rows
  }
}

struct RunsCompare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Put runs side by side: results and the settings they differ in.",
    discussion: "A run with parts has a row for each arm, with means and 95 % intervals over its seeds.")

  @Argument(help: "Numbers of runs.") var runs: [Int64]
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  func run() throws {
    let table = try RunTable(runs, in: try place.holdingRuns())
    if output.json { return try output.print(table.json) }
    Terminal.say(lines: table.text(columns: Terminal.width))
  }
}

struct RunsDelete: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete runs with their parts, curves, pictures and checkpoints. Verdicts stay.")

  @Argument(help: "Numbers of runs.") var runs: [Int64]
  @OptionGroup var place: StoreOption

  func run() throws {
    try place.holdingRuns().delete(runs)
    Terminal.say("Deleted \(Format.list(runs.map { "\($0)" })).")
  }
}

struct RunsExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write runs and their parts with all points as CSV, or with --json.",
    discussion: """
      CSV has a line for each point and, with step and seconds empty, one for each result. Without numbers \
      all runs are written.
      """)

  @Argument(help: "Numbers of runs.") var runs: [Int64] = []
  @Option(name: [.long, .customLong("to")], help: "Where to write; else to standard output.")
  var output: String?
  @OptionGroup var place: StoreOption
  @OptionGroup var json: JSONOption

  func run() throws {
    try checkFiles(writing: output.map { [("--output", $0)] } ?? [], keeping: place)
    let store = try place.holdingRuns()
    let chosen =
      try runs.isEmpty
      ? store.runs() : runs.flatMap { [try store.run($0)] + (try store.runs(RunFilter(.partOf($0)))) }
    let documents = try chosen.map { try RunDocument($0, in: store) }
    let text =
      json.json
      ? try JSONValue.array(documents.map { try $0.json() }).text()
      : (RunDocument.csvHeading + documents.map(\.csv).joined()).trimmingCharacters(in: .newlines)
    if let output { return try AtomicFile.write(text + "\n", to: output) }
    if json.json { Terminal.say(json: text) } else { Terminal.say(lines: text) }
  }
}
