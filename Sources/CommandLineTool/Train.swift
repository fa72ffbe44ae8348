import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors
import Foundation

/// Trains a composed network.
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network of regions and tracts that a YAML file describes.",
    discussion: """
      The training is kept in the store as a run: curves, results, and every half minute, also after Ctrl-C, \
      a checkpoint. --resume goes on from there, to the same bits as without a break. The weights go to \
      --output at the end.
      """)

  @OptionGroup var options: BrainOptions
  @Option(parsing: .unconditional, help: "Training steps.") var steps = 600
  @Option(parsing: .unconditional, help: "Examples in a batch.") var batch = 64
  @Option(parsing: .unconditional, help: "Seed of weights and order.") var seed: UInt64 = 1
  @Option(help: "Where weights go; the name of the YAML file with .safetensors by default.")
  var output: String?
  @Flag(help: "Go on with the latest training of this file, task, seed and budget that was stopped.")
  var resume = false
  @Flag(help: "Show no progress.") var quiet = false
  @OptionGroup var place: StoreOption
  @OptionGroup var json: JSONOption

  private struct Result: Encodable {
    struct Point: Encodable {
      /// The last step of those averaged over.
      let step: Int
      let loss: Double
    }
    let run: Int64
    let brain: String?
    let task: String
    let seed: UInt64
    let parameters, steps: Int
    let isComplete: Bool
    let losses: [Point]
    let metric: String
    /// On examples that were not learned from; nil if the training was interrupted.
    let score: Double?
    /// Nil if the training was interrupted.
    let output: String?
  }

  func run() throws {
    try options.checkName()
    let path = output ?? stem + ".safetensors"
    try checkFiles(
      reading: [("the command", options.file)], writing: [("--output", path)], keeping: place)
    try checkFormat(of: path, by: "--output", "safetensors")
    let (file, whole) = try options.open()
    var settings = TrainingSettings()
    settings.steps = steps
    settings.batchSize = batch
    settings.schedule = .cosine(warmup: min(20, max(steps, 1) / 10), final: 0.02)
    let task = HoldingOut.from(whole, limit: settings.evaluationExamples)
    let trainer = try fromCommandLine { try Trainer(settings: settings, task: task) }
    var weights = RandomGenerator(seed: seed).stream("weights")
    let brain = try file.located {
      try Brain(file.plan, for: task, parts: Program.catalogue, using: &weights)
    }
    let learner = try file.located { try BrainLearner(brain) }
    learner.clipNorm = settings.clipNorm

    let run = try keptRun(file.plan, settings, task)
    try run.attach(wiring: brain.picture())
    if !quiet { BusyMachine.warn() }
    let bar = ProgressBar(
      label: file.plan.name ?? stem, total: steps * batch, unit: "examples",
      style: .standardError(quiet: quiet))
    Interruption.listen()
    let outcome = try trainer.train(
      learner, seed: seed, keptAs: run, progress: { bar.advance(by: $0) },
      answering: { bar.show($0, $1, of: $2) },
      isCancelled: { Interruption.requested })
    bar.finish()
    let isComplete = outcome.end == .complete
    if isComplete { try brain.save(to: path) }
    let losses = outcome.points.filter { $0.metric == "loss" }
    let result = Result(
      run: run.id, brain: file.plan.name, task: task.id, seed: seed, parameters: brain.parameterCount,
      steps: outcome.steps, isComplete: isComplete,
      losses: losses.map { Result.Point(step: $0.step, loss: $0.value) },
      metric: task.objective.metric.name, score: outcome.score, output: isComplete ? path : nil)
    if json.json { try json.print(result) } else { show(result) }
    if outcome.end == .diverged {
      throw TrainingDiverged(step: outcome.steps)
    }
    if !isComplete {
      Interruption.say(
        "the same command with --resume goes on with run \(run.id) after step \(outcome.steps)")
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
  }

  /// A new run in the store, or the one to go on with.
  private func keptRun(
    _ plan: BrainPlan, _ settings: TrainingSettings, _ task: any LearningTask
  ) throws -> RunWriter {
    let store = try place.open()
    var record = RunRecord(
      kind: .training, subject: stem, seed: seed, budget: "\(steps) steps of \(batch)",
      configuration: .object([
        "brain": try JSONValue(encoding: plan), "training": try JSONValue(encoding: settings),
        "task": .string(task.id),
      ]), command: Program.commandLine)
    record.arm = plan.name
    guard resume else { return try store.begin(record) }
    let stopped = try store.runs(RunFilter(.top, kind: .training, subject: stem)).filter {
      [.interrupted, .failed].contains($0.status) && $0.seed == seed
        && $0.configuration == record.configuration
    }
    guard let latest = stopped.max(by: { $0.started < $1.started }) else {
      throw InvalidInput("no such training of \(stem) was stopped; leave out --resume")
    }
    Terminal.remarkOtherThreads(latest)
    return try store.resume(latest.id)
  }

  /// The loss was no number any more.
  private struct TrainingDiverged: Error, CustomStringConvertible {
    let step: Int
    var description: String {
      "the training diverged: its loss was no number after step \(step); a smaller learning rate may help"
    }
  }

  private var stem: String { URL(fileURLWithPath: options.file).deletingPathExtension().lastPathComponent }

  private func show(_ result: Result) {
    var table = Table([("step", .right), ("loss", .right)])
    for point in result.losses { table.add(["\(point.step)", Format.significant(point.loss)]) }
    table.show()
    Terminal.say()
    Terminal.say(
      "\(Format.count(result.parameters, "parameter")), \(Format.count(result.steps, "step")) on \(result.task)"
    )
    if let score = result.score { Terminal.say("\(result.metric): \(Format.significant(score))") }
    if let output = result.output { Terminal.say("Weights: \(output)") }
  }
}
