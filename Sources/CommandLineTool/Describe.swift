import ArgumentParser
import CallosumBrains
import CallosumContracts
import CallosumExperiments
import CallosumLab
import CallosumNetworks
import CallosumTasks
import CallosumTensors

/// One part: what it is, its settings, what goes in and out, its parameters, what it costs.
struct Describe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Describe a part: card, settings, inputs and outputs, parameters and their shapes, cost.")

  @OptionGroup var options: PartOptions
  @OptionGroup var output: JSONOption

  private struct ParameterRow: Encodable {
    let name: String
    let shape: [Int]
    let isLearned: Bool
  }

  private struct PortRow: Encodable {
    let name: String
    let shape: [String]
    let type: String
    let isOptional: Bool

    init(_ port: TensorPort) {
      name = port.name
      shape = port.shapeWords
      type = port.isDifferentiable ? "float32 or float64" : "int32"
      isOptional = port.isOptional
    }
  }

  /// The place that it was built in.
  private struct SlotRow: Encodable {
    let width, outputWidth, tokens: Int
    let grid: [Int]?

    init(_ slot: Slot) {
      (width, outputWidth, tokens) = (slot.width, slot.outputWidth, slot.tokens)
      grid = slot.grid.map { [$0.rows, $0.columns] }
    }

    var text: String {
      let tokens = grid.map { "\($0[0]) x \($0[1])" } ?? "\(tokens)"
      return "\(tokens) tokens of width \(width)" + (outputWidth == width ? "" : " to \(outputWidth)")
    }
  }

  private struct Description: Encodable {
    let card: Card
    let kind: String
    let isCausal, needsGrid: Bool
    let slot: SlotRow
    let defaults: JSONValue
    let settings: [Setting]
    let inputs, outputs: [PortRow]
    let parameters: [ParameterRow]
    let parameterCount: Int
    /// Of one call with one row, free axes as long as the slot.
    let multiplyAccumulates: Int
  }

  func run() throws {
    let (part, slot, door) = try options.open()
    let parameters = door.module?.parameters() ?? [], buffers = door.module?.buffers() ?? []
    var random = RandomGenerator(seed: 2)
    var sizes = ["batch": 1]
    for case .free(let axis) in door.inputs.flatMap(\.shape) where axis != "batch" {
      sizes[axis] = slot.tokens
    }
    let inputs = door.exampleInputs(sizes, using: &random)
    let description = Description(
      card: part.card, kind: part.kind.rawValue, isCausal: door.isCausal, needsGrid: part.needsGrid,
      slot: SlotRow(slot), defaults: part.defaults, settings: part.settings,
      inputs: door.inputs.map(PortRow.init),
      outputs: door.outputs.map(PortRow.init),
      parameters: parameters.map { ParameterRow(name: $0.name, shape: $0.value.shape, isLearned: true) }
        + buffers.map { ParameterRow(name: $0.name, shape: $0.value.shape, isLearned: false) },
      parameterCount: parameters.map(\.value.size).reduce(0, +),
      multiplyAccumulates: try countingMultiplyAccumulates { _ = try door(inputs, using: &random) })
    if output.json { return try output.print(description) }
    try show(description, of: part)
  }

  private func settings(_ settings: [Setting]) throws -> Table {
    var table = Table([("setting", .left), ("default", .left), ("meaning", .left)])
    for setting in settings {
      let choices = setting.choices.map { "One of \($0.joined(separator: ", "))." }
      let meaning = [setting.meaning, choices].compactMap { $0 }.joined(separator: " ")
      table.add([setting.path, try setting.standard?.line() ?? "", meaning])
    }
    return table
  }

  private func show(_ description: Description, of part: Part) throws {
    let card = description.card
    Terminal.say("\(card.name) (\(card.id)), \(part.kind.phrase) of the family \(card.family.rawValue)")
    for line in [card.paper.citation] + (card.paper.link.map { [$0] } ?? []) + ["", card.summary, ""] {
      Terminal.say(line)
    }
    Terminal.say("Verified by: \(card.verification)")
    Terminal.say(
      "Causal: \(description.isCausal ? "yes" : "no"); needs a grid: \(description.needsGrid ? "yes" : "no")")
    Terminal.say("Shown for: \(description.slot.text)")
    Terminal.say()
    if !description.settings.isEmpty {
      try settings(description.settings).show()
      Terminal.say()
    }
    var ports = Table([("tensor", .left), ("shape", .left), ("type", .left)])
    for (direction, rows) in [("in", description.inputs), ("out", description.outputs)] {
      for row in rows {
        let shape = "[\(row.shape.joined(separator: ", "))]"
        let optional = row.isOptional && direction == "in" ? ", optional" : ""
        ports.add(["\(direction) \(row.name)", shape, row.type + optional])
      }
    }
    ports.show()
    var table = Table([("parameter", .left), ("shape", .left)])
    for row in description.parameters {
      table.add([row.name + (row.isLearned ? "" : " (not learned)"), "\(row.shape)"])
    }
    if !description.parameters.isEmpty {
      Terminal.say()
      table.show()
    }
    Terminal.say()
    Terminal.say(
      "\(description.parameterCount) parameters,"
        + " \(description.multiplyAccumulates) multiply-accumulates")
  }
}
