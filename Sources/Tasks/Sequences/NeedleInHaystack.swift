import CallosumContracts
import CallosumTensors

/// A needle in a haystack: somewhere among random symbols stands a key with an answer behind it; the
/// sequence ends with the key and all of the answer but its last symbol, and the answer is wanted there.
///
///     x x K v1 v2 v3 v4 x x x x K v1 v2 v3        wanted at the last four: v1, v2, v3, v4
///
/// Tokens 0..<keys are keys, the next `symbols` stand in the haystack and in answers. Further needles with
/// other keys distract.
public struct NeedleInHaystack: DrawnSequences {
  public let id = "needle"
  public let name = "Needle in a haystack"
  public let seed: UInt64
  public let keys, symbols: Int
  /// Symbols of an answer.
  public let answer: Int
  public let distractors: Int
  public let length: Int
  /// Each symbol of the answer is the input after the place that it is wanted at.
  public let order = TokenOrder.causal
  /// Where the needle stands: 0 at the beginning, 1 as late as possible; nil for anywhere. With
  /// distractors it says which of the needles, by place, is asked for.
  public let depth: Double?

  public init(
    keys: Int = 8, symbols: Int = 40, answer: Int = 4, distractors: Int = 0, length: Int = 64,
    depth: Double? = nil, seed: UInt64 = 0
  ) throws {
    try require(
      keys > distractors && distractors >= 0, "\(distractors) distractors need more than \(keys) keys")
    try require(
      symbols > 1 && answer > 0, "a needle needs 2 symbols and an answer, got \(symbols) and \(answer)")
    let least = (distractors + 2) * (answer + 1) - 1
    try require(length >= least, "the needles and the question need a length of \(least), not \(length)")
    try require(depth.map { (0...1).contains($0) } ?? true, "depth must be from 0 to 1, is \(depth ?? 0)")
    (self.keys, self.symbols, self.answer, self.distractors) = (keys, symbols, answer, distractors)
    (self.length, self.depth, self.seed) = (length, depth, seed)
  }

  public var vocabulary: Int { keys + symbols }
  public var lengths: ClosedRange<Int> { length...length }

  public func example(length: Int, using generator: inout RandomGenerator) -> TokenExample {
    func symbol() -> Int32 { Int32(keys + Int.random(in: 0..<symbols, using: &generator)) }
    let needles = distractors + 1, span = answer + 1
    let hay = length - answer - 1 - needles * span + 1
    // The needles' order among the hay: a needle behind so many pieces of it.
    var gaps = (0..<needles).map { _ in Int.random(in: 0...hay, using: &generator) }.sorted()
    if let depth, needles == 1 { gaps = [Int((depth * Double(hay)).rounded())] }
    let chosenKeys = generator.distinct(needles, of: keys)
    let asked =
      depth.map { Int(($0 * Double(needles - 1)).rounded()) }
      ?? Int.random(in: 0..<needles, using: &generator)
    var example = TokenExample(tokens: [], targets: [], isScored: [])
    var answers: [[Int32]] = []
    var used = 0
    for (needle, gap) in gaps.enumerated() {
      for _ in used..<gap { example.append(symbol()) }
      used = gap
      answers.append((0..<answer).map { _ in symbol() })
      example.append(Int32(chosenKeys[needle]))
      for value in answers[needle] { example.append(value) }
    }
    for _ in used..<hay { example.append(symbol()) }
    let question = [Int32(chosenKeys[asked])] + answers[asked].dropLast()
    for (token, value) in zip(question, answers[asked]) { example.append(token, wanting: value) }
    return example
  }

  /// Where the answer stands in the haystack of an example.
  public func place(in example: TokenExample) -> Range<Int> {
    let key = example.tokens[length - answer]
    let start = (example.tokens.firstIndex(of: key) ?? 0) + 1
    return start..<start + answer
  }
}
