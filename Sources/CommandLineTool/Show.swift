import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// Draws what a mechanism does, or the wiring of a brain.
struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw what a mechanism does, or how a brain is wired.",
    discussion: """
      The id of a claim ('callosum list --claims') gives a page that shows the mechanism at work; a YAML \
      file gives the wiring of that brain as SVG: regions, tracts, widths, parameters, rules.
      """)

  @OptionGroup var options: BrainOptions
  @Option(help: "Where to draw it; ID.html or wiring.svg by default.") var output: String?

  func run() throws {
    let isBrain = BrainOptions.isPlan(options.file)
    try isBrain ? drawWiring(output ?? "wiring.svg") : drawMechanism(output ?? "\(options.file).html")
  }

  private func drawMechanism(_ path: String) throws {
    let part = try fromCommandLine { try Program.catalogue.part(options.file) }
    guard let picture = part.claim?.picture else {
      throw UsageError("\(part.card.id) has no picture; 'callosum list --claims' shows what has one")
    }
    try checkFiles(writing: [("--output", path)])
    try checkFormat(of: path, by: "--output", "html")
    let bar = ProgressBar(
      label: "\(part.card.id): what the picture shows is trained", total: 1000, unit: nil,
      style: .standardError(quiet: false))
    Interruption.listen()
    do {
      let drawn = try picture(bar.observer())
      bar.finish()
      try AtomicFile.write(PictureDrawing(drawn).page, to: path)
      Terminal.say("Picture: \(path)")
    } catch is CancellationError {
      bar.finish()
      throw ExitCode(Interruption.exitCode ?? 130)
    }
  }

  private func drawWiring(_ path: String) throws {
    try checkFiles(reading: [("the command", options.file)], writing: [("--output", path)])
    try checkFormat(of: path, by: "--output", "svg")
    let (file, task) = try options.open()
    let brain = try file.located {
      var random = RandomGenerator(seed: 1)
      return try Brain(file.plan, for: task, parts: Program.catalogue, using: &random)
    }
    try AtomicFile.write(brain.picture(), to: path)
    Terminal.say("Wiring: \(path)")
  }
}
