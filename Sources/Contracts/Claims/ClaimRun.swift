import CallosumTensors

/// How long a claim may take.
public enum ClaimBudget: String, Sendable, Codable, CaseIterable {
  /// At most ten minutes on two cores for all arms, mostly far less: see what is recorded.
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

  /// What a check runs in: no arm, and random numbers that are always the same.
  public init(checkWith observer: Observer = Observer()) {
    self.init(arm: "", seed: 0, budget: .quick, observer: observer)
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
