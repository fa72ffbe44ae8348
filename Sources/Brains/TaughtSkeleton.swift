import CallosumContracts
import CallosumNetworks
import CallosumTensors

extension Skeleton {
  /// A network of hidden layers that all learn by one rule, with a readout taught by backpropagation: how
  /// learning rules are put to work on tasks that want one answer.
  public static let taught = Skeleton(
    "taught", "Hidden layers learn by the rule, one after the other; the readout learns by backpropagation.",
    settings: TaughtSettings.self, size: ("hidden units of a layer", { $0.width }),
    fit: { part, task in
      guard part.kind == .learningRule else { return .otherKind }
      guard part.isRule else {
        return .bad(
          "\(part.card.id) teaches a network of its own, which is put to work in its claim; a learning rule for "
            + "any layer, such as feedback-alignment, would do")
      }
      guard case .values = task.input, task.positions.isEmpty else {
        return .bad(
          "\(part.card.id) teaches layers that give one answer to numbers or an image, but \(task.name) wants "
            + "\(task.positions.isEmpty ? "tokens to be read" : "an answer at each position"); fashion-mnist would do"
        )
      }
      return .good
    }
  ) { part, settings, around, place, generator in
    let rule = try Choice(part.card.id, settings)
    let width = place.size ?? around.width
    let rate = JSONValue.number(place.training.learningRate)
    let descent = Choice("adamW", ["learningRate": rate, "weightDecay": .number(place.training.weightDecay)])
    // A rule that sees activity alone says how far to go; Adam would undo that.
    var probe = generator
    let isLocal = try part.rule(settings, using: &probe).needs == .nothing
    var regions = [Region("input", part: "input")], tracts: [Tract] = []
    for layer in 0..<around.depth {
      let activation = JSONValue.string(around.activation.rawValue)
      regions.append(
        Region(
          "hidden\(layer + 1)", part: Choice("linear", ["activation": activation, "bias": false]),
          width: width, tokens: 1,
          rule: rule, optimiser: isLocal ? Choice("sgd", ["learningRate": rate]) : nil))
    }
    regions.append(Region("readout", part: "linear", tokens: 1))
    for (source, target) in zip(regions, regions.dropFirst()) {
      tracts.append(Tract(source.name, to: target.name, through: "direct"))
    }
    let plan = BrainPlan(output: "readout", optimiser: descent, regions: regions, tracts: tracts)
    do {
      let brain = try Brain(plan, for: place.task, parts: Catalogue([part]), using: &generator)
      let learner = try BrainLearner(brain)
      learner.clipNorm = place.training.clipNorm
      return learner
    } catch let error as BrainError {
      let hint =
        "only the layer below the readout can learn by it; --skeleton '{\"taught\": {\"depth\": 1}}' would do"
      throw InvalidInput("\(part.card.id): \(around.depth > 1 && !isLocal ? hint : "\(error)")")
    }
  }
}

/// Settings of ``Skeleton/taught``. Hidden layers have no biases, of which most rules know nothing.
public struct TaughtSettings: Configuration {
  /// Hidden layers.
  public var depth = 2
  /// Hidden units of each.
  public var width = 256
  public var activation = Activation.relu
  public init() {}

  public func validate() throws {
    for (name, value) in [("depth", depth), ("width", width)] {
      try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
    }
  }
}

extension Choice {
  /// A name with settings as they come from elsewhere.
  /// - Throws: `InvalidInput` if they are no table.
  public init(_ name: String, _ settings: JSONValue?) throws {
    guard let settings else {
      self.init(name)
      return
    }
    guard case .object(let table) = settings else {
      throw InvalidInput("the settings of \(name) must be a table such as {}")
    }
    self.init(name, table)
  }
}
