import CallosumKernels

/// A stream of random numbers that depends on its seed and name alone: Philox 4x32-10, whose number
/// i is a function of (key, i), so that any thread can make any part and a stream can be stored and
/// continued.
public struct RandomGenerator: Codable, Sendable, Equatable, RandomNumberGenerator {
  let key: UInt64
  /// The next block of four words.
  private var block: UInt64 = 0

  public init(seed: UInt64) { key = RandomGenerator.mixed(seed) }

  /// An independent stream, always the same for the same parent seed and name.
  public func stream(_ name: String) -> RandomGenerator {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return RandomGenerator(seed: key ^ RandomGenerator.mixed(hash))
  }

  /// `count` independent streams, drawn from this one: others at each call, always the same for the
  /// same state.
  public mutating func split(into count: Int = 2) -> [RandomGenerator] {
    (0..<count).map { _ in RandomGenerator(seed: next()) }
  }

  /// SplitMix64's finaliser (Steele et al. 2014): close seeds give unrelated keys.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Where the next `blocks` blocks begin, which then are used up.
  mutating func take(blocks: Int) -> UInt64 {
    defer { block += UInt64(blocks) }
    return block
  }

  public mutating func next() -> UInt64 {
    let start = take(blocks: 1)
    var words: (UInt32, UInt32) = (0, 0)
    withUnsafeMutableBytes(of: &words) {
      callosum_random_bits(key, start, 2, $0.baseAddress?.assumingMemoryBound(to: UInt32.self))
    }
    return UInt64(words.0) << 32 | UInt64(words.1)
  }

  // MARK: Tensors

  func requireFloatingPoint(_ dtype: DType, _ name: StaticString) {
    precondition(dtype.isFloatingPoint, name, "makes float32 or float64, not \(dtype)")
  }

  private func blocks(_ count: Int, _ dtype: DType) -> Int {
    let perBlock = dtype == .float64 ? 2 : 4
    return (count + perBlock - 1) / perBlock
  }

  /// Uniform in [low, high).
  public mutating func uniform(
    _ shape: [Int], low: Double = 0, high: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "uniform")
    let result = Tensor(uninitialized: shape, dtype)
    let start = take(blocks: blocks(result.size, dtype))
    callosum_random_uniform(key, start, dtype.kernel, result.size, result.pointer)
    if low == 0 && high == 1 { return result }
    // Rounding could reach the upper end.
    let largest = dtype == .float32 ? Double(Float(high).nextDown) : high.nextDown
    return minimum(result * (high - low) + low, max(low, largest))
  }

  /// Normal with the given mean and standard deviation.
  public mutating func normal(
    _ shape: [Int], mean: Double = 0, standardDeviation: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    requireFloatingPoint(dtype, "normal")
    let result = Tensor(uninitialized: shape, dtype)
    let start = take(blocks: blocks(result.size, dtype))
    callosum_random_normal(key, start, dtype.kernel, result.size, result.pointer)
    return mean == 0 && standardDeviation == 1 ? result : result * standardDeviation + mean
  }

  /// Normal, as far as it lies within `bound` (above 0) standard deviations of the mean.
  public mutating func truncatedNormal(
    _ shape: [Int], standardDeviation: Double = 1, bound: Double = 2
  ) -> Tensor {
    precondition(bound > 0, "truncatedNormal", "bound must be above 0, is \(bound)")
    // Drawn again where it lies outside. Few do of normal numbers, or, where the bound is near, of uniform ones
    // of which the share exp(-x²/2) is taken.
    let isNear = bound < 1
    func draw(_ generator: inout RandomGenerator) -> (x: Tensor, outside: Tensor) {
      if !isNear {
        let x = generator.normal(shape)
        return (x, abs(x) .> bound)
      }
      let x = generator.uniform(shape, low: -bound, high: bound)
      return (x, generator.uniform(shape) .>= exp(square(x) * -0.5))
    }
    var (result, outside) = draw(&self)
    while outside.any().item() != 0 {
      let next = draw(&self)
      result = which(outside, next.x, result)
      outside = outside .&& next.outside
    }
    return result * standardDeviation
  }

  /// True with the given probability.
  public mutating func bernoulli(_ shape: [Int], probability: Double) -> Tensor {
    uniform(shape) .< probability
  }

  /// Integers (int32) in [low, high).
  public mutating func integers(_ shape: [Int], low: Int, high: Int) -> Tensor {
    precondition(
      low < high && low >= Int32.min && high <= Int(Int32.max) + 1, "integers",
      "needs low < high, both of 32 bits, got \(low) and \(high)")
    let count = shape.elementCount
    return Tensor((0..<count).map { _ in Int32(Int.random(in: low..<high, using: &self)) }, shape)
  }

  /// 0..<count in random order (int32).
  public mutating func permutation(_ count: Int) -> Tensor {
    precondition(
      count >= 0 && count <= Int32.max, "permutation", "needs a count of 0 or more in 32 bits, got \(count)")
    var order = Array(0..<Int32(count))
    order.shuffle(using: &self)
    return Tensor(order)
  }
}

/// `x` with each element set to 0 with probability `rate` and the others scaled by 1 / (1 - rate).
public func dropout(_ x: Tensor, rate: Double, using generator: inout RandomGenerator) -> Tensor {
  x.requireReal("dropout")
  precondition(rate >= 0 && rate < 1, "dropout", "rate must lie in 0..<1, is \(rate)")
  if rate == 0 { return x }
  let keeps = generator.bernoulli(x.shape, probability: 1 - rate)
  return x * (keeps.asType(x.dtype) * (1 / (1 - rate)))
}
