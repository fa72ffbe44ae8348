import CallosumContracts
import CallosumTensors

/// N-parity and N-delayed match-to-sample over binary sequences, with one answer for each N asked for, read
/// at the last token (Khajehabdollahi et al. 2023).
///
/// A batch has M tokens, M uniform in [N + 2, 4 N + 2) for the largest N. Parity: bits are 1 with a
/// probability that is uniform in [0, 1) for each sequence; the answer is the sum of the last N modulo 2.
/// Match: fair bits; the answer is whether the last one equals the one N - 1 before it.
public struct BinaryMemory: DrawnSequences {
  public enum Question: String, Codable, Sendable, CaseIterable { case parity, match }
  public let seed: UInt64
  public let question: Question
  /// The N of each answer, ascending.
  public let spans: [Int]

  public init(_ question: Question, spans: [Int], seed: UInt64 = 0) throws {
    try require(
      !spans.isEmpty && spans == Array(Set(spans)).sorted() && spans[0] > 1,
      "spans must be ascending numbers from 2, are \(spans)")
    (self.question, self.spans, self.seed) = (question, spans, seed)
  }

  public var id: String { question == .parity ? "n-parity" : "n-delayed-match" }
  public var name: String { question == .parity ? "N-parity" : "N-delayed match-to-sample" }
  public let vocabulary = 2
  public var positions: [Int] { [spans.count] }
  public var lengths: ClosedRange<Int> {
    let longest = spans[spans.count - 1]
    return longest + 2...4 * longest + 1
  }

  public func example(length: Int, using generator: inout RandomGenerator) -> TokenExample {
    let chance = question == .parity ? generator.uniform() : 0.5
    let bits = (0..<length).map { _ in generator.uniform() < chance ? Int32(1) : 0 }
    let answers = spans.map { span -> Int32 in
      switch question {
      case .parity: bits.suffix(span).reduce(0, +) % 2
      case .match: bits[length - span] == bits[length - 1] ? 1 : 0
      }
    }
    return TokenExample(tokens: bits, targets: answers)
  }
}

/// Cumulative parity: fair bits, and at each of them the sum so far modulo 2.
public struct CumulativeParity: DrawnSequences {
  public let id = "cumulative-parity"
  public let name = "Cumulative parity"
  public let seed: UInt64
  public let length: Int

  public init(length: Int = 8, seed: UInt64 = 0) throws {
    try require(length >= 6, "cumulative parity has too few sequences to split below 6 bits, got \(length)")
    (self.length, self.seed) = (length, seed)
  }

  public let vocabulary = 2
  public var lengths: ClosedRange<Int> { length...length }

  public func example(length: Int, using generator: inout RandomGenerator) -> TokenExample {
    let bits = (0..<length).map { _ in Int32.random(in: 0...1, using: &generator) }
    var sum: Int32 = 0
    let parities = bits.map { bit in
      sum ^= bit
      return sum
    }
    return TokenExample(tokens: bits, targets: parities)
  }
}
