import CallosumContracts
import CallosumTensors

/// a ∘ b modulo p from two tokens: the table of all pairs, of which a share is learned from and the rest
/// is split evenly between validation and judging (Power et al. 2022).
///
/// A part of the training labels can be corrupted: drawn anew, uniform over 0..<p, so that some stay right
/// by chance (Doshi et al. 2023).
public struct ModularArithmetic: LearningTask {
  public enum Operation: String, Codable, Sendable, CaseIterable {
    case add, subtract, multiply
    /// a / b; wants a prime modulus and leaves b = 0 out.
    case divide
    /// a² + b²
    case sumOfSquares
  }

  public let id = "modular-arithmetic"
  public let name = "Modular arithmetic"
  public let modulus: Int
  public let operation: Operation
  private let pairs: [Split: [(a: Int, b: Int)]]
  private let trainingLabels: [Int]

  public init(
    modulus: Int = 97, operation: Operation = .add, trainingShare: Double = 0.5, corruption: Double = 0,
    seed: UInt64 = 0
  ) throws {
    try require((3...4096).contains(modulus), "modulus must be from 3 to 4096, is \(modulus)")
    try require(
      trainingShare > 0 && trainingShare < 1, "trainingShare must lie between 0 and 1, is \(trainingShare)")
    try require((0...1).contains(corruption), "corruption must be from 0 to 1, is \(corruption)")
    let isPrime = (2..<modulus).allSatisfy { modulus % $0 != 0 }
    try require(operation != .divide || isPrime, "division needs a prime modulus, \(modulus) is none")
    (self.modulus, self.operation) = (modulus, operation)

    let random = RandomGenerator(seed: seed)
    var order = random.stream("modular-arithmetic/order")
    let second = operation == .divide ? 1..<modulus : 0..<modulus
    let all = (0..<modulus).flatMap { a in second.map { b in (a: a, b: b) } }.shuffled(using: &order)
    let learned = Int((trainingShare * Double(all.count)).rounded())
    let rest = all.count - learned
    try require(
      learned > 0 && rest > 1, "a share of \(trainingShare) of \(all.count) pairs leaves a split empty")
    pairs = [
      .training: Array(all[..<learned]), .validation: Array(all[learned..<learned + rest / 2]),
      .test: Array(all[(learned + rest / 2)...]),
    ]
    var labels = all[..<learned].map { Self.result($0.a, $0.b, operation, modulus) }
    var noise = random.stream("modular-arithmetic/corruption")
    for place in noise.distinct(Int((corruption * Double(learned)).rounded()), of: learned) {
      labels[place] = Int.random(in: 0..<modulus, using: &noise)
    }
    trainingLabels = labels
  }

  public var input: TaskInput { .tokens(vocabulary: modulus, length: 2) }
  public let positions: [Int] = []
  public var objective: Objective { .classes(modulus) }
  public func count(_ split: Split) -> Int? { pairs[split]?.count ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let pairs = pairs[split] ?? []
    let labels = indices.map { index in
      split == .training
        ? trainingLabels[index] : Self.result(pairs[index].a, pairs[index].b, operation, modulus)
    }
    return Batch(
      inputs: Tensor(indices.flatMap { [Int32(pairs[$0].a), Int32(pairs[$0].b)] }, [indices.count, 2]),
      targets: Tensor(labels.map { Int32($0) }))
  }

  /// The training examples whose label is wrong.
  public var wrongLabels: [Int] {
    (pairs[.training] ?? []).enumerated().compactMap { index, pair in
      trainingLabels[index] == Self.result(pair.a, pair.b, operation, modulus) ? nil : index
    }
  }

  private static func result(_ a: Int, _ b: Int, _ operation: Operation, _ p: Int) -> Int {
    switch operation {
    case .add: (a + b) % p
    case .subtract: (a - b + p) % p
    case .multiply: a * b % p
    // Fermat: the inverse of b is b to the power of p - 2.
    case .divide: a * (0..<p - 2).reduce(1) { power, _ in power * b % p } % p
    case .sumOfSquares: (a * a + b * b) % p
    }
  }
}
