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
  @Option(parsing: .unconditional, help: "Numbers per token that come in; 64 by default.") var width: Int?
  @Option(parsing: .unconditional, help: "Numbers per token that go out; those that come in by default.")
  var outputWidth: Int?
  @Option(parsing: .unconditional, help: "Tokens of a sequence, instead of a grid.") var tokens: Int?
  @Option(help: "Tokens as rows x columns of a grid; 7x7 by default.") var grid: String?
  @Option(parsing: .unconditional, help: "Seed of the initial weights.") var seed: UInt64 = 1

  /// The part as built from these options. Where none says in which place, and it does not suit the usual one,
  /// in one that it was tried in.
  func open() throws -> (part: Part, slot: Slot, door: Door) {
    try fromCommandLine {
      try require(
        !BrainOptions.isPlan(id),
        "\(id.clipped) is a brain, not a part: 'callosum show' draws it, 'callosum train' trains it")
      let part = try Program.catalogue.part(id)
      let settings = try config.map { try parsedJSON($0, option: "--config", example: part.exampleSettings) }
      func built(in slot: Slot) throws -> (part: Part, slot: Slot, door: Door) {
        var random = RandomGenerator(seed: seed)
        return (part, slot, try part.door(settings, in: slot, using: &random))
      }
      do { return try built(in: slot()) } catch let error as InvalidInput {
        let isFree = width == nil && outputWidth == nil && tokens == nil && grid == nil
        let elsewhere = isFree ? part.trials.lazy.compactMap { try? built(in: $0.slot) }.first : nil
        guard let elsewhere else { throw error }
        return elsewhere
      }
    }
  }

  private func slot() throws -> Slot {
    for (name, value) in [("--width", width), ("--output-width", outputWidth), ("--tokens", tokens)] {
      guard let value else { continue }
      try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
    }
    let width = width ?? 64, grid = grid ?? "7x7"
    if let tokens { return Slot(width: width, outputWidth: outputWidth, tokens: tokens) }
    let sides = grid.split(separator: "x").compactMap { Int($0) }
    guard sides.count == 2, sides.allSatisfy({ (1...10_000).contains($0) }) else {
      throw InvalidInput("--grid must be rows x columns such as 7x7, is '\(grid.clipped)'")
    }
    return Slot(width: width, outputWidth: outputWidth, rows: sides[0], columns: sides[1])
  }
}

extension Part {
  /// Its first setting, as somebody would give it.
  fileprivate var exampleSettings: String {
    guard let first = settings.first(where: { $0.standard != nil }), let value = first.standard else {
      return "{}"
    }
    let keys = first.path.split(separator: ".").map(String.init)
    let whole = keys.reversed().reduce(value) { JSONValue.object([$1: $0]) }
    return (try? whole.line()) ?? "{}"
  }
}
