import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// Trains parts in the same slot at equal budget and shows which does better.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train parts in the same network at equal budget; print a table and write a report.",
    discussion: """
      The default compares four token mixers on Fashion-MNIST with a budget for a first look. --full \
      trains for twenty times as many steps on a wider network, with mirrored images.

      Every run is kept; see 'callosum runs'. Ctrl-C ends with what was reached, and --resume goes on from \
      there, to the same figures as if nothing had happened.
      """)

  @Option(help: "What to learn.") var task = "fashion-mnist"
  @Option(help: "Ids of token mixers, separated by commas; see 'callosum list'.")
  var parts = "average-pooling,softmax-attention,spatial-mlp,depthwise-convolution"
  @Flag(help: "Train to a good accuracy instead of a first look (about two hours).") var full = false
  @Option(parsing: .unconditional, help: "Training steps of each run.") var steps: Int?
  @Option(parsing: .unconditional, help: "Runs of each part, from different random seeds.") var seeds = 3
  @Option(parsing: .unconditional, help: "Images in a batch.") var batch: Int?
  @Option(parsing: .unconditional, help: "Numbers per token.") var width: Int?
  @Option(parsing: .unconditional, help: "Blocks of the network.") var depth: Int?
  @Option(parsing: .unconditional, help: "Side of a patch in pixels.") var patch: Int?
  @Option(parsing: .unconditional, help: "Learning rate at its highest.") var learningRate: Double?
  @Option(help: "Settings of parts as JSON, by id: '{\"softmax-attention\": {\"heads\": 8}}'.")
  var config: String?
  @Option(help: "Go on with an interrupted comparison: its number in 'callosum runs list'.")
  var resume: Int64?
  @Option(help: "Where to write the report.") var report = "comparison.html"
  @Flag(help: "Show no progress.") var quiet = false
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  func run() throws {
    let plan = try resume.map(plan(of:)) ?? fromCommandLine(plan)
    try AtomicFile.checkWritable(report)
    let store = try place.open()
    if !quiet { BusyMachine.warn() }
    let bar = ProgressBar(
      label: "preparing", total: plan.totalImages, unit: "images",
      style: .standardError(quiet: quiet))
    Interruption.listen()
    let (id, result) = try plan.run(
      in: store, command: Program.commandLine, resuming: resume,
      started: { name, seed in bar.label = "\(name), seed \(seed) of \(plan.seedCount)" },
      progress: { bar.advance(by: $0) },
      isCancelled: { Interruption.requested })
    bar.finish()
    try Report(result).write(to: report)
    if output.json {
      print(try result.json())
    } else {
      result.table.show()
      print("\nReport: \(report)")
      print("Kept as run \(id); see 'callosum runs show \(id)'")
    }
    if result.wasInterrupted {
      Interruption.say(
        "the figures are of the runs that were complete; 'callosum compare --resume \(id)' goes on")
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
  }

  /// The plan of a comparison that was interrupted.
  private func plan(of id: Int64) throws -> ComparisonPlan {
    let fresh = try Compare.parse([])
    let isChanged =
      task != fresh.task || parts != fresh.parts || seeds != fresh.seeds || full || steps != nil
      || batch != nil || width != nil || depth != nil || patch != nil || learningRate != nil
      || config != nil
    try fromCommandLine {
      try require(!isChanged, "--resume takes all settings from the run; leave out the others")
    }
    return try ComparisonPlan(
      of: id, in: try place.holdingRuns(), task: Compare.task, catalogue: Program.catalogue)
  }

  private static func task(_ id: String) throws -> any ImageClassification {
    guard id == "fashion-mnist" else { throw unknownName("task", id, in: ["fashion-mnist"]) }
    return try FashionMNISTTask()
  }

  private func plan() throws -> ComparisonPlan {
    guard task == "fashion-mnist" else { throw unknownName("task", task, in: ["fashion-mnist"]) }
    let ids = parts.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    for (position, id) in ids.enumerated() where ids[..<position].contains(id) {
      throw InvalidInput("--parts names '\(id)' twice")
    }
    let mixers = Program.catalogue.parts.filter { $0.kind == .tokenMixer }.map(\.card.id)
    let chosen = try ids.map { id in
      guard let part = try? Program.catalogue.part(id) else { throw unknownName("part", id, in: mixers) }
      return part
    }
    var settings = ComparisonPlan.Settings()
    if full {
      settings.network.width = 96
      settings.training.steps = 12_000
      settings.training.mirror = true
      settings.training.schedule = .cosine(warmup: 200, final: 0.01)
    }
    if let steps {
      settings.training.steps = steps
      settings.training.schedule = .cosine(warmup: min(40, max(steps, 1) / 10), final: 0.01)
    }
    if let batch { settings.training.batchSize = batch }
    if let width { settings.network.width = width }
    if let depth { settings.network.depth = depth }
    if let patch { settings.network.patch = patch }
    if let learningRate { settings.training.learningRate = learningRate }
    return try ComparisonPlan(
      task: try FashionMNISTTask(), parts: chosen, settings: settings,
      partSettings: try partSettings(ids), seeds: seeds)
  }

  private func partSettings(_ ids: [String]) throws -> [String: JSONValue] {
    guard let config else { return [:] }
    guard case .object(let table) = try parsedJSON(config, option: "--config") else {
      throw InvalidInput("--config needs a JSON object with the ids of parts as keys")
    }
    for id in table.keys where !ids.contains(id) { throw unknownName("part in --config", id, in: ids) }
    return table
  }
}
