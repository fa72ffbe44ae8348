import CallosumContracts
import CallosumTensors

/// Multi-query associative recall (Arora et al. 2023): pairs of a key and a value, then keys alone, at
/// each of which the value last written to it is wanted.
///
///     k3 v7 . k1 v2 k3 v5 . . k1 . k3        wanted at the last two keys: v2, v5
///
/// Tokens 0..<keys are keys, the next `values` are values, the last is a filler that is spread at random
/// over what pairs and queries leave of the length. With `writes` beyond 1 keys are overwritten; where the
/// drawn writes do not fit the length, repeated ones are left out at random.
public struct AssociativeRecall: DrawnSequences {
  public let id = "associative-recall"
  public let name = "Multi-query associative recall"
  public let seed: UInt64
  /// Keys and values to choose from.
  public let keys, values: Int
  /// Different keys in a sequence, and how many of them are asked for.
  public let pairs, queries: Int
  /// How often each key is written.
  public let writes: ClosedRange<Int>
  public let length: Int

  public init(
    keys: Int = 64, values: Int = 64, pairs: Int = 16, queries: Int = 16, writes: ClosedRange<Int> = 1...1,
    length: Int = 128, seed: UInt64 = 0
  ) throws {
    try require(values > 0, "associative recall needs at least 1 value, got \(values)")
    try require(
      (1...max(keys, 1)).contains(pairs), "pairs must be from 1 to the \(keys) keys, is \(pairs)")
    try require((1...pairs).contains(queries), "queries must be from 1 to the \(pairs) pairs, is \(queries)")
    try require(
      writes.lowerBound >= 1, "each key must be written at least once, not \(writes.lowerBound) times")
    let least = 2 * pairs * writes.lowerBound + queries
    try require(
      length >= least, "\(pairs) pairs and \(queries) queries need a length of \(least), not \(length)")
    (self.keys, self.values, self.pairs, self.queries) = (keys, values, pairs, queries)
    (self.writes, self.length, self.seed) = (writes, length, seed)
  }

  public var vocabulary: Int { keys + values + 1 }
  public var lengths: ClosedRange<Int> { length...length }

  public func example(length: Int, using generator: inout RandomGenerator) -> TokenExample {
    let chosen = generator.distinct(pairs, of: keys)
    // Which keys are written, in order: each the least number of times, and what fits of the rest.
    var extra = chosen.flatMap { key in
      [Int](repeating: key, count: Int.random(in: writes, using: &generator) - writes.lowerBound)
    }
    extra.shuffle(using: &generator)
    var written = chosen.flatMap { [Int](repeating: $0, count: writes.lowerBound) }
    written += extra.prefix((length - queries) / 2 - written.count)
    written.shuffle(using: &generator)
    let asked = chosen.shuffled(using: &generator).prefix(queries)

    // Fillers go anywhere but between a key and its value.
    let items = written.count + asked.count
    let spare = length - 2 * written.count - asked.count
    var isFiller = [Bool](repeating: false, count: items) + [Bool](repeating: true, count: spare)
    isFiller.shuffle(using: &generator)

    let filler = Int32(keys + values)
    var example = TokenExample(tokens: [], targets: [], isScored: [])
    var memory: [Int: Int32] = [:]
    var item = 0
    for isFiller in isFiller {
      if isFiller {
        example.append(filler)
      } else if item < written.count {
        let value = Int32(keys + Int.random(in: 0..<values, using: &generator))
        memory[written[item]] = value
        example.append(Int32(written[item]))
        example.append(value)
        item += 1
      } else {
        let key = asked[item - written.count]
        example.append(Int32(key), wanting: memory[key])
        item += 1
      }
    }
    return example
  }
}

extension TokenExample {
  /// Adds a token, and what is wanted at it, if anything.
  mutating func append(_ token: Int32, wanting target: Int32? = nil) {
    tokens.append(token)
    targets.append(target ?? 0)
    isScored.append(target != nil)
  }
}
