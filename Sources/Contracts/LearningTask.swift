import CallosumTensors

/// Some inputs and what is wanted of them.
public struct Batch: Sendable {
  /// [batch] and the axes of the task's ``TaskInput``.
  public let inputs: Tensor
  /// As the task's ``Objective`` says: [batch, positions...] or [batch, positions..., width].
  public let targets: Tensor
  /// Which positions count, [batch, positions...] (bool); nil where all do.
  public let mask: Tensor?

  public init(inputs: Tensor, targets: Tensor, mask: Tensor? = nil) {
    self.inputs = inputs
    self.targets = targets
    self.mask = mask
  }
}

/// What examples are for. Splits share no example, trajectory, field or recording.
public enum Split: String, Codable, Sendable, CaseIterable {
  /// Learned from.
  case training
  /// Looked at while learning: settings and the time to stop are chosen by it.
  case validation
  /// Judged by, once, when nothing is chosen any more.
  case test = "judged"
}

/// What a network is given for one example.
public enum TaskInput: Sendable, Equatable {
  /// Numbers (float32) of this shape.
  case values([Int])
  /// Tokens (int32) from 0..<vocabulary; batches may hold fewer than `length`, all rows the same number.
  case tokens(vocabulary: Int, length: Int)

  /// Axes of one example, without the batch.
  public var shape: [Int] {
    switch self {
    case .values(let shape): shape
    case .tokens(_, let length): [length]
    }
  }
}

/// What the order of an example's tokens means.
public enum TokenOrder: String, Sendable {
  /// Nothing: they are a set.
  case set
  case sequence
  /// The answer to a position stands in what comes after it, so nothing may look ahead.
  case causal
}

/// Something to be learned from examples: sequences, images, fields, functions.
///
/// An example is a function of the task's own seed, the split and its index alone, so that every arm of
/// a comparison meets the same examples and a run can be continued.
public protocol LearningTask: Sendable {
  /// Short name on the command line.
  var id: String { get }
  var name: String { get }
  var input: TaskInput { get }
  /// Axes of one example that have a target each: [] for one answer, [length] for one per token, [rows,
  /// columns] for one per place of a field.
  var positions: [Int] { get }
  var objective: Objective { get }
  /// What the order of tokens means; a sequence if nothing is said.
  var order: TokenOrder { get }
  /// Whether every batch has examples of the full length; so it is if nothing is said.
  var hasFixedLength: Bool { get }
  /// Number of examples, 0 for a split that the task does not have; nil where they never end.
  func count(_ split: Split) -> Int?
  /// The examples with these indices, from 0 up to ``count(_:)``.
  func batch(_ split: Split, _ indices: [Int]) -> Batch
}

extension LearningTask {
  public var order: TokenOrder { .sequence }
  public var hasFixedLength: Bool { true }
}

/// A task that can be asked for by its id, made with its defaults.
public struct TaskEntry: Sendable {
  public let id: String
  public let name: String
  /// The task of a seed, which decides what is drawn; real data sets are the same for every seed.
  public let make: @Sendable (_ seed: UInt64) throws -> any LearningTask

  public init(
    _ id: String, _ name: String, _ make: @escaping @Sendable (_ seed: UInt64) throws -> any LearningTask
  ) {
    self.id = id
    self.name = name
    self.make = make
  }
}

/// A task of putting images into classes, with fixed images to learn from and to be judged on.
public protocol ImageClassification: LearningTask {
  /// [height, width, channels]
  var imageShape: [Int] { get }
  var classCount: Int { get }
  var trainingCount: Int { get }
  var testCount: Int { get }
  /// Images [count, height, width, channels] (float32, standardised) and labels [count] (int32).
  func trainingBatch(_ indices: [Int]) -> Batch
  func testBatch(_ range: Range<Int>) -> Batch
}

/// Without images set aside for validation.
extension ImageClassification {
  public var input: TaskInput { .values(imageShape) }
  public var positions: [Int] { [] }
  public var objective: Objective { .classes(classCount) }

  public func count(_ split: Split) -> Int? {
    switch split {
    case .training: trainingCount
    case .validation: 0
    case .test: testCount
    }
  }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    switch split {
    case .training: return trainingBatch(indices)
    case .validation: preconditionFailure("batch", "\(id) has no validation images")
    case .test:
      if let first = indices.first, indices.elementsEqual(first..<first + indices.count) {
        return testBatch(first..<first + indices.count)
      }
      let parts = indices.map { testBatch($0..<$0 + 1) }
      return Batch(
        inputs: concatenated(parts.map(\.inputs)), targets: concatenated(parts.map(\.targets)))
    }
  }
}
