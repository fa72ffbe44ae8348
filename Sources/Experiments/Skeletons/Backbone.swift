import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The network that `compare` puts layers on tokens in, of any kind but whole networks: inputs become tokens, each block
/// computes x + Part(Norm(x)), then x + MLP(Norm(x)) (``MetaFormerBlock``), and a linear map makes the answer.
///
/// | inputs of the task | tokens |
/// | --- | --- |
/// | images and fields [rows, columns, channels] | patches, in a grid |
/// | whole numbers [length] | a learned vector each |
/// | series and sets [length, numbers] | a linear map of each |
/// | numbers [n] | one |
///
/// Tokens get learned positions unless they are a set. One answer is read from the mean over tokens (or the
/// last one), an answer per token from each, a field from the patches, and any other number of answers from
/// the mean.
///
/// Parameters: `embed.weight` [width, numbers of a token] and `embed.bias`, or `embedding.weight` [vocabulary,
/// width]; `positions` [tokens, width]; for each block `blocks.N.norm1`, `.mixer`, `.norm2`, `.mlp`; then `norm`
/// and `head`.
public final class Backbone: Layer {
  public struct Settings: Configuration {
    /// Side of a patch of an image or a field, in pixels.
    public var patch = 4
    /// Numbers per token.
    public var width = 64
    /// Blocks.
    public var depth = 4
    /// Hidden units of a block's MLP per unit of width.
    public var mlpRatio = 4
    /// What a single answer is read from.
    public var readout = Readout.mean
    public init() {}

    public enum Readout: String, Codable, Sendable, CaseIterable {
      /// The mean over tokens.
      case mean
      /// The last token.
      case last
    }

    public func validate() throws {
      for (name, value) in [("patch", patch), ("width", width), ("depth", depth), ("mlpRatio", mlpRatio)] {
        try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
      }
    }
  }

  public let embed: Linear?
  public let embedding: Embedding?
  @Parameter public var positions: Tensor?
  public let blocks: [MetaFormerBlock]
  public let norm: LayerNorm
  public let head: Linear
  private let settings: Settings
  private let input: TaskInput
  private let slot: Slot
  private let answer: Answer
  /// Axes of one answer.
  private let answerShape: [Int]

  /// What answers are read from.
  private enum Answer {
    case eachToken
    /// The answers of so many rows and columns from the token of their patch.
    case patches(rows: Int, columns: Int)
    /// All from the mean over tokens or the last one.
    case readout

    init(_ positions: [Int], _ slot: Slot) {
      if positions == [slot.tokens] {
        self = .eachToken
      } else if positions.count == 2, let grid = slot.grid, positions[0] % grid.rows == 0,
        positions[1] % grid.columns == 0
      {
        self = .patches(rows: positions[0] / grid.rows, columns: positions[1] / grid.columns)
      } else {
        self = .readout
      }
    }

    /// How many positions' answers are read from one vector.
    func count(of positions: [Int]) -> Int {
      switch self {
      case .eachToken: 1
      case .patches(let rows, let columns): rows * columns
      case .readout: positions.reduce(1, *)
      }
    }
  }

  /// A network for a task; `part` makes what stands in each block.
  /// - Parameter hidden: hidden units of each block's MLP; what the settings say if nil.
  /// - Throws: `InvalidInput` if patches do not tile the inputs, or what `part` throws.
  public init(
    _ settings: Settings, for task: any LearningTask, hidden: Int? = nil,
    using generator: inout RandomGenerator, part: (Slot, inout RandomGenerator) throws -> any StatefulLayer
  ) throws {
    try settings.validate()
    self.settings = settings
    input = task.input
    slot = try Self.slot(settings, input, of: task)
    answer = Answer(task.positions, slot)
    answerShape = task.positions + [task.objective.width]
    switch input {
    case .tokens(let vocabulary, _):
      embed = nil
      embedding = Embedding(
        vocabulary, settings.width, initialiser: .normal(standardDeviation: 0.02), using: &generator)
    case .values(let shape):
      let patch = shape.count == 3 ? settings.patch * settings.patch : 1
      embed = Linear(patch * shape[shape.count - 1], settings.width, using: &generator)
      embedding = nil
    }
    positions =
      task.order == .set || slot.tokens == 1
      ? nil : generator.normal([slot.tokens, settings.width], standardDeviation: 0.02)
    var made: [MetaFormerBlock] = []
    for _ in 0..<settings.depth {
      let unit = try part(slot, &generator)
      let channel = MLP(
        settings.width, hidden: hidden ?? settings.mlpRatio * settings.width, using: &generator)
      made.append(
        MetaFormerBlock(
          MetaFormerBlock.Settings(), width: settings.width, mixer: (unit as? any Layer) ?? FromStart(unit),
          channel: channel, using: &generator))
    }
    blocks = made
    norm = LayerNorm(settings.width)
    head = Linear(
      settings.width, task.objective.width * answer.count(of: task.positions), using: &generator)
  }

  /// The place of a part, for inputs that can be made into tokens.
  private static func slot(_ settings: Settings, _ input: TaskInput, of task: any LearningTask) throws -> Slot
  {
    switch input {
    case .tokens(_, let length): return Slot(width: settings.width, tokens: length)
    case .values(let shape) where shape.count == 3:
      let patch = settings.patch
      guard shape[0] % patch == 0 && shape[1] % patch == 0 else {
        let fitting = (1...max(patch, 1)).last { shape[0] % $0 == 0 && shape[1] % $0 == 0 } ?? 1
        throw InvalidInput(
          "patches of side \(patch) do not tile images of \(shape[0]) x \(shape[1]); patch \(fitting) would")
      }
      return Slot(width: settings.width, rows: shape[0] / patch, columns: shape[1] / patch)
    case .values(let shape):
      try require(
        (1...2).contains(shape.count),
        "\(task.name) gives \(shape), which is neither numbers, a series nor an image")
      return Slot(width: settings.width, tokens: shape.count == 2 ? shape[0] : 1)
    }
  }

  public func forward(_ x: Tensor) -> Tensor {
    var tokens = tokens(of: x)
    if let positions {
      tokens =
        tokens + (tokens.dim(1) < slot.tokens ? positions.sliced(axis: 0, to: tokens.dim(1)) : positions)
    }
    return answered(norm(blocks.reduce(tokens) { $1($0) }))
  }

  private func tokens(of x: Tensor) -> Tensor {
    guard let embed else { return embedding.map { $0(x) } ?? x }
    guard case .values(let shape) = input else { return embed(x) }
    if shape.count == 1 { return embed(x.expandedDimensions(axis: 1)) }
    guard shape.count == 3, let grid = slot.grid else { return embed(x) }
    let patch = settings.patch
    let patches = x.reshaped(x.dim(0), grid.rows, patch, grid.columns, patch, shape[2])
      .transposed(0, 1, 3, 2, 4, 5).reshaped(x.dim(0), slot.tokens, patch * patch * shape[2])
    return embed(patches)
  }

  private func answered(_ tokens: Tensor) -> Tensor {
    let batch = tokens.dim(0)
    switch answer {
    case .eachToken: return head(tokens)
    case .patches(let rows, let columns):
      let across = answerShape[1] / columns
      return head(tokens).reshaped(batch, -1, across, rows, columns, answerShape[2])
        .transposed(0, 1, 3, 2, 4, 5).reshaped([batch] + answerShape)
    case .readout:
      let read =
        settings.readout == .last ? tokens[0..., -1] : tokens.mean(axis: 1)
      return head(read).reshaped([batch] + answerShape)
    }
  }
}

/// A layer that begins anew with each call.
private final class FromStart: Layer {
  let unit: any StatefulLayer
  init(_ unit: any StatefulLayer) { self.unit = unit }
  func forward(_ x: Tensor) -> Tensor { unit(x, unit.initialState(batch: x.dim(0))).output }
}

extension Skeleton {
  /// ``Backbone`` around a layer on tokens, taught by backpropagation.
  public static let backbone = Skeleton(
    "backbone",
    "Tokens pass blocks of the part and a network on channels, with residual connections and norms.",
    settings: Backbone.Settings.self,
    size: ("hidden units of a block", { $0.mlpRatio * $0.width }),
    fit: { part, task in
      guard part.isLayer, part.kind != .network else { return .otherKind }
      let inputs = task.input.shape
      if inputs.count > 3 { return .bad("\(task.name) gives \(inputs), of which no tokens can be made") }
      if case .values = task.input, inputs.count == 1, part.kind == .tokenMixer {
        return .bad(
          "\(part.card.id) mixes tokens, but \(task.name) gives one at a time; a channel mixer or a learning "
            + "rule would do")
      }
      if part.needsGrid && inputs.count != 3 {
        return .bad(
          "\(part.card.id) needs tokens in a grid, but \(task.name) gives a sequence; images would do")
      }
      return .good
    }
  ) { part, settings, around, place, generator in
    let task = place.task
    let network = try Backbone(around, for: task, hidden: place.size, using: &generator) { slot, generator in
      let unit = try part.unit(part.settings(settings, for: task), in: slot, using: &generator)
      try part.require(unit, suits: task)
      return unit
    }
    return GradientLearner(network, place.training)
  }
}

extension Part {
  /// The settings for a task. A part that can be causal or not has a setting `causal`; where nothing may look
  /// ahead and nobody says otherwise, it is set.
  fileprivate func settings(_ given: JSONValue?, for task: any LearningTask) -> JSONValue? {
    guard task.order == .causal, case .object(let known) = defaults, known["causal"] != nil else {
      return given
    }
    guard case .object(var own) = given ?? .object([:]), own["causal"] == nil else { return given }
    own["causal"] = true
    return .object(own)
  }

  fileprivate func require(_ unit: any StatefulLayer, suits task: any LearningTask) throws {
    guard let unit = unit as? any UnitMechanism else { return }
    try CallosumTensors.require(
      task.order != .causal || unit.isCausal,
      "\(card.id) lets a token see later ones, where \(task.name) has the answers; a causal part would do")
    try CallosumTensors.require(
      task.hasFixedLength || unit.takesAnyLength,
      "\(card.id) takes one number of tokens, but \(task.name) gives sequences of many lengths; a part that "
        + "takes any would do")
  }
}
