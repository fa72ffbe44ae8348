import CallosumContracts

/// A plan worked out: what runs in which order, which tracts carry the past, and what shape everything
/// has. Nothing is built yet.
public struct Wiring: Sendable {
  /// The activity of a region, [batch, tokens, width].
  public struct Field: Sendable, Equatable, CustomStringConvertible {
    public var tokens, width: Int
    public var grid: Slot.Grid?
    public var description: String { "[batch, \(tokens), \(width)]" }
  }

  public let plan: BrainPlan
  /// For each tract what it does with what it carries.
  public let traits: [TractTraits]
  /// Regions in the order in which they run within a step.
  public let order: [Int]
  /// For each tract the regions that it connects.
  public let ends: [(from: Int, to: [Int])]
  /// For each tract how many steps old the activity is that it carries: its delay; 0 for one in order, 1
  /// for one that closes a loop with those before it in the plan.
  public let lags: [Int]
  /// What comes into each region, and what it puts out.
  public let arrivals, activities: [Field]

  /// - Parameters:
  ///   - traits: Of what each tract passes through.
  ///   - views: What the regions of the part `input` show, by position.
  ///   - answer: The width that the task wants of the output region, if there is a task.
  /// - Throws: ``BrainError`` that names region or tract, and both shapes where two do not fit.
  init(_ plan: BrainPlan, traits: [TractTraits], views: [Int: Field], answer: Int?) throws {
    self.plan = plan
    self.traits = traits
    try Wiring.checkNames(plan)
    ends = try Wiring.ends(plan, traits)
    lags = try Wiring.lags(plan, traits, ends)
    order = Wiring.order(plan.regions.count, zip(ends, lags).filter { $1 == 0 }.map(\.0))
    (arrivals, activities) = try Wiring.fields(plan, traits, views, answer, order, ends, lags)
    try checkTracts()
  }

  /// The position of the output region.
  public var output: Int { plan.regions.firstIndex { $0.name == plan.output } ?? 0 }

  /// How many steps back the activity of each region is asked for.
  var memories: [Int] {
    var memories = [Int](repeating: 0, count: plan.regions.count)
    for (traits, (ends, lag)) in zip(traits, zip(ends, lags)) {
      memories[ends.from] = max(memories[ends.from], lag)
      if traits.readsTarget { for target in ends.to { memories[target] = max(memories[target], 1) } }
    }
    return memories
  }

  /// The regions at the ends of a tract as its part sees them.
  func tractEnds(_ index: Int) -> TractEnds {
    let ends = ends[index], tract = plan.tracts[index], source = activities[ends.from]
    return TractEnds(
      source: Slot(width: source.width, tokens: source.tokens, grid: source.grid),
      targets: ends.to.map { target in
        Slot(
          width: arrivals[target].width, outputWidth: activities[target].width,
          tokens: arrivals[target].tokens, grid: arrivals[target].grid)
      }, weights: tract.weights ?? .fanInUniform, gain: tract.gain ?? 1)
  }

  // MARK: Names and order

  private static func checkNames(_ plan: BrainPlan) throws {
    func problem(_ place: BrainError.Place, _ text: String) -> BrainError {
      BrainError(place: place, description: text)
    }
    for (index, region) in plan.regions.enumerated() {
      if region.name.wholeMatch(of: /[A-Za-z0-9_-]+/) == nil {
        throw problem(
          .region(index), "a region is called '\(region.name)'; names are letters, digits, _ and -")
      }
      if plan.regions[..<index].contains(where: { $0.name == region.name }) {
        throw problem(.region(index), "two regions are called '\(region.name)'")
      }
      for (word, value) in [("width", region.width), ("tokens", region.tokens)] {
        if let value, !(1...1_000_000).contains(value) {
          throw problem(
            .region(index), "region '\(region.name)': \(word) must be from 1 to 1000000, is \(value)")
        }
      }
      if let grid = region.grid, grid.count != 2 || grid.contains(where: { !(1...10_000).contains($0) }) {
        throw problem(.region(index), "region '\(region.name)': grid must be [rows, columns], is \(grid)")
      }
    }
    for (index, tract) in plan.tracts.enumerated()
    where plan.tracts[..<index].contains(where: { $0.name == tract.name }) {
      throw problem(
        .tract(index), "there are two tracts '\(tract.name)'; what a second would add, the first can learn")
    }
    if !(1...1_000_000).contains(plan.steps) {
      throw problem(.plan, "steps must be from 1 to 1000000, is \(plan.steps)")
    }
    guard plan.regions.contains(where: { $0.name == plan.output }) else {
      let mistake = unknownName("region", plan.output, in: plan.regions.map(\.name))
      throw problem(.plan, "output: \(mistake)")
    }
  }

  private static func ends(_ plan: BrainPlan, _ traits: [TractTraits]) throws -> [(from: Int, to: [Int])] {
    let names = plan.regions.map(\.name)
    return try plan.tracts.enumerated().map { index, tract in
      func problem(_ text: String) -> BrainError {
        BrainError(place: .tract(index), description: "tract '\(tract.name)': \(text)")
      }
      func find(_ name: String) throws -> Int {
        guard let place = names.firstIndex(of: name) else {
          throw problem("\(unknownName("region", name, in: names))")
        }
        return place
      }
      let to = try tract.to.map(find)
      if to.isEmpty || Set(to).count < to.count {
        throw problem("it must lead to one region, or to several different ones")
      }
      if to.count > 1, !traits[index].branches {
        throw problem(
          "only a router leads to several regions (through: router); write a tract for each instead")
      }
      if let target = to.first(where: { plan.regions[$0].builtIn == .input }) {
        throw problem("region '\(names[target])' shows the input, and nothing leads into it")
      }
      return (try find(tract.from), to)
    }
  }

  /// In the order of the plan, a tract is laid in order if it closes no loop with those before it.
  private static func lags(
    _ plan: BrainPlan, _ traits: [TractTraits], _ ends: [(from: Int, to: [Int])]
  ) throws -> [Int] {
    var next = [Set<Int>](repeating: [], count: plan.regions.count)
    func leads(_ start: Int, to goal: Int) -> Bool {
      var seen: Set<Int> = [], open = [start]
      while let region = open.popLast() {
        if region == goal { return true }
        if seen.insert(region).inserted { open += next[region] }
      }
      return false
    }
    let steps = plan.presentation == .whole ? plan.steps : .max
    return try zip(plan.tracts, ends).enumerated().map { index, pair in
      let (tract, ends) = pair
      func requirePast(_ lag: Int, _ what: String) throws {
        if lag < steps { return }
        throw BrainError(
          place: .tract(index),
          description: "tract '\(tract.name)' \(what) \(lag) step\(lag == 1 ? "" : "s") before, but there"
            + " \(steps == 1 ? "is only 1" : "are only \(steps)"); steps: \(lag + 1) or more would do,"
            + " or presentation: tokenByToken")
      }
      if traits[index].readsTarget { try requirePast(1, "listens to what its target did") }
      if !(0...10_000).contains(tract.delay) {
        throw BrainError(
          place: .tract(index),
          description: "tract '\(tract.name)': delay must be from 0 to 10000, is \(tract.delay)")
      }
      if tract.delay > 0 {
        try requirePast(tract.delay, "carries what its source did")
        return tract.delay
      }
      if ends.to.contains(where: { leads($0, to: ends.from) }) {
        try requirePast(1, "closes a loop, so it carries what its source did")
        return 1
      }
      next[ends.from].formUnion(ends.to)
      return 0
    }
  }

  /// Every region after those that lead to it, otherwise as in the plan.
  private static func order(_ count: Int, _ edges: [(from: Int, to: [Int])]) -> [Int] {
    var order: [Int] = []
    while order.count < count {
      // There is always one: the edges make no loop.
      let ready = (0..<count).first { region in
        !order.contains(region)
          && edges.allSatisfy { !$0.to.contains(region) || order.contains($0.from) }
      }
      guard let ready else { break }
      order.append(ready)
    }
    return order
  }

  // MARK: Shapes

  private static func fields(
    _ plan: BrainPlan, _ traits: [TractTraits], _ views: [Int: Field], _ answer: Int?, _ order: [Int],
    _ ends: [(from: Int, to: [Int])], _ lags: [Int]
  ) throws -> (arrivals: [Field], activities: [Field]) {
    let isWhole = plan.presentation == .whole
    var known = [Field?](repeating: nil, count: plan.regions.count)
    var arrivals = [Field?](repeating: nil, count: plan.regions.count)
    for index in order {
      let region = plan.regions[index]
      func problem(_ text: String) -> BrainError {
        BrainError(place: .region(index), description: "region '\(region.name)' \(text)")
      }
      if var view = views[index] {
        if !isWhole { (view.tokens, view.grid) = (1, nil) }
        known[index] = view
        arrivals[index] = view
        continue
      }
      let into = ends.indices.filter { ends[$0].to.contains(index) }
      if into.isEmpty { throw problem("gets nothing; a tract must lead to it") }
      let sources = into.filter { lags[$0] == 0 }.compactMap { known[ends[$0].from] }
      let past = into.filter { lags[$0] > 0 }.compactMap { known[ends[$0].from] }
      let kept = into.filter { traits[$0].keepsWidth }
      let keptWidth = kept.lazy.compactMap { known[ends[$0].from]?.width }.first
      let asked = region.width ?? (region.name == plan.output ? answer : nil)
      guard let width = asked ?? keptWidth ?? (sources + past).first?.width else {
        throw problem("has no width, and none follows from the tracts to it; say width: 64 or the like")
      }
      var tokens = region.tokens ?? region.grid.map { $0[0] * $0[1] }
      let most = (sources + past).map(\.tokens).max()
      tokens = tokens ?? most
      guard let tokens else {
        throw problem("gets only what comes later in the plan; say how many tokens it has (tokens: 1)")
      }
      if !isWhole, tokens > 1 {
        throw problem("has \(tokens) tokens, but the input is shown one at a time (tokenByToken)")
      }
      var grid = (sources + past).first { $0.tokens == tokens && $0.grid != nil }?.grid
      if let given = region.grid {
        if given[0] * given[1] != tokens {
          throw problem("has \(tokens) tokens, which do not lie in a grid of \(given[0]) x \(given[1])")
        }
        grid = Slot.Grid(rows: given[0], columns: given[1])
      }
      // Units take what they put out; other parts say themselves what they can do with other widths.
      let input = region.builtIn == .units ? width : keptWidth ?? width
      arrivals[index] = Field(tokens: tokens, width: input, grid: grid)
      known[index] = Field(tokens: tokens, width: width, grid: grid)
    }
    return (arrivals.compactMap { $0 }, known.compactMap { $0 })
  }

  /// What every tract brings must fit what its target takes.
  private func checkTracts() throws {
    for (index, tract) in plan.tracts.enumerated() {
      for target in ends[index].to {
        let source = activities[ends[index].from], wanted = arrivals[target]
        let region = plan.regions[target].name
        func problem(_ brings: Field, _ remedy: String) -> BrainError {
          BrainError(
            place: .tract(index),
            description: "tract '\(tract.name)' brings \(brings) to region '\(region)', which takes"
              + " \(wanted); \(remedy)")
        }
        var brings = source
        if !traits[index].keepsWidth { brings.width = wanted.width }
        if brings.width != wanted.width {
          let remedy =
            tract.through.name == DirectTract.card.id
            ? "a projection would fit (through: projection)"
            : "another region of width \(wanted.width) between them would fit"
          throw problem(brings, "\(remedy), or a width of \(wanted.width) in region '\(tract.from)'")
        }
        if brings.tokens != wanted.tokens, brings.tokens != 1, wanted.tokens != 1 {
          throw problem(
            brings,
            "tokens: 1 in region '\(region)' would take their mean, tokens: \(brings.tokens) all of them")
        }
      }
    }
    for (index, region) in plan.regions.enumerated() where region.residual {
      if arrivals[index].width != activities[index].width {
        throw BrainError(
          place: .region(index),
          description: "region '\(region.name)' takes \(arrivals[index]) and puts out"
            + " \(activities[index]), which cannot be added (residual); equal widths would fit")
      }
    }
  }
}

extension Region {
  var builtIn: BuiltIn? { BuiltIn(rawValue: part.name) }
}
