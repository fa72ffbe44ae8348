import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Teaches a brain: one forward pass, derivatives for the regions and tracts that live on them, signals
/// for those that learn locally, and a step of each one's optimiser.
public final class BrainLearner: Learner {
  public let brain: Brain
  public var module: any Module { brain }
  /// Largest joint norm of the gradients; 0 leaves them as they are.
  public var clipNorm = 1.0
  /// All learning rates are multiplied by this; what schedules change.
  public var rateFactor = 1.0
  private let teachings: [Teaching]

  /// What is taught together.
  private struct Teaching {
    /// `regions.NAME` or `tracts`.
    let name: String
    let region: String?
    let rule: (any LearningRule)?
    let optimiser: any Optimiser
    let rate: Double
    var needs: LearningNeeds { rule?.needs ?? .gradients }
  }

  /// - Throws: ``BrainError`` if an optimiser is unknown or has unfit settings.
  public init(_ brain: Brain) throws {
    self.brain = brain
    let plan = brain.plan
    let parameters = brain.parameters()
    func teaching(
      _ name: String, _ region: String?, _ chosen: Choice?, _ parameters: [NamedParameter],
      _ place: BrainError.Place
    ) throws -> Teaching? {
      if parameters.isEmpty { return nil }
      let rule = region.flatMap { brain.rules[$0] }
      let isLocal = rule?.needs == .nothing
      do {
        let optimiser = try (chosen ?? (isLocal ? "sgd" : plan.optimiser ?? "adamW")).optimiser(parameters)
        return Teaching(
          name: name, region: region, rule: rule, optimiser: optimiser, rate: optimiser.learningRate)
      } catch let mistake as InvalidInput {
        throw BrainError(place: place, description: "\(name): \(mistake)")
      }
    }
    var teachings: [Teaching?] = try plan.regions.enumerated().map { index, region in
      let name = "regions.\(region.name)"
      return try teaching(
        name, region.name, region.optimiser, parameters.filter { $0.name.hasPrefix(name + ".") },
        .region(index))
    }
    let learnable = plan.tracts.filter(\.learnable).map { "tracts.\($0.name)." }
    teachings.append(
      try teaching(
        "tracts", nil, nil, parameters.filter { tract in learnable.contains { tract.name.hasPrefix($0) } },
        .plan))
    self.teachings = teachings.compactMap { $0 }
  }

  /// One step on a batch; the loss before it. Dropout and the like draw from `generator`.
  /// - Throws: what a learning rule throws.
  @discardableResult public func learn(
    _ batch: Batch, _ objective: Objective, using generator: inout RandomGenerator
  ) throws -> Double {
    try training(using: &generator) {
      try learn(batch.inputs) { objective.loss($0, batch) }
    }
  }

  /// One step down the loss [] of the brain's answer to `inputs`; the loss before it.
  /// - Throws: what a learning rule throws.
  @discardableResult public func learn(
    _ inputs: Tensor, loss: (Tensor) throws -> Tensor
  ) throws -> Double {
    let recorder = SignalRecorder(
      regions: Set(teachings.filter { $0.rule != nil }.compactMap(\.region)),
      errors: Set(teachings.filter { $0.needs == .outputError }.compactMap(\.region)),
      feedback: feedback)
    brain.recorder = recorder
    defer { brain.recorder = nil }
    // An error arrives only where something upstream of it is a variable.
    let taught = teachings.filter { $0.needs != .nothing }
    let (value, gradients) = try valueAndGradient(by: taught.flatMap(\.optimiser.parameters)) {
      try loss(brain(inputs))
    }
    var rest = gradients[...]
    var byName: [String: [Tensor]] = [:]
    for teaching in taught {
      let count = teaching.optimiser.parameters.count
      if teaching.needs == .gradients { byName[teaching.name] = Array(rest.prefix(count)) }
      rest = rest.dropFirst(count)
    }
    clip(&byName)
    for teaching in teachings {
      let parameters = teaching.optimiser.parameters, gradients = byName[teaching.name]
      var directions = gradients ?? []
      if let rule = teaching.rule, let region = teaching.region,
        let signals = recorder.signals(region, gradients: gradients)
      {
        directions = try rule.directions(for: parameters, signals)
      }
      teaching.optimiser.learningRate = teaching.rate * rateFactor
      teaching.optimiser.update(directions)
    }
    return value.item()
  }

  public func predict(_ inputs: Tensor) -> Tensor { brain(inputs) }

  /// How regions under rules such as feedback alignment pass errors on.
  private var feedback: [String: (Tensor) -> Tensor?] {
    var feedback: [String: (Tensor) -> Tensor?] = [:]
    for teaching in teachings where teaching.needs == .outputError {
      guard let region = teaching.region, let rule = teaching.rule else { continue }
      let parameters = teaching.optimiser.parameters
      feedback[region] = { rule.inputError($0, for: parameters) }
    }
    return feedback
  }

  private func clip(_ gradients: inout [String: [Tensor]]) {
    guard clipNorm > 0 else { return }
    let names = gradients.keys.sorted()
    var all = clipped(names.flatMap { gradients[$0] ?? [] }, toNorm: clipNorm).gradients[...]
    for name in names {
      let count = gradients[name]?.count ?? 0
      gradients[name] = Array(all.prefix(count))
      all = all.dropFirst(count)
    }
  }

  // MARK: State

  /// What the optimisers remember, by name.
  public var state: [String: Tensor] {
    var state: [String: Tensor] = [:]
    for teaching in teachings {
      for (name, tensor) in teaching.optimiser.state { state["\(teaching.name): \(name)"] = tensor }
    }
    return state
  }

  /// Takes up what another session remembered.
  /// - Throws: `WeightsError` if something is missing or of another shape.
  public func restore(_ state: [String: Tensor]) throws {
    for teaching in teachings {
      let prefix = "\(teaching.name): "
      let own = state.filter { $0.key.hasPrefix(prefix) }
      try teaching.optimiser.restore(
        Dictionary(uniqueKeysWithValues: own.map { (String($0.key.dropFirst(prefix.count)), $0.value) }))
    }
  }
}

/// Settings of the optimisers `adam` and `adamW`.
struct AdamSettings: Configuration {
  var learningRate = 2e-3
  var beta1 = 0.9
  var beta2 = 0.999
  var weightDecay = 0.0

  func validate() throws {
    try require(learningRate > 0 && learningRate.isFinite, "learningRate must be above 0, is \(learningRate)")
    for (name, value) in [("beta1", beta1), ("beta2", beta2)] {
      try require(value >= 0 && value < 1, "\(name) must be in 0..<1, is \(value)")
    }
    try require(weightDecay >= 0 && weightDecay.isFinite, "weightDecay must be at least 0, is \(weightDecay)")
  }
}

/// Settings of the optimiser `sgd`.
struct SGDSettings: Configuration {
  var learningRate = 0.02
  var momentum = 0.0
  var weightDecay = 0.0

  func validate() throws {
    try require(learningRate > 0 && learningRate.isFinite, "learningRate must be above 0, is \(learningRate)")
    try require(momentum >= 0 && momentum < 1, "momentum must be in 0..<1, is \(momentum)")
    try require(weightDecay >= 0 && weightDecay.isFinite, "weightDecay must be at least 0, is \(weightDecay)")
  }
}

extension Choice {
  /// `adam`, `adamW` or `sgd` for these parameters.
  func optimiser(_ parameters: [NamedParameter]) throws -> any Optimiser {
    switch name {
    case "adam", "adamW":
      let settings = try AdamSettings.decoded(from: json, for: name)
      return Adam(
        parameters, learningRate: settings.learningRate, betas: (settings.beta1, settings.beta2),
        weightDecay: settings.weightDecay, decoupledDecay: name == "adamW")
    case "sgd":
      let settings = try SGDSettings.decoded(from: json, for: name)
      return SGD(
        parameters, learningRate: settings.learningRate, momentum: settings.momentum,
        weightDecay: settings.weightDecay)
    default: throw unknownName("optimiser", name, in: ["adam", "adamW", "sgd"])
    }
  }
}
