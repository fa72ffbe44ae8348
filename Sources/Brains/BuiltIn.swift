import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Regions that need no catalogue.
public enum BuiltIn: String, Sendable, CaseIterable {
  /// Shows the input of the task.
  case input
  /// Units that add up what arrives: y = activation(x + b).
  case units
  /// y = activation(w x + b).
  case linear
  /// Two linear maps with GELU between them.
  case mlp

  /// The region as a layer; `input` is none of those.
  func layer(
    _ settings: JSONValue, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> any Layer {
    switch self {
    case .input: throw InvalidInput("input shows the task's input and cannot stand elsewhere")
    case .units:
      try slot.requireEqualWidths(rawValue)
      return Units(try .decoded(from: settings, for: rawValue), in: slot)
    case .linear:
      return LinearUnits(try .decoded(from: settings, for: rawValue), in: slot, using: &generator)
    case .mlp:
      let settings = try MLPSettings.decoded(from: settings, for: rawValue)
      return MLP(
        slot.width, hidden: settings.hidden > 0 ? settings.hidden : 4 * slot.width,
        outputs: slot.outputWidth, using: &generator)
    }
  }
}

/// What units do with what arrives.
public enum Activation: String, Codable, Sendable, CaseIterable {
  case none, relu, gelu, tanh, sigmoid

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .none: x
    case .relu: CallosumTensors.relu(x)
    case .gelu: CallosumTensors.gelu(x)
    case .tanh: CallosumTensors.tanh(x)
    case .sigmoid: CallosumTensors.sigmoid(x)
    }
  }
}

/// Settings of the built-ins `units` and `linear`.
struct UnitsSettings: Configuration {
  var activation = Activation.none
  var bias = true
}

/// Settings of the built-in `mlp`.
struct MLPSettings: Configuration {
  /// Hidden units; 0 for four times the width.
  var hidden = 0

  func validate() throws {
    try require((0...1_000_000).contains(hidden), "hidden must be from 0 to 1000000, is \(hidden)")
  }
}

/// y = activation(x + b). Parameter: `bias` [width], 0 at the start.
final class Units: Layer {
  @Parameter var bias: Tensor?
  private let activation: Activation

  init(_ settings: UnitsSettings, in slot: Slot) {
    bias = settings.bias ? .zeros([slot.width]) : nil
    activation = settings.activation
  }

  func forward(_ x: Tensor) -> Tensor { activation(bias.map { x + $0 } ?? x) }
}

/// y = activation(w x + b). Parameters: `weight` [outputs, inputs], `bias` [outputs].
final class LinearUnits: Layer {
  @Parameter var weight: Tensor
  @Parameter var bias: Tensor?
  private let activation: Activation

  init(_ settings: UnitsSettings, in slot: Slot, using generator: inout RandomGenerator) {
    let linear = Linear(slot.width, slot.outputWidth, bias: settings.bias, using: &generator)
    weight = linear.weight
    bias = linear.bias
    activation = settings.activation
  }

  func forward(_ x: Tensor) -> Tensor { activation(linear(x, weight: weight, bias: bias)) }
}

/// What a region of the part `input` shows: the input of the task, or a piece of it, as tokens.
///
/// Numbers [n] are one token, [length, n] are `length` tokens; an image [height, width, channels] is cut
/// into patches, which lie in a grid; whole numbers (tokens of a vocabulary) become learned vectors where
/// the region has a width, else ones among zeros.
final class InputView: Module {
  struct Settings: Configuration {
    /// Size of a patch of an image; 0 for the whole.
    var patchRows = 0
    var patchColumns = 0
    /// The piece of an image that is seen, from and up to; all if empty.
    var rows: [Int] = []
    var columns: [Int] = []
  }

  /// Learned vectors [vocabulary, width].
  let embedding: Embedding?
  let tokens, width: Int
  let grid: Slot.Grid?
  private let settings: Settings
  private let input: TaskInput

  /// - Throws: ``InvalidInput`` if the settings do not suit the input.
  init(
    _ json: JSONValue, input: TaskInput, width asked: Int?, using generator: inout RandomGenerator
  ) throws {
    var settings = try Settings.decoded(from: json, for: "input")
    self.input = input
    var vectors: Embedding?
    switch input {
    case .tokens(let vocabulary, let length):
      try require(settings == Settings(), "patches and pieces are for images, but the task gives tokens")
      (tokens, grid) = (length, nil)
      vectors = asked.map { Embedding(vocabulary, $0, using: &generator) }
      width = asked ?? vocabulary
    case .values(let shape) where shape.count == 3:
      func piece(_ name: String, _ range: [Int], of size: Int) throws -> [Int] {
        if range.isEmpty { return [0, size] }
        guard range.count == 2, range[0] >= 0, range[0] < range[1], range[1] <= size else {
          throw InvalidInput("\(name) must be [from, upTo] within 0 and \(size), is \(range)")
        }
        return range
      }
      func patch(_ name: String, _ asked: Int, of range: [Int]) throws -> Int {
        let size = range[1] - range[0]
        try require(
          asked >= 0 && (asked == 0 || size % asked == 0),
          "\(name) \(asked) does not divide the \(size) that are seen")
        return asked == 0 ? size : asked
      }
      settings.rows = try piece("rows", settings.rows, of: shape[0])
      settings.columns = try piece("columns", settings.columns, of: shape[1])
      settings.patchRows = try patch("patchRows", settings.patchRows, of: settings.rows)
      settings.patchColumns = try patch("patchColumns", settings.patchColumns, of: settings.columns)
      let across = (settings.columns[1] - settings.columns[0]) / settings.patchColumns
      let down = (settings.rows[1] - settings.rows[0]) / settings.patchRows
      tokens = down * across
      grid = Slot.Grid(rows: down, columns: across)
      width = settings.patchRows * settings.patchColumns * shape[2]
    case .values(let shape):
      try require(
        (1...2).contains(shape.count),
        "input takes [n], [length, n] or [height, width, channels], but the task gives \(shape)")
      tokens = shape.count == 2 ? shape[0] : 1
      (width, grid) = (shape[shape.count - 1], nil)
    }
    if case .values(let shape) = input {
      if shape.count < 3 {
        try require(
          settings == Settings(), "patches and pieces are for images, but the task gives \(shape)")
      }
      try require(
        asked == nil || asked == width,
        "input shows \(width) numbers per token, not \(asked ?? 0); leave the width out, and let the"
          + " tracts from it change it")
    }
    embedding = vectors
    self.settings = settings
  }

  /// [batch, tokens, width] of a batch of the task's inputs.
  func callAsFunction(_ x: Tensor) -> Tensor {
    running {
      precondition(
        x.ndim == input.shape.count + 1, "input",
        "the task gives [batch] + \(input.shape), this is \(x.shape)")
      switch input {
      case .tokens(let vocabulary, _): return embedding.map { $0(x) } ?? x.oneHot(count: vocabulary)
      case .values(let shape) where shape.count == 3:
        let seen = x.sliced([
          0..<x.dim(0), settings.rows[0]..<settings.rows[1], settings.columns[0]..<settings.columns[1],
          0..<shape[2],
        ])
        let (patchRows, patchColumns) = (settings.patchRows, settings.patchColumns)
        let (down, across) = (seen.dim(1) / patchRows, seen.dim(2) / patchColumns)
        return seen.reshaped(x.dim(0), down, patchRows, across, patchColumns, shape[2])
          .transposed(0, 1, 3, 2, 4, 5).reshaped(x.dim(0), tokens, width)
      case .values(let shape): return shape.count == 1 ? x.expandedDimensions(axis: 1) : x
      }
    }
  }
}
