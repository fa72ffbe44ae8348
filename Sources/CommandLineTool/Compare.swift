import ArgumentParser
import CallosumContracts
import CallosumLab
import CallosumTensors
import Foundation

/// Trains parts or brains on the same task at equal size and budget and shows which does better.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train parts on a task at equal size and budget; print a table and write a report.",
    discussion: """
      The default compares four token mixers on Fashion-MNIST with a budget for a first look. --full \
      trains for twenty times as many steps on a wider network, with mirrored images.

      An arm is a part, a part with settings ('delta-net{heads: 4}'), or a composed network (a YAML file). \
      What stands around a part follows from its kind and the task; 'callosum list --tasks' shows the tasks. \
      Several tasks give a table of arms by tasks.

      Every run is kept; see 'callosum runs'. Ctrl-C ends with what was reached, and --resume goes on from \
      there, to the same figures as if nothing had happened. The exit code is 1 if a run diverged.
      """)

  @Option(help: "What to learn; several tasks separated by commas.") var task = "fashion-mnist"
  @Option(help: "The arms, separated by commas; see 'callosum list'.")
  var parts = "average-pooling,softmax-attention,spatial-mlp,depthwise-convolution"
  @Option(help: "What arms are made equal in: parameters, macs, seconds or none.") var match = "parameters"
  @Option(help: "What is chosen for each arm on validation data: learning-rate, weight-decay, or both.")
  var tune: String?
  @Option(parsing: .unconditional, help: "Seeds of each trial of --tune.") var tuneSeeds = 1
  @Flag(help: "Train to a good accuracy instead of a first look (about two hours).") var full = false
  @Option(parsing: .unconditional, help: "Training steps of each run; 600 by default.") var steps: Int?
  @Option(parsing: .unconditional, help: "Runs of each arm, from different random seeds.") var seeds = 3
  @Option(parsing: .unconditional, help: "Examples in a batch.") var batch: Int?
  @Option(parsing: .unconditional, help: "Numbers per token.") var width: Int?
  @Option(parsing: .unconditional, help: "Blocks of the network.") var depth: Int?
  @Option(parsing: .unconditional, help: "Side of a patch in pixels.") var patch: Int?
  @Option(parsing: .unconditional, help: "Learning rate at its highest.") var learningRate: Double?
  @Option(help: "Settings of parts as JSON, by id: '{\"softmax-attention\": {\"heads\": 8}}'.")
  var config: String?
  @Option(help: "Settings of what stands around parts, by its id: '{\"backbone\": {\"readout\": \"last\"}}'.")
  var skeleton: String?
  @Option(help: "Go on with an interrupted comparison: its number in 'callosum runs list'.")
  var resume: Int64?
  @Option(help: "Where to write the report; of several tasks, NAME-TASK.html for each.")
  var report = "comparison.html"
  @Flag(help: "Show no progress.") var quiet = false
  @OptionGroup var place: StoreOption
  @OptionGroup var output: JSONOption

  func run() throws {
    let tasks = try resume == nil ? self.tasks() : [task]
    try checkFiles(
      reading: brains.map { ("--parts", $0) },
      writing: tasks.map { ("--report", reportPath($0, tasks.count)) },
      keeping: place)
    try checkFormat(of: report, by: "--report", "html")
    let plans = try resume.map { [("", try plan(of: $0))] } ?? self.plans(tasks)
    let store = try place.open()
    if !quiet { BusyMachine.warn() }
    Interruption.listen()
    var results: [Comparison] = []
    for (task, plan) in plans where !Interruption.requested {
      results.append(try compare(plan, reportPath(task, plans.count), in: store))
    }
    if results.count < plans.count {
      let others = plans.dropFirst(results.count).map(\.0)
      Terminal.remark("Not begun: \(Format.list(others)); name what is left with --task.")
    }
    if output.json {
      let texts = try results.map { try $0.json() }
      Terminal.say(
        json: plans.count == 1 ? texts.joined() : "[\(texts.joined(separator: ",\n"))]")
    } else if plans.count > 1 {
      Terminal.say()
      ComparisonMatrix(results).table.show()
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
    if results.contains(where: \.hasDiverged) { throw ExitCode(1) }
  }

  /// Files of brains among the arms.
  private var brains: [String] { resume == nil ? ArmChoice.files(in: parts) : [] }

  private func compare(_ plan: ComparisonPlan, _ path: String, in store: RunStore) throws -> Comparison {
    let bar = ProgressBar(
      label: "preparing", total: plan.totalExamples, unit: "examples", style: .standardError(quiet: quiet))
    defer { bar.finish() }
    let (id, result) = try plan.run(
      in: store, command: Program.commandLine, resuming: resume,
      observer: ComparisonPlan.Observer(
        started: { name, seed in bar.label = "\(name), seed \(seed)" }, progress: { bar.advance(by: $0) },
        answering: { bar.show($0, $1, of: $2) },
        isCancelled: { Interruption.requested }))
    bar.finish()
    try Report(result).write(to: path)
    if !output.json {
      result.table.show()
      Terminal.say()
      Terminal.say(Finding(result).headline)
      for note in result.notes { Terminal.say(note) }
      Terminal.say()
      Terminal.say("Report: \(path)")
      Terminal.say("Kept as run \(id); see 'callosum runs show \(id)'")
    }
    if result.wasInterrupted {
      Interruption.say(
        "the figures are of the runs that were complete; 'callosum compare --resume \(id)' goes on")
    }
    return result
  }

  private func reportPath(_ task: String, _ count: Int) -> String {
    guard count > 1 else { return report }
    let file = URL(fileURLWithPath: report)
    return file.deletingPathExtension().path + "-\(task)."
      + (file.pathExtension.isEmpty ? "html" : file.pathExtension)
  }

  /// The plan of a comparison that was interrupted.
  private func plan(of id: Int64) throws -> ComparisonPlan {
    let fresh = try Compare.parse([])
    let isChanged =
      task != fresh.task || parts != fresh.parts || seeds != fresh.seeds || match != fresh.match || full
      || [steps, batch, width, depth, patch].contains { $0 != nil } || learningRate != nil
      || tuneSeeds != fresh.tuneSeeds || [tune, config, skeleton].contains { $0 != nil }
    try fromCommandLine {
      try require(!isChanged, "--resume takes all settings from the run; leave out the others")
    }
    let store = try place.holdingRuns()
    let plan = try ComparisonPlan(of: id, in: store, catalogue: Program.catalogue)
    Terminal.remarkOtherThreads(try store.run(id))
    return plan
  }

  /// Ids of the tasks.
  private func tasks() throws -> [String] {
    let tasks = words(task)
    guard !tasks.isEmpty else { throw UsageError("--task names no task; see 'callosum list --tasks'") }
    for (position, id) in tasks.enumerated() where tasks[..<position].contains(id) {
      throw UsageError("--task names '\(id)' twice")
    }
    return tasks
  }

  private func plans(_ tasks: [String]) throws -> [(task: String, plan: ComparisonPlan)] {
    let configurations = try fromCommandLine(configurations)
    // The file of a brain that is wrong is no fault of the command line.
    let arms = try ArmChoice.list(parts, configurations)
    return try fromCommandLine {
      let settings = try settings()
      return try tasks.map { id in
        (
          id,
          try ComparisonPlan(
            task: try Program.catalogue.task(id), arms: arms, settings: settings, seeds: seeds,
            catalogue: Program.catalogue)
        )
      }
    }
  }

  private func words(_ list: String) -> [String] {
    list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private func settings() throws -> ComparisonPlan.Settings {
    var settings = ComparisonPlan.Settings()
    guard let rule = Matching.Rule(rawValue: match) else {
      throw unknownName("--match", match, in: Matching.Rule.allCases.map(\.rawValue))
    }
    settings.match = rule
    settings.tune = try words(tune ?? "").map { word in
      guard let setting = Tuning.Setting(rawValue: word) else {
        throw unknownName("setting in --tune", word, in: Tuning.Setting.allCases.map(\.rawValue))
      }
      return setting
    }
    settings.tuningSeeds = tuneSeeds
    if let skeleton { settings.skeletons = try table(skeleton, option: "--skeleton") }
    var backbone: [String: JSONValue] = [:]
    if full {
      backbone["width"] = 96
      settings.training.steps = 12_000
      settings.training.mirror = true
      settings.training.schedule = .cosine(warmup: 200, final: 0.01)
    }
    if let steps {
      settings.training.steps = steps
      settings.training.schedule = .cosine(warmup: min(40, max(steps, 1) / 10), final: 0.01)
      // Of a short training there is not as much to see on the way.
      settings.training.evaluations = min(10, max(3, steps / 10))
    }
    if let batch { settings.training.batchSize = batch }
    if let learningRate { settings.training.learningRate = learningRate }
    for (name, value) in [("width", width), ("depth", depth), ("patch", patch)] {
      if let value { backbone[name] = .integer(value) }
    }
    if !backbone.isEmpty {
      var own: [String: JSONValue] =
        if case .object(let own)? = settings.skeletons["backbone"] { own } else { [:] }
      own.merge(backbone) { $1 }
      settings.skeletons["backbone"] = .object(own)
    }
    return settings
  }

  /// Settings of parts by id.
  private func configurations() throws -> [String: JSONValue] {
    guard let config else { return [:] }
    let table = try table(config, option: "--config")
    let ids = words(parts).map { String($0.prefix { $0 != "{" }) }
    for id in table.keys where !ids.contains(id) { throw unknownName("part in --config", id, in: ids) }
    return table
  }

  private func table(_ text: String, option: String) throws -> [String: JSONValue] {
    let isConfig = option == "--config"
    let example = isConfig ? #"{"softmax-attention": {"heads": 8}}"# : #"{"backbone": {"width": 32}}"#
    guard case .object(let table) = try parsedJSON(text, option: option, example: example) else {
      throw InvalidInput(
        "\(option) needs a JSON object with the ids of \(isConfig ? "parts" : "skeletons") as keys")
    }
    return table
  }
}
