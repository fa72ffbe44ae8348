import CallosumContracts
import CallosumTensors

/// One sequence: its tokens, what is wanted, and where that counts.
public struct TokenExample: Sendable, Equatable {
  public var tokens: [Int32]
  /// One label for each of the task's positions; what stands where nothing counts means nothing.
  public var targets: [Int32]
  /// Which targets count; empty where all do.
  public var isScored: [Bool] = []
}

/// A task whose sequences are drawn anew from a random stream, each a function of seed, split and index.
///
/// Which split a sequence belongs to is decided by its tokens (`Split.init(owning:)`): what belongs
/// elsewhere is drawn again, so that no sequence, however short, is in two splits.
public protocol DrawnSequences: LearningTask {
  var seed: UInt64 { get }
  /// Tokens are from 0..<vocabulary.
  var vocabulary: Int { get }
  /// How many tokens a sequence may have; all of a batch have the same number.
  var lengths: ClosedRange<Int> { get }
  /// A sequence of `length` tokens.
  func example(length: Int, using generator: inout RandomGenerator) -> TokenExample
}

extension DrawnSequences {
  public var input: TaskInput { .tokens(vocabulary: vocabulary, length: lengths.upperBound) }
  /// One label per token.
  public var positions: [Int] { [lengths.upperBound] }
  /// Labels are tokens.
  public var objective: Objective { .classes(vocabulary) }
  public var hasFixedLength: Bool { lengths.lowerBound == lengths.upperBound }
  public func count(_ split: Split) -> Int? { nil }

  /// The sequences with these indices; the first decides how long they are.
  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    precondition(!indices.isEmpty, "batch", "\(id) was asked for no examples")
    let length = length(split, first: indices[0])
    let examples = indices.map { example(split, $0, length: length) }
    let targets = examples.flatMap(\.targets), width = targets.count / indices.count
    let isScored = examples.flatMap(\.isScored)
    return Batch(
      inputs: Tensor(examples.flatMap(\.tokens), [indices.count, length]),
      targets: Tensor(targets, [indices.count, width]),
      mask: isScored.isEmpty ? nil : Tensor(isScored, [indices.count, width]))
  }

  /// The example `index` of `split`, as it is in a batch of its own.
  public func example(_ split: Split, _ index: Int) -> TokenExample {
    example(split, index, length: length(split, first: index))
  }

  private func length(_ split: Split, first index: Int) -> Int {
    var generator = exampleStream("length", of: id, seed, split, index)
    return Int.random(in: lengths, using: &generator)
  }

  private func example(_ split: Split, _ index: Int, length: Int) -> TokenExample {
    var generator = exampleStream("example", of: id, seed, split, index)
    return drawn(
      for: split, of: id, using: &generator,
      by: { fingerprint($0.tokens.lazy.map { UInt64(UInt32(bitPattern: $0)) }) }
    ) { example(length: length, using: &$0) }
  }
}

/// The random numbers of one example of a task.
func exampleStream(
  _ purpose: String, of id: String, _ seed: UInt64, _ split: Split, _ index: Int
) -> RandomGenerator {
  RandomGenerator(seed: seed).stream("\(id)/\(purpose)/\(split.rawValue)/\(index)")
}

/// The first draw that belongs to `split` by its contents.
func drawn<Example>(
  for split: Split, of id: String, using generator: inout RandomGenerator,
  by fingerprint: (Example) -> UInt64, _ draw: (inout RandomGenerator) -> Example
) -> Example {
  for _ in 0..<100_000 {
    let example = draw(&generator)
    if Split(owning: fingerprint(example)) == split { return example }
  }
  preconditionFailure("batch", "\(id) has too few different examples for a \(split.rawValue) split")
}

extension RandomGenerator {
  /// `count` different numbers from 0..<`all`, in random order.
  package mutating func distinct(_ count: Int, of all: Int) -> [Int] {
    precondition(count <= all, "distinct", "there are not \(count) different numbers below \(all)")
    // Fisher and Yates's shuffle, stopped after the first `count` places.
    var numbers = Array(0..<all)
    for place in 0..<count {
      numbers.swapAt(place, Int.random(in: place..<all, using: &self))
    }
    return Array(numbers.prefix(count))
  }

  /// Uniform in [0, 1).
  package mutating func uniform() -> Double { Double.random(in: 0..<1, using: &self) }
}
