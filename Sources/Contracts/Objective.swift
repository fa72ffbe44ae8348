import CallosumNetworks
import CallosumTensors

/// What outputs should be: states the loss to train by and the score to judge by. Outputs always are
/// [batch, positions..., width]; positions that the batch masks out count in neither.
public enum Objective: Sendable, Equatable {
  /// Logits of so many classes; targets are labels [batch, positions...] (int32). Cross-entropy;
  /// judged by the share of labels whose logit is largest.
  case classes(Int)
  /// Logits of so many bits; targets are 0 or 1, shaped as the outputs. Binary cross-entropy; judged by
  /// the share of bits on the right side.
  case bits(Int)
  /// So many numbers; targets are shaped as the outputs. Mean squared error, which also judges.
  case values(Int)
  /// So many numbers at each position of a field; targets are shaped as the outputs.
  /// |output - target| / |target| (Euclidean, over a whole example), averaged; it also judges.
  case field(Int)

  /// Numbers that a network puts out for each position.
  public var width: Int {
    switch self {
    case .classes(let width), .bits(let width), .values(let width), .field(let width): width
    }
  }

  /// What ``score(_:_:)`` measures.
  public var metric: String {
    switch self {
    case .classes: "accuracy"
    case .bits: "bit accuracy"
    case .values: "mean squared error"
    case .field: "relative error"
    }
  }

  /// Whether a larger score is a better one.
  public var isHigherBetter: Bool {
    switch self {
    case .classes, .bits: true
    case .values, .field: false
    }
  }

  /// The loss [] of outputs for a batch.
  public func loss(_ outputs: Tensor, _ batch: Batch, labelSmoothing: Double = 0) -> Tensor {
    check(outputs, batch)
    switch self {
    case .classes:
      let labels = batch.mask.map { which($0, batch.targets, Tensor(Int32(-100))) } ?? batch.targets
      return crossEntropy(logits: outputs, targets: labels, labelSmoothing: labelSmoothing)
    case .bits:
      return mean(binaryCrossEntropy(logits: outputs, targets: batch.targets, reduction: .none), batch)
    case .values:
      return mean(mseLoss(predictions: outputs, targets: batch.targets, reduction: .none), batch)
    case .field:
      return relativeErrors(outputs, batch).mean()
    }
  }

  /// How well outputs do on a batch.
  public func score(_ outputs: Tensor, _ batch: Batch) -> Score {
    check(outputs, batch)
    switch self {
    case .classes:
      let isRight = outputs.argMax(axis: -1) .== batch.targets
      let counted = batch.mask.map { isRight .&& $0 } ?? isRight
      return Score(sum: counted.sum().item(), count: countedPositions(batch, of: isRight.size))
    case .bits:
      let isRight = ((outputs .> 0) .== (batch.targets .> 0.5)).asType(outputs.dtype)
      return Score(sum: masked(isRight, batch).sum().item(), count: countedNumbers(batch))
    case .values:
      let squares = mseLoss(predictions: outputs, targets: batch.targets, reduction: .none)
      return Score(sum: masked(squares, batch).sum().item(), count: countedNumbers(batch))
    case .field:
      return Score(sum: relativeErrors(outputs, batch).sum().item(), count: Double(outputs.dim(0)))
    }
  }

  /// A sum over what was judged and how much that was: scores of batches add up.
  public struct Score: Sendable, Equatable {
    public var sum, count: Double
    public init(sum: Double = 0, count: Double = 0) {
      self.sum = sum
      self.count = count
    }
    /// The average, 0 of nothing.
    public var mean: Double { count > 0 ? sum / count : 0 }
    public static func += (a: inout Score, b: Score) {
      a.sum += b.sum
      a.count += b.count
    }
  }

  // MARK: Masks

  private func masked(_ x: Tensor, _ batch: Batch) -> Tensor {
    guard let mask = batch.mask else { return x }
    return which(mask.expandedDimensions(axis: -1), x, Tensor.zeros([], dtype: x.dtype))
  }

  private func mean(_ losses: Tensor, _ batch: Batch) -> Tensor {
    masked(losses, batch).sum() * (1 / countedNumbers(batch))
  }

  private func relativeErrors(_ outputs: Tensor, _ batch: Batch) -> Tensor {
    relativeSobolevError(masked(outputs, batch), masked(batch.targets, batch))
  }

  private func countedPositions(_ batch: Batch, of all: Int) -> Double {
    batch.mask.map { $0.sum().item() } ?? Double(all)
  }

  private func countedNumbers(_ batch: Batch) -> Double {
    countedPositions(batch, of: batch.targets.size / width) * Double(width)
  }

  private func check(_ outputs: Tensor, _ batch: Batch) {
    precondition(
      outputs.ndim > 0 && outputs.dim(-1) == width, "Objective",
      "outputs \(outputs.shape) should end with an axis of \(width)")
    let positions = Array(outputs.shape.dropLast())
    var expected = outputs.shape
    if case .classes = self { expected = positions }
    precondition(
      batch.targets.shape == expected, "Objective",
      "outputs \(outputs.shape) want targets \(expected), these are \(batch.targets.shape)")
    guard let mask = batch.mask else { return }
    precondition(
      mask.shape == positions && mask.dtype == .bool, "Objective",
      "outputs \(outputs.shape) want a bool mask \(positions), this is \(mask.dtype) \(mask.shape)")
    precondition(mask.any().item() != 0, "Objective", "the mask lets no position count")
  }
}
