import CallosumContracts
import CallosumTensors

/// Bags of bit patterns (multiple-instance learning, Ramsauer et al. 2020, section 4.2): every bag holds
/// `instances` patterns of `bits` bits, none of them all zeros. A few patterns are signals: bags with an
/// even index hold exactly one of them in a random place, the others none.
public struct BitPatternBags: LearningTask {
  public let id = "bit-pattern-bags"
  public let name = "Bags of bit patterns"
  public let instances, bits: Int
  public let counts: [Split: Int]
  private let signals: [UInt64]
  private let random: RandomGenerator

  /// - Throws: `Mistake` if there are not enough patterns for so many signals.
  public init(
    instances: Int = 16, bits: Int = 8, signals count: Int = 8,
    counts: [Split: Int] = [.training: 1024, .validation: 0, .judged: 512], seed: UInt64
  ) throws {
    try expect((1...62).contains(bits), "bits must be from 1 to 62, is \(bits)")
    try expect(instances > 0, "instances must be at least 1, is \(instances)")
    try expect(
      count > 0 && count < (1 << bits) - 1, "\(bits) bits leave no room for \(count) signals")
    (self.instances, self.bits, self.counts) = (instances, bits, counts)
    random = RandomGenerator(seed: seed).stream("bit patterns")
    var drawing = random.stream("signals")
    var found: [UInt64] = []
    while found.count < count {
      let pattern = UInt64.random(in: 1..<(1 << bits), using: &drawing)
      if !found.contains(pattern) { found.append(pattern) }
    }
    signals = found
  }

  public var input: TaskInput { .values([instances, bits]) }
  public var positions: [Int] { [] }
  public var objective: Objective { .classes(2) }
  public func count(_ split: Split) -> Int? { counts[split] ?? 0 }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    var patterns: [Float] = []
    for index in indices {
      for pattern in bag(split, index) {
        for bit in 0..<bits { patterns.append(pattern >> bit & 1 == 1 ? 1 : 0) }
      }
    }
    return Batch(
      inputs: Tensor(patterns).reshaped(indices.count, instances, bits),
      targets: Tensor(indices.map { Int32($0 % 2 == 0 ? 1 : 0) }))
  }

  private func bag(_ split: Split, _ index: Int) -> [UInt64] {
    var drawing = random.stream("\(split.rawValue) \(index)")
    var bag = (0..<instances).map { _ in
      var pattern: UInt64
      repeat { pattern = .random(in: 1..<(1 << bits), using: &drawing) } while signals.contains(pattern)
      return pattern
    }
    if index % 2 == 0 {
      let place = Int.random(in: 0..<instances, using: &drawing)
      bag[place] = signals.randomElement(using: &drawing) ?? bag[place]
    }
    return bag
  }
}
