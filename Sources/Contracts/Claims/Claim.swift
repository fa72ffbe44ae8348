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
  /// What has no chance in it: theorems, identities. They run once and decide nothing about seeds.
  public let checks: [Check]
  /// How settings were chosen; nil if nothing was.
  public let tuning: Tuning?
  /// Two sentences on a verdict that is not `holds`: what speaks for our scale, for the paper, or for an error
  /// of ours that was looked for. `{accuracy(delta)}` stands for what the arm `delta` measured in the run that
  /// is explained, so that no figure is of another.
  public let explanations: [Verdict: String]
  /// Trains and measures one arm from one seed.
  public let run: @Sendable (ClaimRun) throws -> ClaimResult
  /// Makes a picture that shows what the mechanism does; what has to be trained for it is watched.
  public let picture: (@Sendable (ClaimRun.Observer) throws -> Picture)?

  /// Where it is written, as the compiler saw it: what a result is of can be told by the text of that folder.
  package let file: String

  /// - Parameter file: where the claim is written; leave it out.
  public init(
    of card: Card, sentence: String, paperFigure: String, experiment: String, arms: [Arm], metrics: [Metric],
    criterion: Criterion, matching: Matching, file: String = #filePath,
    checks: [Check] = [], tuning: Tuning? = nil, explanations: [Verdict: String] = [:],
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
    self.file = file
    self.checks = checks
    self.tuning = tuning
    self.explanations = explanations
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

  /// A statement without chance, such as a theorem on a case that can be computed.
  public struct Check: Sendable {
    /// What should be true, in a sentence.
    public let statement: String
    public let run: @Sendable (ClaimRun) throws -> Outcome

    public struct Outcome: Sendable, Equatable, Codable {
      public let isTrue: Bool
      /// What was found, in words with figures.
      public let found: String

      public init(_ isTrue: Bool, found: String) {
        self.isTrue = isTrue
        self.found = found
      }
    }

    public init(_ statement: String, run: @escaping @Sendable (ClaimRun) throws -> Outcome) {
      self.statement = statement
      self.run = run
    }
  }

  /// How the settings of the arms were chosen: on seeds that are never judged, with as many trials for each arm.
  public struct Tuning: Sendable, Equatable, Codable {
    /// The seeds of tuning are these and above; those that are judged are below.
    public static let firstSeed: UInt64 = 100

    public let seeds: [UInt64]
    /// Settings that were tried for each arm.
    public let trialsPerArm: Int
    /// What was tried and what was taken, in a sentence.
    public let choice: String

    public init(seeds: [UInt64], trialsPerArm: Int, choice: String) {
      self.seeds = seeds
      self.trialsPerArm = trialsPerArm
      self.choice = choice
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
    for (verdict, text) in explanations {
      for (metric, arm) in Claim.figures(in: text) {
        for (kind, name, names) in [("arm", arm, armNames), ("metric", metric, metricNames)]
        where !names.contains(name) {
          throw InvalidInput(
            "claim \(id), explanation of '\(verdict.rawValue)': \(unknownName(kind, name, in: names))")
        }
      }
    }
    for seed in tuning?.seeds ?? [] {
      try check(
        seed >= Tuning.firstSeed,
        "seed \(seed) was tuned on, which may be judged; tune on \(Tuning.firstSeed) and above")
    }
  }

  /// The explanation of a verdict with the figures of its run; nil if there is none to give.
  /// - Parameter figure: what an arm measured, in words.
  public func explanation(of verdict: Verdict, figure: (_ metric: String, _ arm: String) -> String) -> String?
  {
    explanations[verdict]?.replacing(Claim.figurePattern) { match in
      figure(String(match.output.1), String(match.output.2))
    }
  }

  private static var figurePattern: Regex<(Substring, Substring, Substring)> {
    /\{([^{}()]+)\(([^{}()]+)\)\}/
  }

  private static func figures(in text: String) -> [(metric: String, arm: String)] {
    text.matches(of: figurePattern).map { (String($0.output.1), String($0.output.2)) }
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
