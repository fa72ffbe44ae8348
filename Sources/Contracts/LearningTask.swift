import CallosumTensors

/// Some inputs and what is wanted of them.
public struct Batch {
  public let inputs: Tensor
  public let targets: Tensor
  public init(inputs: Tensor, targets: Tensor) {
    self.inputs = inputs
    self.targets = targets
  }
}

/// A task of putting images into classes, with fixed images to learn from and to be judged on.
public protocol ImageClassification: Sendable {
  var id: String { get }
  var name: String { get }
  /// [height, width, channels]
  var imageShape: [Int] { get }
  var classCount: Int { get }
  var trainingCount: Int { get }
  var testCount: Int { get }
  /// Images [count, height, width, channels] (float32, standardised) and labels [count] (int32).
  func trainingBatch(_ indices: [Int]) -> Batch
  func testBatch(_ range: Range<Int>) -> Batch
}
