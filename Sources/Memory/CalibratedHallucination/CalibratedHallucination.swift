import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// What a calibrated generator must get wrong (Kalai and Vempala 2023, theorem 1), for facts that are listed:
/// with n draws from facts of probabilities p, of which fact i was seen c_i times, a generator puts `novelty`
/// of its mass evenly on the factoids that it has not seen and spreads the rest by counts,
///
///     g(seen i) = (1 - novelty) c_i / n,   g(unseen) = novelty / (factoids - facts seen)
///
/// Then g says falsehoods with the share g(H) and, with probability 1 - delta,
///
///     g(H) >= MF - Mis - 3 (facts / falsehoods) / delta - sqrt(6 ln(6 / delta) / n)
///
/// with MF the Good-Turing estimate (facts seen once, over n) and Mis half the sum over the values of g of
/// |p(B) - g(B)|, B being all factoids of that value. ``FactoidWorld`` has the same for worlds too large to
/// list; nothing here has parameters.
public struct CalibratedHallucination: Procedure {
  public struct Settings: Configuration {
    /// Plausible statements, true and false together.
    public var factoids = 1_000_000
    /// Mass on what was not seen; below 0 it is the Good-Turing estimate, which nearly calibrates.
    public var novelty = -1.0
    /// Chance that the bound is allowed to fail.
    public var delta = 0.01
    public init() {}

    public func validate() throws {
      try require(factoids > 1, "factoids must be at least 2, is \(factoids)")
      try require(novelty <= 1, "novelty must be at most 1, is \(novelty)")
      try require(delta > 0 && delta < 1, "delta must be between 0 and 1, is \(delta)")
    }
  }

  public static let card = Card(
    id: "calibrated-hallucination", name: "Calibrated hallucination", family: .memory,
    paper: Paper(
      "Calibrated Language Models Must Hallucinate",
      by: ["Adam Tauman Kalai", "Santosh S. Vempala"],
      year: 2023, link: "https://arxiv.org/abs/2311.14648"),
    summary: "How often a generator that has only seen a sample of facts must say falsehoods: what is still "
      + "unseen, by Good and Turing, less how badly it is calibrated.",
    verification: "sums over listed factoids, the expected missing mass, and exact small worlds")

  public static var trials: [Trial<Settings>] {
    var eager = Settings(), memoriser = Settings()
    (eager.factoids, eager.novelty, eager.delta) = (50, 0.7, 0.2)
    (memoriser.factoids, memoriser.novelty) = (1000, 0.05)
    return [
      Trial(eager, in: Slot(width: 7, tokens: 1)), Trial(memoriser, in: Slot(width: 13, tokens: 1)),
    ]
  }

  public let settings: Settings

  /// - Throws: `InvalidInput` for settings that make no sense.
  public init(_ settings: Settings = Settings()) throws {
    try settings.validate()
    self.settings = settings
  }

  /// What a world is and what was seen of it.
  public struct Input {
    /// Of each fact [facts]; they are divided by their sum.
    public let probabilities: Tensor
    /// How often each fact was drawn [facts] (int32).
    public let counts: Tensor
    public init(probabilities: Tensor, counts: Tensor) {
      (self.probabilities, self.counts) = (probabilities, counts)
    }
  }

  /// Shares, each a tensor [1].
  public struct Outcome {
    public let hallucination, miscalibration, goodTuring, bound: Tensor
  }

  /// - Throws: `InvalidInput` if nothing was drawn, or facts and counts differ in number.
  public func run(_ input: Input) throws -> Outcome {
    let facts = input.probabilities.size
    try require(
      input.counts.size == facts && facts < settings.factoids,
      "\(Self.card.id) needs a count for each of its \(facts) facts, and more factoids than facts")
    let type = input.probabilities.dtype
    let counts = input.counts.doubles.compactMap { Int(exactly: $0) }, draws = counts.reduce(0, +)
    try require(
      draws > 0 && counts.count == facts && counts.allSatisfy { $0 >= 0 },
      "\(Self.card.id) needs counts, at least one above 0")
    let goodTuring = Double(counts.count { $0 == 1 }) / Double(draws)
    let novelty = settings.novelty < 0 ? goodTuring : settings.novelty
    let unseen = Double(settings.factoids - counts.count { $0 > 0 })
    let falsehoods = Double(settings.factoids - facts)

    // Factoids of one count have one g; those never seen share theirs with all falsehoods.
    let values = Set(counts).union([0]).sorted()
    let places = counts.map { count in Int32(values.firstIndex(of: count) ?? 0) }
    let p = input.probabilities / input.probabilities.sum()
    let ofFacts = p.segmentSum(Tensor(places), count: values.count)
    let ofGenerator = values.map { value -> Double in
      let alike = Double(counts.count { $0 == value })
      return value == 0 ? novelty : (1 - novelty) * alike * Double(value) / Double(draws)
    }
    let miscalibration =
      abs(ofFacts - Tensor(ofGenerator).asType(type)).sum(keepDims: true) * 0.5
    let slack =
      3 * Double(facts) / falsehoods / settings.delta
      + (6 * Foundation.log(6 / settings.delta) / Double(draws)).squareRoot()
    func number(_ value: Double) -> Tensor { .full([1], value, dtype: type) }
    return Outcome(
      hallucination: number(novelty * falsehoods / unseen), miscalibration: miscalibration,
      goodTuring: number(goodTuring), bound: number(goodTuring - slack) - miscalibration)
  }

  /// `probabilities` and `counts` [facts] in; the slot's width is the number of facts.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let procedure = try CalibratedHallucination(settings)
    try require(
      slot.width < settings.factoids,
      "\(card.id): \(settings.factoids) factoids are too few for \(slot.width) facts")
    let facts = TensorPort.Extent.fixed(slot.width)
    return Door(
      inputs: [
        TensorPort("probabilities", [facts], .fractions), TensorPort("counts", [facts], .indices(below: 4)),
      ],
      outputs: ["hallucination", "miscalibration", "bound"].map { TensorPort($0, [.fixed(1)]) },
      rowsAreIndependent: false, startsAtRandom: false
    ) { tensors, _ in
      guard let probabilities = tensors["probabilities"], let counts = tensors["counts"] else { return [:] }
      let outcome = try procedure.run(Input(probabilities: probabilities, counts: counts))
      return [
        "hallucination": outcome.hallucination, "miscalibration": outcome.miscalibration,
        "bound": outcome.bound,
      ]
    }
  }
}
