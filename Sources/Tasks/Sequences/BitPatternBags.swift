import CallosumContracts
import CallosumTensors

/// Bags of bit patterns, of which some hold a signal (Ramsauer et al. 2020): is there one?
///
/// Patterns are `bits` zeros and ones; `signals` of them, drawn once, are signals. A bag holds `instances`
/// patterns that are none, uniform; in a bag of class 1, which half of them are, one is replaced by a signal.
public struct BitPatternBags: LearningTask {
  public let id = "bit-pattern-bags"
  public let name = "Bags of bit patterns"
  public let bits, instances: Int
  /// The signals as numbers below 2 to the power of `bits`.
  public let signals: Set<Int>
  public let seed: UInt64
  private let counts: [Split: Int]

  public init(
    bits: Int = 8, instances: Int = 16, signals: Int = 8, training: Int = 1024, validation: Int = 128,
    test: Int = 512, seed: UInt64 = 0
  ) throws {
    try require((2...20).contains(bits), "patterns must have 2 to 20 bits, not \(bits)")
    try require(instances > 0, "a bag needs at least 1 instance, got \(instances)")
    try require(
      signals > 0 && signals < 1 << bits, "of \(1 << bits) patterns, 1 to \((1 << bits) - 1) can be signals")
    (self.bits, self.instances, self.seed) = (bits, instances, seed)
    counts = [.training: training, .validation: validation, .test: test]
    var generator = RandomGenerator(seed: seed).stream("bit-pattern-bags/signals")
    self.signals = Set(generator.distinct(signals, of: 1 << bits))
  }

  public var input: TaskInput { .values([instances, bits]) }
  public let positions: [Int] = []
  public let objective = Objective.classes(2)
  public let order = TokenOrder.set
  public func count(_ split: Split) -> Int? { counts[split] ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let bags = indices.map { bag(split, $0) }
    let values = bags.joined().flatMap { pattern in (0..<bits).map { Float(pattern >> $0 & 1) } }
    return Batch(
      inputs: Tensor(values, [indices.count, instances, bits]),
      targets: Tensor(bags.map { $0.contains(where: signals.contains) ? Int32(1) : 0 }))
  }

  private func bag(_ split: Split, _ index: Int) -> [Int] {
    let backgrounds = (0..<1 << bits).filter { !signals.contains($0) }, known = signals.sorted()
    var generator = exampleStream("bag", of: id, seed, split, index)
    return drawn(for: split, of: id, using: &generator, by: { fingerprint($0.lazy.map { UInt64($0) }) }) {
      generator in
      var bag = (0..<instances).map { _ in
        backgrounds[Int.random(in: backgrounds.indices, using: &generator)]
      }
      if generator.uniform() < 0.5 {
        let signal = known[Int.random(in: known.indices, using: &generator)]
        bag[Int.random(in: bag.indices, using: &generator)] = signal
      }
      return bag
    }
  }
}
