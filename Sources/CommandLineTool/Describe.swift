import ArgumentParser
import Callosum
import CallosumLab

/// One part: what it is, its settings, its parameters, what it costs.
struct Describe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Describe a part: card, settings, parameters and their shapes, cost.")

  @Argument(help: "Id of the part; see 'callosum list'.") var id: String
  @Option(help: "Settings as JSON, such as '{\"heads\": 8}'.") var config: String?
  @Option(parsing: .unconditional, help: "Numbers per token of the slot.") var width = 64
  @Option(help: "Tokens as rows x columns of a grid.") var grid = "7x7"
  @OptionGroup var output: JSONOption

  private struct ParameterRow: Encodable {
    let name: String
    let shape: [Int]
  }

  private struct Description: Encodable {
    let card: Card
    let kind: String
    let isCausal, needsGrid: Bool
    let defaults: JSONValue
    let slot: [String: Int]
    let parameters: [ParameterRow]
    let parameterCount: Int
    let multiplyAccumulates: Int
  }

  func run() throws {
    let part = try Catalogue.all.part(id)
    let slot = try slot()
    guard case .tokenMixer(let isCausal, let needsGrid, let build) = part.kind else {
      throw Mistake("\(id) is a \(part.kind.name), which has no slot of tokens")
    }
    var random = RandomGenerator(seed: 1)
    let module = try build(try config.map { try parsedJSON($0, option: "--config") }, slot, &random)
    let parameters = module.parameters()
    let description = Description(
      card: part.card, kind: part.kind.name, isCausal: isCausal, needsGrid: needsGrid,
      defaults: part.defaults, slot: ["width": slot.width, "tokens": slot.tokens],
      parameters: parameters.map { ParameterRow(name: $0.name, shape: $0.value.shape) },
      parameterCount: module.parameterCount,
      multiplyAccumulates: countingMultiplyAccumulates {
        _ = module(Tensor.zeros([1, slot.tokens, slot.width]))
      })
    if output.json { return try output.print(description) }
    try show(description)
  }

  private func slot() throws -> TokenSlot {
    let sides = grid.split(separator: "x").compactMap { Int($0) }
    guard sides.count == 2, (sides + [width]).allSatisfy({ (1...10_000).contains($0) }) else {
      throw Mistake(
        "--width must be from 1 to 10000 and --grid rows x columns such as 7x7, got \(width) and '\(grid)'")
    }
    return TokenSlot(
      width: width, tokens: sides[0] * sides[1],
      grid: TokenSlot.Grid(rows: sides[0], columns: sides[1]))
  }

  private func show(_ description: Description) throws {
    let card = description.card
    print("\(card.name) (\(card.id)), a \(description.kind) of the family \(card.family.rawValue)")
    print("\(card.paper), \(card.year)\n\n\(card.summary)\n")
    print("Verified by: \(card.verification)")
    print(
      "Causal: \(description.isCausal ? "yes" : "no"); needs a grid: \(description.needsGrid ? "yes" : "no")")
    print("Settings and their defaults: \(try description.defaults.text())")
    print("\nIn a slot of \(grid) tokens with \(width) numbers each:")
    var table = Table([("parameter", .left), ("shape", .left)])
    for row in description.parameters { table.add([row.name, "\(row.shape)"]) }
    if !description.parameters.isEmpty { print(table.text) }
    print("\(description.parameterCount) parameters, \(description.multiplyAccumulates) multiply-accumulates")
  }
}
