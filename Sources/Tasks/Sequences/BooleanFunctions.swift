import CallosumContracts
import CallosumTensors

/// Boolean functions learned in context (Bhattamishra et al. 2023): examples x of a function and its values
/// y by turns, and at each x its value is wanted.
///
/// x is in {-1, 1}^d. A sequence is x1, y1, x2, y2, ... as vectors of d numbers, y followed by zeros; label
/// 1 stands for y = 1, label 0 for y = -1. Every sequence has a function of its own.
public struct BooleanFunctions: LearningTask {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// y = sign(w x - (|w| - 1)), |w| the sum of magnitudes; w is 0, 1, -1 with chances .7, .15, .15; an
    /// example is made true with chance .3.
    case conjunction
    /// y = sign(w x + (|w| - 1)), otherwise alike; an example is made false with chance .3.
    case disjunction
    /// A disjunction of 4 variables, none negated.
    case sparseDisjunction
    /// Three conjunctions (chances .8, .1, .1), true where one of them is; an example is made to satisfy
    /// one of them, always the same, with chance .35.
    case disjunctiveNormalForm
    /// Three disjunctions, true where all of them are; one of them is made false with chance .3.
    case conjunctiveNormalForm
    /// Whether an odd number of 2 variables is 1.
    case sparseParity
    /// y = sign(w x - 1/2), w is 1 with chance .3, else 0.
    case sparseMajority
    /// y = sign(w x - 1/2), w uniform in -3...3.
    case integerHalfspace
    /// The first `anchors` values are random, later ones those of the most similar x before (the first of
    /// equals); an x that came before keeps its value.
    case nearestNeighbour
    /// A conjunction of m literals that begins with its teaching sequence: two true examples whose other
    /// variables are all -1 and all 1, and m false ones with one literal flipped each. The others are
    /// made true with chance .4.
    case taughtConjunction
  }

  /// The examples of one function: x [examples][variables] and y, all -1 or 1.
  public struct Episode: Sendable, Equatable {
    public var x: [[Int]]
    public var y: [Int]
    public init(x: [[Int]], y: [Int]) {
      self.x = x
      self.y = y
    }
  }

  public let name = "Boolean functions in context"
  public let kind: Kind
  /// d
  public let variables: Int
  /// Examples of a sequence.
  public let examples: Int
  public let anchors: Int
  public let seed: UInt64

  public init(
    _ kind: Kind, variables: Int = 8, examples: Int = 24, anchors: Int = 8, seed: UInt64 = 0
  ) throws {
    try require(variables >= 4, "Boolean functions need at least 4 variables, got \(variables)")
    try require(examples > 0, "a sequence needs at least 1 example, got \(examples)")
    try require(anchors > 0, "nearest neighbours need at least 1 anchor, got \(anchors)")
    (self.kind, self.variables, self.examples) = (kind, variables, examples)
    (self.anchors, self.seed) = (anchors, seed)
  }

  public var id: String { "boolean-\(kind.rawValue)" }
  public var input: TaskInput { .values([2 * examples, variables]) }
  public var positions: [Int] { [2 * examples] }
  public let objective = Objective.classes(2)
  /// The answer to an example stands behind it.
  public let order = TokenOrder.causal
  public func count(_ split: Split) -> Int? { nil }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    var inputs: [Float] = []
    var targets: [Int32] = []
    for index in indices {
      let episode = episode(split, index)
      for (x, y) in zip(episode.x, episode.y) {
        inputs += x.map { Float($0) } + [Float(y)] + [Float](repeating: 0, count: variables - 1)
        targets += [y > 0 ? 1 : 0, 0]
      }
    }
    let isScored = (0..<targets.count).map { $0 % 2 == 0 }
    let shape = [indices.count, 2 * examples]
    return Batch(
      inputs: Tensor(inputs, shape + [variables]), targets: Tensor(targets, shape),
      mask: Tensor(isScored, shape))
  }

  public func episode(_ split: Split, _ index: Int) -> Episode {
    var generator = exampleStream("example", of: id, seed, split, index)
    return drawn(for: split, of: id, using: &generator, by: Self.fingerprint) { episode(using: &$0) }
  }

  private static func fingerprint(_ episode: Episode) -> UInt64 {
    CallosumContracts.fingerprint(
      (episode.x.joined() + episode.y).lazy.map { UInt64(bitPattern: Int64($0)) })
  }

  private func episode(using generator: inout RandomGenerator) -> Episode {
    var x = (0..<examples).map { _ in (0..<variables).map { _ in generator.uniform() < 0.5 ? -1 : 1 } }
    /// Sets the variables of `weights` to `value` times their sign, in examples drawn with `chance`.
    func force(_ weights: [Int], _ value: Int, chance: Double) {
      for example in x.indices where generator.uniform() < chance {
        for (variable, weight) in weights.enumerated() where weight != 0 {
          x[example][variable] = value * weight
        }
      }
    }
    func ternary(_ share: Double) -> [Int] {
      (0..<variables).map { _ in
        let draw = generator.uniform()
        return draw < share ? 1 : draw < 2 * share ? -1 : 0
      }
    }
    func chosen(_ count: Int) -> [Int] {
      let ones = Set(generator.distinct(count, of: variables))
      return (0..<variables).map { ones.contains($0) ? 1 : 0 }
    }
    let value: ([Int]) -> Int
    switch kind {
    case .conjunction:
      let weights = ternary(0.15)
      force(weights, 1, chance: 0.3)
      value = { conjunction(weights, $0) }
    case .disjunction:
      let weights = ternary(0.15)
      force(weights, -1, chance: 0.3)
      value = { disjunction(weights, $0) }
    case .sparseDisjunction:
      let weights = chosen(4)
      force(weights, -1, chance: 0.3)
      value = { disjunction(weights, $0) }
    case .disjunctiveNormalForm:
      let terms = (0..<3).map { _ in ternary(0.1) }
      force(terms[Int.random(in: 0..<3, using: &generator)], 1, chance: 0.35)
      value = { x in terms.map { conjunction($0, x) }.max() ?? -1 }
    case .conjunctiveNormalForm:
      let clauses = (0..<3).map { _ in ternary(0.1) }
      force(clauses[Int.random(in: 0..<3, using: &generator)], -1, chance: 0.3)
      value = { x in clauses.map { disjunction($0, x) }.min() ?? 1 }
    case .sparseParity:
      let weights = chosen(2)
      value = { x in zip(weights, x).count { $0 == 1 && $1 == 1 } % 2 == 1 ? 1 : -1 }
    case .sparseMajority:
      let weights = (0..<variables).map { _ in generator.uniform() < 0.3 ? 1 : 0 }
      value = { dot(weights, $0) > 0 ? 1 : -1 }
    case .integerHalfspace:
      let weights = (0..<variables).map { _ in Int.random(in: -3...3, using: &generator) }
      value = { dot(weights, $0) > 0 ? 1 : -1 }
    case .nearestNeighbour:
      return Episode(x: x, y: nearestNeighbourValues(x, using: &generator))
    case .taughtConjunction:
      let weights = ternary(0.15)
      force(weights, 1, chance: 0.4)
      let lesson = teachingSequence(of: weights).prefix(examples)
      x.replaceSubrange(0..<lesson.count, with: lesson)
      value = { conjunction(weights, $0) }
    }
    return Episode(x: x, y: x.map(value))
  }

  private func nearestNeighbourValues(_ x: [[Int]], using generator: inout RandomGenerator) -> [Int] {
    var y: [Int] = []
    for example in x.indices {
      var nearest = 0
      for other in 0..<example where dot(x[other], x[example]) > dot(x[nearest], x[example]) {
        nearest = other
      }
      let isKnown = example > 0 && x[nearest] == x[example]
      let isRandom = example < anchors && !isKnown
      y.append(isRandom ? (generator.uniform() < 0.5 ? -1 : 1) : y[nearest])
    }
    return y
  }
}

private func dot(_ a: [Int], _ b: [Int]) -> Int { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

private func literals(_ weights: [Int]) -> Int { weights.reduce(0) { $0 + abs($1) } }

/// 1 where all literals hold, also where there are none; else -1.
private func conjunction(_ weights: [Int], _ x: [Int]) -> Int {
  dot(weights, x) > literals(weights) - 1 ? 1 : -1
}

/// 1 where a literal holds; else -1.
private func disjunction(_ weights: [Int], _ x: [Int]) -> Int {
  dot(weights, x) > 1 - literals(weights) ? 1 : -1
}

/// See ``BooleanFunctions/Kind/taughtConjunction``.
private func teachingSequence(of weights: [Int]) -> [[Int]] {
  let low = weights.map { $0 == 0 ? -1 : $0 }, high = weights.map { $0 == 0 ? 1 : $0 }
  // Literals that are not negated are flipped first.
  let order = weights.indices.filter { weights[$0] > 0 } + weights.indices.filter { weights[$0] < 0 }
  return [low, high]
    + order.map { literal in
      var flipped = low
      flipped[literal] = -weights[literal]
      return flipped
    }
}
