import ArgumentParser
import Callosum
import CallosumTensors

/// Draws the wiring of a brain.
struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draw the wiring of a brain as SVG: regions, tracts, widths, parameters, rules.")

  @OptionGroup var options: BrainOptions
  @Option(help: "Where to draw it.") var output = "wiring.svg"

  func run() throws {
    try AtomicFile.checkWritable(output)
    let (file, task) = try options.open()
    let brain = try file.located {
      var random = RandomGenerator(seed: 1)
      return try Brain(file.plan, for: task, parts: .all, using: &random)
    }
    try AtomicFile.write(brain.picture(), to: output)
    print("Wiring: \(output)")
  }
}
