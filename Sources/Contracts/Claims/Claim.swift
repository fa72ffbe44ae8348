import CallosumTensors

/// A paper's central claim as an experiment that was decided on before it was run.
public struct Claim: Sendable {
  /// The part that it is about.
  public let card: Card
  /// The claim in one sentence.
  public let sentence: String
  /// What the paper reports, in its own setting.
  public let paperFigure: String
  /// What is done here, in a sentence or two.
  public let experiment: String
  public let arms: [Arm]
  /// What is measured; the first is the one that tables show.
  public let metrics: [Metric]
  public let criterion: Criterion
  /// What makes the arms comparable.
  public let matching: Matching
  public let seeds: [UInt64]
  /// Two sentences on a verdict that is not `holds`: our scale, the paper, or an error that was looked for
  /// and not found.
  public let explanation: String?
  /// Trains and measures one arm from one seed.
  public let run: @Sendable (ClaimRun) throws -> ClaimResult
  /// Makes a picture that shows what the mechanism does; what has to be trained for it is watched.
  public let picture: (@Sendable (ClaimRun.Observer) throws -> Picture)?

  public init(
    of card: Card, sentence: String, paperFigure: String, experiment: String, arms: [Arm], metrics: [Metric],
    criterion: Criterion, matching: Matching,
    seeds: [UInt64] = [1, 2, 3], explanation: String? = nil,
    picture: (@Sendable (ClaimRun.Observer) throws -> Picture)? = nil,
    run: @escaping @Sendable (ClaimRun) throws -> ClaimResult
  ) {
    self.card = card
    self.sentence = sentence
    self.paperFigure = paperFigure
    self.experiment = experiment
    self.arms = arms
    self.metrics = metrics
    self.criterion = criterion
    self.matching = matching
    self.seeds = seeds
    self.explanation = explanation
    self.picture = picture
    self.run = run
  }

  public var id: String { card.id }

  /// One thing that is compared.
  public struct Arm: Sendable, Equatable, Codable {
    public enum Role: String, Sendable, Codable {
      case mechanism, baseline, ablation
      /// Shows the range of the measure: chance, an upper bound.
      case reference
    }
    public let id: String
    public let name: String
    public let role: Role

    public init(_ id: String, _ name: String, _ role: Role) {
      self.id = id
      self.name = name
      self.role = role
    }
  }

  /// What makes arms comparable.
  public enum Matching: Sendable, Equatable {
    /// Learned numbers agree within this fraction of the mechanism's.
    case parameters(within: Double)
    /// Something else does; said in a sentence.
    case stated(String)
  }
}

extension Claim {
  /// Whether names fit together: arms and metrics named once, a mechanism among the arms, and a criterion that
  /// reads what there is.
  /// - Throws: `InvalidInput` that names what does not fit.
  public func validate() throws {
    func check(_ condition: Bool, _ problem: String) throws {
      try require(condition, "claim \(id): \(problem)")
    }
    let (armNames, metricNames) = (arms.map(\.id), metrics.map(\.name))
    for (kind, names) in [("arm", armNames), ("metric", metricNames)] {
      try check(!names.isEmpty && !names.contains(""), "every \(kind) needs a name, and there must be one")
      for (place, name) in names.enumerated() {
        try check(!names[..<place].contains(name), "two \(kind)s have the name '\(name)'")
      }
    }
    try check(arms.contains { $0.role == .mechanism }, "no arm has the role 'mechanism'")
    try check(!criterion.conditions.isEmpty, "its criterion has no condition")
    for (metric, arm) in criterion.inputs {
      for (kind, name, names) in [("arm", arm, armNames), ("metric", metric, metricNames)]
      where !names.contains(name) {
        throw InvalidInput("claim \(id), criterion: \(unknownName(kind, name, in: names))")
      }
    }
  }

  /// Whether an arm measured what it should: metrics of the claim only, and all that the criterion reads of it.
  /// - Throws: `InvalidInput` that names the metric.
  public func validate(_ measured: [String: Double], of arm: String) throws {
    let names = metrics.map(\.name)
    for name in measured.keys.sorted() where !names.contains(name) {
      throw InvalidInput("claim \(id), arm \(arm): \(unknownName("metric", name, in: names))")
    }
    for input in criterion.inputs where input.arm == arm && measured[input.metric] == nil {
      throw InvalidInput(
        "claim \(id): the criterion reads '\(input.metric)' of \(arm), which does not measure it")
    }
  }
}

/// How long a claim may take.
public enum ClaimBudget: String, Sendable, Codable, CaseIterable {
  /// About three minutes on two cores for all arms and seeds.
  case quick
  /// As long as it takes to tell.
  case full
}

/// One run of a claim: an arm, a seed, how much to do, and somebody who listens.
public struct ClaimRun {
  public let arm: String
  public let seed: UInt64
  private let extent: Extent
  private let observer: Observer

  private enum Extent {
    case whole(ClaimBudget)
    /// Two steps on a little data, to see that it runs. Not a budget: nobody can ask for it and nothing is
    /// judged by it.
    case trial
  }

  /// What a run tells while it goes on.
  public enum Event {
    /// How much of the run is done, 0 to 1.
    case progress(Double)
    /// A metric on the way, such as a loss.
    case point(step: Int, metric: String, value: Double)
  }

  /// Who waits for a run: hears of it, and may want it to end.
  public struct Observer {
    fileprivate let onEvent: (Event) -> Void
    fileprivate let isCancelled: () -> Bool

    /// `isCancelled` is polled between steps, and a run that sees it stops with `CancellationError`.
    public init(
      onEvent: @escaping (Event) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
    ) {
      self.onEvent = onEvent
      self.isCancelled = isCancelled
    }
  }

  public init(arm: String, seed: UInt64, budget: ClaimBudget, observer: Observer = Observer()) {
    self.arm = arm
    self.seed = seed
    extent = .whole(budget)
    self.observer = observer
  }

  /// A run that only shows that an arm runs, as tests do: two steps where there are many, and little data.
  public init(trialOf arm: String, seed: UInt64) {
    self.arm = arm
    self.seed = seed
    extent = .trial
    observer = Observer()
  }

  /// How often something is repeated, such as a step of training: two times at most in a trial.
  public func steps(quick: Int, full: Int) -> Int {
    count(quick: quick, full: full, trial: min(quick, 2))
  }

  /// Steps that are as many whatever the budget; two at most in a trial.
  public func steps(_ steps: Int) -> Int { self.steps(quick: steps, full: steps) }

  /// How many there are of something by which a run takes long: examples, layers, repetitions.
  public func count(quick: Int, full: Int, trial: Int) -> Int {
    switch extent {
    case .whole(.quick): quick
    case .whole(.full): full
    case .trial: trial
    }
  }

  /// As many whatever the budget, fewer in a trial.
  public func count(_ count: Int, trial: Int) -> Int { self.count(quick: count, full: count, trial: trial) }

  /// Random numbers of this seed: the same for every arm under one name, so that arms see the same data.
  public func random(_ stream: String) -> RandomGenerator { RandomGenerator(seed: seed).stream(stream) }

  /// Says how far the run is; stops it if it is no longer wanted.
  public func progress(_ fraction: Double) throws {
    if observer.isCancelled() { throw CancellationError() }
    observer.onEvent(.progress(fraction))
  }

  /// Notes a metric on the way.
  public func note(_ metric: String, _ value: Double, step: Int) {
    observer.onEvent(.point(step: step, metric: metric, value: value))
  }
}

/// What one run of a claim measured.
public struct ClaimResult: Sendable {
  /// By the names of the claim's metrics.
  public let metrics: [String: Double]
  /// Learned numbers.
  public let parameters: Int
  /// Multiply-accumulates of one forward pass on one example; nil where that means nothing.
  public let multiplyAccumulates: Int?

  public init(_ metrics: [String: Double], parameters: Int, multiplyAccumulates: Int? = nil) {
    self.metrics = metrics
    self.parameters = parameters
    self.multiplyAccumulates = multiplyAccumulates
  }
}
