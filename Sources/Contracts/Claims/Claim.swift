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

/// How long a claim may take.
public enum ClaimBudget: String, Sendable, Codable, CaseIterable {
  /// About three minutes on two cores for all arms and seeds.
  case quick
  /// As long as it takes to tell.
  case full
}

/// One run of a claim: an arm, a seed and somebody who listens.
public struct ClaimRun {
  public let arm: String
  public let seed: UInt64
  public let budget: ClaimBudget
  private let observer: Observer

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
    self.budget = budget
    self.observer = observer
  }

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
