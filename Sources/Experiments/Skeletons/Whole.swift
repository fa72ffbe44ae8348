import CallosumContracts
import CallosumNetworks
import CallosumTensors

extension Skeleton {
  /// Nothing around it: a part that maps a task's inputs to its answers by itself, taught by backpropagation.
  public static let whole = Skeleton(
    "whole", "The part is the whole network: the task's inputs go in and its answers come out.",
    settings: NoSettings.self,
    fit: { part, task in
      guard [.network, .fieldOperator].contains(part.kind) else { return .otherKind }
      do {
        var generator = RandomGenerator(seed: 1)
        _ = try WholePart(part, nil, for: task, using: &generator)
        return .good
      } catch { return .bad("\(error)") }
    }
  ) { part, settings, _, place, generator in
    let whole = try WholePart(part, settings, for: place.task, using: &generator)
    return GradientLearner(whole.module, place.training) { try whole($0) }
  }
}

/// Settings of what has none.
public struct NoSettings: Configuration {
  public init() {}
}

/// A part opened as a map from a task's inputs to its answers.
private struct WholePart {
  let module: any Module
  private let door: Door
  private let input, output: String

  init(
    _ part: Part, _ settings: JSONValue?, for task: any LearningTask, using generator: inout RandomGenerator
  ) throws {
    let id = part.card.id, shape = task.input.shape, width = task.objective.width
    guard case .values = task.input else {
      throw InvalidInput("\(id) takes numbers, but \(task.name) gives tokens of a vocabulary")
    }
    let slot =
      switch shape.count {
      case 3: Slot(width: shape[2], outputWidth: width, rows: shape[0], columns: shape[1])
      case 2: Slot(width: shape[1], outputWidth: width, tokens: shape[0])
      default: Slot(width: shape.last ?? 1, outputWidth: width, tokens: 1)
      }
    door = try part.door(settings, in: slot, using: &generator)
    let inputs = door.inputs.filter { !$0.isOptional }
    guard let module = door.module, inputs.count == 1, let first = door.outputs.first else {
      throw InvalidInput("\(id) is no map from one tensor to another, which \(task.name) asks for")
    }
    (self.module, input, output) = (module, inputs[0].name, first.name)
    let answer = task.positions + [width]
    try require(
      inputs[0].takes(shape) && first.takes(answer),
      "\(id) maps \(inputs[0].shapeText) to \(first.shapeText), but \(task.name) gives [batch] + \(shape) and asks "
        + "for [batch] + \(answer)")
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor {
    // What layers draw in training comes from the pass, not from here.
    var generator = RandomGenerator(seed: 0)
    guard let y = try door([input: x], using: &generator)[output] else {
      throw InvalidInput("the output '\(output)' is missing")
    }
    return y
  }
}

extension TensorPort {
  /// Whether a batch of examples of this shape fits.
  fileprivate func takes(_ example: [Int]) -> Bool {
    guard shape.count == example.count + 1, isDifferentiable else { return false }
    return zip(shape.dropFirst(), example).allSatisfy { extent, size in
      if case .fixed(let fixed) = extent { fixed == size } else { true }
    }
  }
}
