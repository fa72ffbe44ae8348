import ArgumentParser
import Callosum
import CallosumLab
import CallosumTensors
import Foundation

/// Trains a composed network.
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network of regions and tracts that a YAML file describes.",
    discussion: """
      Weights, what the optimisers remember and the losses go to --output every half minute and at the \
      end, also after Ctrl-C. --resume goes on from there, to the same bits as without a break.
      """)

  @OptionGroup var options: BrainOptions
  @Option(parsing: .unconditional, help: "Training steps.") var steps = 600
  @Option(parsing: .unconditional, help: "Examples in a batch.") var batch = 64
  @Option(parsing: .unconditional, help: "Seed of weights and order.") var seed: UInt64 = 1
  @Option(help: "Where weights go; the name of the YAML file with .safetensors by default.")
  var output: String?
  @Flag(help: "Go on from what is stored in the output.") var resume = false
  @Flag(help: "Show no progress.") var quiet = false
  @OptionGroup var json: JSONOption

  private struct Result: Encodable {
    struct Point: Encodable {
      /// The last step of those averaged over.
      let step: Int
      let loss: Double
    }
    let brain: String?
    let task: String
    let seed: UInt64
    let parameters, steps: Int
    let isComplete: Bool
    let losses: [Point]
    let metric: String
    /// On examples that were not learned from; nil if the training was interrupted.
    let score: Double?
    let output: String
  }

  func run() throws {
    let path = output ?? stem + ".safetensors"
    try AtomicFile.checkWritable(path)
    let (file, task) = try options.open()
    var settings = BrainTraining.Settings()
    settings.steps = steps
    settings.batchSize = batch
    settings.schedule = .cosine(warmup: min(20, max(steps, 1) / 10), final: 0.02)
    let training = try file.located {
      try BrainTraining(file.plan, on: task, parts: .all, settings: settings, seed: seed)
    }
    if resume { try training.resume(from: path) }
    try teach(training, path)
    let score = training.isDone ? training.score(limit: 10_000) : nil
    let result = Result(
      brain: file.plan.name, task: task.id, seed: seed, parameters: training.brain.parameterCount,
      steps: training.step, isComplete: training.isDone, losses: curve(training.losses),
      metric: task.objective.metric, score: score?.mean, output: path)
    if json.json { try json.print(result) } else { show(result) }
    if !training.isDone {
      FileHandle.standardError.write(
        Data("Interrupted: --resume goes on after step \(training.step).\n".utf8))
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
  }

  /// Steps until all are done or somebody asks to stop, and stores what was reached.
  private func teach(_ training: BrainTraining, _ path: String) throws {
    let bar = ProgressBar(
      label: training.brain.plan.name ?? stem, total: training.settings.steps - training.step,
      unit: "steps", style: .standardError(quiet: quiet))
    Interruption.listen()
    var stored = monotonicSeconds()
    while !training.isDone, !Interruption.requested {
      try training.advance()
      bar.advance(by: 1)
      if monotonicSeconds() - stored > 30 {
        try training.save(to: path)
        stored = monotonicSeconds()
      }
    }
    try training.save(to: path)
    bar.finish()
  }

  private var stem: String { URL(fileURLWithPath: options.file).deletingPathExtension().lastPathComponent }

  /// Means over a tenth of the steps each.
  private func curve(_ losses: [Double]) -> [Result.Point] {
    let size = max(losses.count / 10, 1)
    return stride(from: 0, to: losses.count, by: size).map { start in
      let piece = losses[start..<min(start + size, losses.count)]
      return Result.Point(step: start + piece.count, loss: piece.reduce(0, +) / Double(piece.count))
    }
  }

  private func show(_ result: Result) {
    var table = Table([("step", .right), ("loss", .right)])
    for point in result.losses { table.add(["\(point.step)", Format.significant(point.loss)]) }
    print(table.text)
    print("\n\(Format.count(result.parameters)) parameters, \(result.steps) steps on \(result.task)")
    if let score = result.score { print("\(result.metric): \(Format.significant(score))") }
    print("Weights: \(result.output)")
  }
}
