import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// Which part, with which settings, in which place: what commands on one part have in common.
struct PartOptions: ParsableArguments {
  @Argument(help: "Id of the part; see 'callosum list'.") var id: String
  @Option(help: "Settings as JSON, such as '{\"heads\": 8}'.") var config: String?
  @Option(parsing: .unconditional, help: "Numbers per token that come in.") var width = 64
  @Option(parsing: .unconditional, help: "Numbers per token that go out; those that come in by default.")
  var outputWidth: Int?
  @Option(parsing: .unconditional, help: "Tokens of a sequence, instead of a grid.") var tokens: Int?
  @Option(help: "Tokens as rows x columns of a grid.") var grid = "7x7"
  @Option(parsing: .unconditional, help: "Seed of the initial weights.") var seed: UInt64 = 1

  /// The part as built from these options.
  func open() throws -> (part: Part, slot: Slot, door: Door) {
    try fromCommandLine {
      let part = try Program.catalogue.part(id)
      let slot = try slot()
      var random = RandomGenerator(seed: seed)
      let door = try part.door(
        try config.map { try parsedJSON($0, option: "--config") }, in: slot, using: &random)
      return (part, slot, door)
    }
  }

  private func slot() throws -> Slot {
    for (name, value) in [("--width", width), ("--output-width", outputWidth), ("--tokens", tokens)] {
      guard let value else { continue }
      try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
    }
    if let tokens { return Slot(width: width, outputWidth: outputWidth, tokens: tokens) }
    let sides = grid.split(separator: "x").compactMap { Int($0) }
    guard sides.count == 2, sides.allSatisfy({ (1...10_000).contains($0) }) else {
      throw InvalidInput("--grid must be rows x columns such as 7x7, is '\(grid)'")
    }
    return Slot(width: width, outputWidth: outputWidth, rows: sides[0], columns: sides[1])
  }
}
