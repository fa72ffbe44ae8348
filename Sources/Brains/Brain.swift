import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Regions joined by tracts, as a ``BrainPlan`` says, built for one task.
///
/// At every step each region adds up what its tracts bring, and its part makes of it the region's
/// activity [batch, tokens, width]. Tracts in order bring what their source does in the same step; one
/// that closes a loop, what it did a step before. What parts remember is carried over steps too.
///
/// Parameters are called `regions.NAME.…` and `tracts.FROM-TO.…`. The state holds `regions.NAME.past.N`,
/// the activity of N steps ago where something asks for it, and what parts keep. It may be handed to
/// the next call: a sequence shown token by token in pieces is answered as the whole.
public final class Brain: Layer {
  public let wiring: Wiring
  /// What the regions compute, by name; what shows the input is there only if it learns.
  public let regions: [String: any Module]
  /// What the tracts pass through, by name.
  public let tracts: [String: any Module]
  /// The learning rule of each region that has parameters, by name.
  let rules: [String: any LearningRule]
  /// The regions that let derivatives pass to what feeds them.
  let passing: Set<String>
  /// What each tract makes of activity, and what it keeps at the start.
  private let carriers: [(_ source: Tensor, _ target: Tensor?, State) -> (arrivals: [Tensor], state: State)]
  private let views: [Int: InputView]
  private let positions: [Int]?
  /// Notes what regions take and put out, while they learn.
  var recorder: SignalRecorder?

  /// A brain for a task.
  /// - Throws: ``BrainError``.
  public convenience init(
    _ plan: BrainPlan, for task: any LearningTask, parts: Catalogue,
    using generator: inout RandomGenerator
  ) throws {
    try self.init(
      plan, input: task.input, positions: task.positions, width: task.objective.width, parts: parts,
      using: &generator)
  }

  /// A brain for inputs of a kind, whose answer has so many numbers at each of these positions (see
  /// `LearningTask`); without positions, the answer is the activity [batch, tokens, width] as it is.
  /// - Throws: ``BrainError``.
  public init(
    _ plan: BrainPlan, input: TaskInput, positions: [Int]? = nil, width: Int? = nil, parts: Catalogue,
    using generator: inout RandomGenerator
  ) throws {
    let random = RandomGenerator(seed: generator.next())
    let kinds = try plan.tracts.enumerated().map { index, tract in
      try located(.tract(index), "tract '\(tract.name)'") { try tract.part(of: parts) }
    }
    let traits = kinds.map { $0.tractTraits ?? TractTraits() }
    var views: [Int: InputView] = [:]
    for (index, region) in plan.regions.enumerated() where region.builtIn == .input {
      var own = random.stream("regions.\(region.name)")
      views[index] = try located(.region(index), "region '\(region.name)'") {
        try InputView(region.part.json, input: input, width: region.width, using: &own)
      }
    }
    let fields = views.mapValues { Wiring.Field(tokens: $0.tokens, width: $0.width, grid: $0.grid) }
    let wiring = try Wiring(plan, traits: traits, views: fields, answer: width)

    var regions: [String: any Module] = [:]
    var rules: [String: any LearningRule] = [:]
    var passing: Set<String> = []
    for (index, region) in plan.regions.enumerated() {
      var own = random.stream("regions.\(region.name)")
      let (arrival, activity) = (wiring.arrivals[index], wiring.activities[index])
      try located(.region(index), "region '\(region.name)' \(arrival) -> \(activity)") {
        if let view = views[index] {
          try require(
            region.rule == nil && !region.norm && !region.residual,
            "an input has no rule, norm or residual")
          if view.embedding != nil { regions[region.name] = view }
        } else {
          let slot = Slot(
            width: arrival.width, outputWidth: activity.width, tokens: arrival.tokens, grid: arrival.grid)
          regions[region.name] = try region.layer(in: slot, parts: parts, using: &own)
        }
        guard let module = regions[region.name] else { return }
        let rule = try region.rule?.rule(of: parts, using: &own)
        try require(
          rule == nil || module.parameterCount > 0,
          "it has nothing to learn, so it needs no rule; where tracts bring the weights, a region"
            + " 'linear' fed by direct tracts has weights of its own")
        try require(
          !region.residual || rule == nil || rule?.needs == .gradients,
          "a rule that does without gradients learns from what the part puts out, which residual changes")
        rules[region.name] = rule
        if region.passesGradient ?? rule?.passesErrors ?? true {
          passing.insert(region.name)
        }
      }
      if regions[region.name] == nil { passing.insert(region.name) }
    }
    var tracts: [String: any Module] = [:]
    var carriers: [(Tensor, Tensor?, State) -> (arrivals: [Tensor], state: State)] = []
    for (index, tract) in plan.tracts.enumerated() {
      var own = random.stream("tracts.\(tract.name)")
      let ends = wiring.tractEnds(index)
      let built = try located(.tract(index), "tract '\(tract.name)'") {
        try tract.built(kinds[index], between: ends, using: &own)
      }
      tracts[tract.name] = built.module
      carriers.append(built.carry)
    }
    self.wiring = wiring
    self.views = views
    self.positions = positions
    self.regions = regions
    self.tracts = tracts
    self.carriers = carriers
    self.rules = rules
    self.passing = passing
    try checkAnswer(width)
    try checkTeaching()
  }

  public var plan: BrainPlan { wiring.plan }

  // MARK: Running

  public func initialState(batch: Int) -> State {
    var state = State()
    for (index, memory) in wiring.memories.enumerated() where memory > 0 {
      let field = wiring.activities[index]
      for steps in 1...memory {
        state[past(index, steps)] = .zeros([batch, field.tokens, field.width])
      }
    }
    for (name, module) in stateful {
      let own = module.initialState(batch: batch)
      for key in own.names { state["\(name).\(key)"] = own[key] }
    }
    return state
  }

  public func forward(_ x: Tensor) -> Tensor { forward(x, initialState(batch: x.dim(0))).output }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let shown = views.mapValues { $0(x) }
    let type = shown.values.first?.dtype ?? .float32
    var state = state.mapped { $0.dtype.isFloatingPoint && $0.dtype != type ? $0.asType(type) : $0 }
    if plan.presentation == .whole {
      trim(&state, to: shown)
      var activity = Tensor.zeros([])
      for _ in 0..<plan.steps { activity = step(shown, &state) }
      return (answer(activity), state)
    }
    let length = shown.values.map { $0.dim(1) }.max() ?? 0
    precondition(length > 0, "Brain", "there are no tokens to show")
    var answers: [Tensor] = []
    for token in 0..<length {
      // An input of one token is there all the time.
      let now = shown.mapValues { $0.dim(1) == 1 ? $0 : $0.sliced(axis: 1, from: token, to: token + 1) }
      var activity = Tensor.zeros([])
      for _ in 0..<plan.steps { activity = step(now, &state) }
      answers.append(activity)
    }
    return (answer(concatenated(answers, axis: 1)), state)
  }

  /// Batches may show fewer tokens than the task's longest: the past of regions has as many.
  private func trim(_ state: inout State, to shown: [Int: Tensor]) {
    for (index, x) in shown {
      guard let full = views[index]?.tokens, x.dim(1) < full else { continue }
      for (region, memory) in wiring.memories.enumerated() where wiring.activities[region].tokens == full {
        for steps in 0..<memory {
          let name = past(region, steps + 1)
          if state[name].dim(1) > x.dim(1) { state[name] = state[name].sliced(axis: 1, to: x.dim(1)) }
        }
      }
    }
  }

  /// One step of time; the activity of the output region.
  private func step(_ shown: [Int: Tensor], _ state: inout State) -> Tensor {
    var now: [Int: Tensor] = shown
    var routed: [Int: [Tensor]] = [:]
    let before = state
    for index in wiring.order where now[index] == nil {
      let region = plan.regions[index]
      var sum: Tensor?
      for (tract, ends) in wiring.ends.enumerated() {
        guard let place = ends.to.firstIndex(of: index) else { continue }
        let lag = wiring.lags[tract]
        guard let source = lag > 0 ? before[past(ends.from, lag)] : now[ends.from] else { continue }
        let brought = routed[tract] ?? carry(tract, source, before, &state)
        routed[tract] = brought
        let arriving = pooled(brought[place], into: wiring.arrivals[index])
        sum = sum.map { $0 + arriving } ?? arriving
      }
      guard let sum, let module = regions[region.name] as? RegionLayer else { continue }
      var x = spread(sum, wiring.arrivals[index])
      if !passing.contains(region.name) { x = stopGradient(x) }
      let name = "regions.\(region.name)"
      let (y, after) = module(x, own(name, before))
      for key in after.names { state["\(name).\(key)"] = after[key] }
      now[index] = recorder.map { $0.note(region.name, input: module.seen(x), output: y) } ?? y
    }
    for (index, memory) in wiring.memories.enumerated() where memory > 0 {
      for steps in stride(from: memory, to: 1, by: -1) {
        state[past(index, steps)] = before[past(index, steps - 1)]
      }
      if let activity = now[index] { state[past(index, 1)] = activity }
    }
    return now[wiring.output] ?? .zeros([])
  }

  /// What a tract makes of the activity of its source, for each of its targets.
  private func carry(_ index: Int, _ source: Tensor, _ before: State, _ state: inout State) -> [Tensor] {
    let tract = plan.tracts[index], ends = wiring.ends[index]
    let name = "tracts.\(tract.name)", traits = wiring.traits[index]
    let target = traits.readsTarget ? before[past(ends.to[0], 1)] : nil
    let carried = traits.isLinear ? pooled(source, into: wiring.arrivals[ends.to[0]]) : source
    let (arrivals, after) = carriers[index](carried, target, own(name, before))
    for key in after.names { state["\(name).\(key)"] = after[key] }
    return arrivals
  }

  /// The mean over tokens for a region that has one.
  private func pooled(_ x: Tensor, into field: Wiring.Field) -> Tensor {
    field.tokens == 1 && x.dim(1) > 1 ? x.mean(axis: 1, keepDims: true) : x
  }

  /// One token that arrives at a region of several is there for each.
  private func spread(_ x: Tensor, _ field: Wiring.Field) -> Tensor {
    x.dim(1) == 1 && field.tokens > 1 ? x.broadcast(to: [x.dim(0), field.tokens, x.dim(2)]) : x
  }

  private func past(_ region: Int, _ steps: Int) -> String {
    "regions.\(plan.regions[region].name).past.\(steps)"
  }

  /// What regions and tracts keep for themselves, by name.
  private var stateful: [(name: String, module: any StatefulLayer)] {
    regions.compactMap { name, module in (module as? RegionLayer).map { ("regions.\(name)", $0.part) } }
      + tracts.compactMap { name, module in
        (module as? any StatefulLayer).map { ("tracts.\(name)", $0) }
      }
  }

  /// The part of the state that belongs to one region or tract.
  private func own(_ name: String, _ state: State) -> State {
    var own = State()
    for key in state.names where key.hasPrefix(name + ".") && !key.hasPrefix(name + ".past.") {
      own[String(key.dropFirst(name.count + 1))] = state[key]
    }
    return own
  }

  // MARK: The answer

  /// [batch, positions..., width] of the output region's activity [batch, tokens, width].
  private func answer(_ activity: Tensor) -> Tensor {
    guard let positions else { return activity }
    if positions.isEmpty {
      return plan.readout == .last ? activity[.all, activity.dim(1) - 1] : activity.mean(axis: 1)
    }
    if positions.count == 1 { return activity }
    return activity.reshaped([activity.dim(0)] + positions + [activity.dim(2)])
  }

  /// The answer must have the shape that the task wants.
  private func checkAnswer(_ width: Int?) throws {
    func problem(_ text: String) -> BrainError {
      BrainError(place: .region(wiring.output), description: "region '\(plan.output)' \(text)")
    }
    var field = wiring.activities[wiring.output]
    if plan.presentation == .tokenByToken {
      let lengths = Set(views.values.map(\.tokens)).subtracting([1])
      if lengths.count > 1 {
        throw BrainError(
          place: .plan,
          description: "inputs of \(lengths.sorted().map(String.init).joined(separator: " and ")) tokens"
            + " cannot be shown token by token; equal numbers would fit")
      }
      field.tokens = lengths.first ?? 1
    }
    if let width, field.width != width {
      throw problem(
        "puts out \(field), but the task wants \(width) numbers; width: \(width) would fit, or none said")
    }
    guard let positions, !positions.isEmpty else { return }
    if positions.reduce(1, *) != field.tokens {
      throw problem(
        "puts out \(field), but the task wants an answer at \(positions) positions;"
          + " \(positions.reduce(1, *)) tokens would fit")
    }
  }
}

/// Runs `body`; what it throws says where.
private func located<Result>(
  _ place: BrainError.Place, _ name: String, _ body: () throws -> Result
) throws -> Result {
  do {
    return try body()
  } catch let mistake as InvalidInput {
    throw BrainError(place: place, description: "\(name): \(mistake.description)")
  }
}
