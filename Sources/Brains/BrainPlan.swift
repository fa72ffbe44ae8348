import CallosumContracts
import CallosumNetworks

/// What a brain is made of: regions, the tracts between them, and how it meets its input. A plain value,
/// written in Swift with ``BrainPlan/init(_:task:presentation:steps:output:readout:optimiser:_:)`` or in
/// YAML with the same words.
public struct BrainPlan: Codable, Sendable, Equatable {
  public var name: String?
  /// Id of the task that it is meant for.
  public var task: String?
  public var presentation: Presentation
  /// Steps of time for each presentation.
  public var steps: Int
  /// The region whose activity is the answer.
  public var output: String
  public var readout: Readout
  /// What teaches regions and tracts that name no optimiser of their own.
  public var optimiser: Choice?
  public var regions: [Region]
  public var tracts: [Tract]

  /// How the input is shown.
  public enum Presentation: String, Codable, Sendable, CaseIterable {
    /// All of it at every step; the answer is the output region's activity after the last one.
    case whole
    /// One token after the other, each for `steps` steps; the answer is the activity after each.
    case tokenByToken
  }

  /// Which tokens of the output region answer a task that wants one answer.
  public enum Readout: String, Codable, Sendable, CaseIterable {
    /// Their mean.
    case mean
    case last
  }

  public enum CodingKeys: String, CodingKey, CaseIterable {
    case name, task, presentation, steps, output, readout, optimiser, regions, tracts
  }

  public init(
    _ name: String? = nil, task: String? = nil, presentation: Presentation = .whole, steps: Int = 1,
    output: String, readout: Readout = .mean, optimiser: Choice? = nil, regions: [Region], tracts: [Tract]
  ) {
    self.name = name
    self.task = task
    self.presentation = presentation
    self.steps = steps
    self.output = output
    self.readout = readout
    self.optimiser = optimiser
    self.regions = regions
    self.tracts = tracts
  }

  public init(from decoder: any Decoder) throws {
    let box = try decoder.container(keyedBy: CodingKeys.self)
    name = try box.decodeIfPresent(String.self, forKey: .name)
    task = try box.decodeIfPresent(String.self, forKey: .task)
    presentation = try box.decodeIfPresent(Presentation.self, forKey: .presentation) ?? .whole
    steps = try box.decodeIfPresent(Int.self, forKey: .steps) ?? 1
    output = try box.decode(String.self, forKey: .output)
    readout = try box.decodeIfPresent(Readout.self, forKey: .readout) ?? .mean
    optimiser = try box.decodeIfPresent(Choice.self, forKey: .optimiser)
    regions = try box.decode([Region].self, forKey: .regions)
    tracts = try box.decode([Tract].self, forKey: .tracts)
  }
}

/// A region: units that do one thing together, [batch, tokens, width] in and out.
public struct Region: Codable, Sendable, Equatable {
  public var name: String
  /// A part of the catalogue that can be a layer, or one of ``BuiltIn``: `input`, `units`, `linear`,
  /// `mlp`.
  public var part: Choice
  /// Numbers per token that go out. If it is not given, they follow from what comes in, and those of the
  /// output region from the task.
  public var width: Int?
  /// Tokens, if they are not those of what comes in: 1 takes their mean.
  public var tokens: Int?
  /// Rows and columns in which the tokens lie, if that does not follow from what comes in.
  public var grid: [Int]?
  /// Whether what comes in is normalised, each token to mean 0 and variance 1.
  public var norm: Bool
  /// Whether what comes in is added to what the part makes of it.
  public var residual: Bool
  /// How it learns: a learning rule of the catalogue; backpropagation if none is given.
  public var rule: Choice?
  public var optimiser: Choice?
  /// Whether derivatives pass on to what feeds the region. If it is not said: as its rule
  /// has it. Under one that sees only input and output, no: a local region teaches nobody.
  public var passesGradient: Bool?

  public enum CodingKeys: String, CodingKey, CaseIterable {
    case name, part, width, tokens, grid, norm, residual, rule, optimiser, passesGradient
  }

  public init(
    _ name: String, part: Choice, width: Int? = nil, tokens: Int? = nil, grid: [Int]? = nil,
    norm: Bool = false, residual: Bool = false, rule: Choice? = nil, optimiser: Choice? = nil,
    passesGradient: Bool? = nil
  ) {
    self.name = name
    self.part = part
    self.width = width
    self.tokens = tokens
    self.grid = grid
    self.norm = norm
    self.residual = residual
    self.rule = rule
    self.optimiser = optimiser
    self.passesGradient = passesGradient
  }

  public init(from decoder: any Decoder) throws {
    let box = try decoder.container(keyedBy: CodingKeys.self)
    name = try box.decode(String.self, forKey: .name)
    part = try box.decode(Choice.self, forKey: .part)
    width = try box.decodeIfPresent(Int.self, forKey: .width)
    tokens = try box.decodeIfPresent(Int.self, forKey: .tokens)
    grid = try box.decodeIfPresent([Int].self, forKey: .grid)
    norm = try box.decodeIfPresent(Bool.self, forKey: .norm) ?? false
    residual = try box.decodeIfPresent(Bool.self, forKey: .residual) ?? false
    rule = try box.decodeIfPresent(Choice.self, forKey: .rule)
    optimiser = try box.decodeIfPresent(Choice.self, forKey: .optimiser)
    passesGradient = try box.decodeIfPresent(Bool.self, forKey: .passesGradient)
  }
}

/// A tract: carries the activity of one region to another, where all that arrives is added up.
public struct Tract: Codable, Sendable, Equatable {
  public var from: String
  /// One region; several where a router chooses among them.
  public var to: [String]
  /// What it passes through: `projection` (learned weights, the default), `direct` (nothing),
  /// `gate`, `router`, or a part of the catalogue that can be a layer, such as `corpus-callosum`.
  public var through: Choice
  /// How many steps old the activity is that it carries. A tract that closes a loop carries that of one
  /// step before if nothing is said.
  public var delay: Int
  /// Whether its weights learn.
  public var learnable: Bool
  /// How its weights start.
  public var weights: TractWeights?
  /// The initial weights are multiplied by this.
  public var gain: Double?

  public enum CodingKeys: String, CodingKey, CaseIterable {
    case from, to, through, delay, learnable, weights, gain
  }

  public init(
    _ from: String, to: String..., through: Choice = "projection", delay: Int = 0,
    learnable: Bool = true, weights: TractWeights? = nil, gain: Double? = nil
  ) {
    self.from = from
    self.to = to
    self.through = through
    self.delay = delay
    self.learnable = learnable
    self.weights = weights
    self.gain = gain
  }

  /// What it is called: `left-right`, and `eye-left+right` to several.
  public var name: String { "\(from)-\(to.joined(separator: "+"))" }

  public init(from decoder: any Decoder) throws {
    let box = try decoder.container(keyedBy: CodingKeys.self)
    from = try box.decode(String.self, forKey: .from)
    if let one = try? box.decode(String.self, forKey: .to) {
      to = [one]
    } else {
      to = try box.decode([String].self, forKey: .to)
    }
    through = try box.decodeIfPresent(Choice.self, forKey: .through) ?? "projection"
    delay = try box.decodeIfPresent(Int.self, forKey: .delay) ?? 0
    learnable = try box.decodeIfPresent(Bool.self, forKey: .learnable) ?? true
    weights = try box.decodeIfPresent(TractWeights.self, forKey: .weights)
    gain = try box.decodeIfPresent(Double.self, forKey: .gain)
  }

  public func encode(to encoder: any Encoder) throws {
    var box = encoder.container(keyedBy: CodingKeys.self)
    try box.encode(from, forKey: .from)
    if to.count == 1 { try box.encode(to[0], forKey: .to) } else { try box.encode(to, forKey: .to) }
    try box.encode(through, forKey: .through)
    try box.encode(delay, forKey: .delay)
    try box.encode(learnable, forKey: .learnable)
    try box.encodeIfPresent(weights, forKey: .weights)
    try box.encodeIfPresent(gain, forKey: .gain)
  }
}

/// A name, or a name with settings: `mlp`, or `{mlp: {hidden: 64}}`.
public struct Choice: Codable, Sendable, Equatable, ExpressibleByStringLiteral {
  public var name: String
  public var settings: [String: JSONValue]

  public init(_ name: String, _ settings: [String: JSONValue] = [:]) {
    self.name = name
    self.settings = settings
  }

  public init(stringLiteral name: String) { self.init(name) }

  public init(from decoder: any Decoder) throws {
    let box = try decoder.singleValueContainer()
    if let name = try? box.decode(String.self) {
      self.init(name)
    } else if let table = try? box.decode([String: [String: JSONValue]].self), table.count == 1,
      let (name, settings) = table.first
    {
      self.init(name, settings)
    } else {
      throw DecodingError.dataCorruptedError(
        in: box, debugDescription: "must be a name, or a name with settings such as {mlp: {hidden: 64}}")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var box = encoder.singleValueContainer()
    if settings.isEmpty { try box.encode(name) } else { try box.encode([name: settings]) }
  }

  /// The settings as parts take them.
  var json: JSONValue { .object(settings) }
}

/// Something about a plan that cannot be, and where.
public struct BrainError: Error, Equatable, CustomStringConvertible {
  public enum Place: Equatable, Sendable {
    case plan
    /// By position in the plan.
    case region(Int)
    case tract(Int)
  }
  public let place: Place
  /// One line that names region or tract, shapes, and what would do.
  public let description: String
}
