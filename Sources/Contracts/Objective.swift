import CallosumNetworks
import CallosumTensors

/// What outputs should be: the loss to train by, and the measures to judge by. Outputs always are [batch,
/// positions..., width]; positions that the batch masks out count in neither.
///
/// The usual ones are ``classes(_:)``, ``bits(_:)``, ``values(_:)`` and ``field(_:)``; others are made from a
/// loss and a ``Measure``.
public struct Objective: Sendable {
  /// A word for it, such as "classes".
  public let id: String
  /// Numbers that a network puts out for each position.
  public let width: Int
  /// What results are judged by; the first is the one that decides.
  public let measures: [Measure]
  private let targets: Targets
  private let trainingLoss: @Sendable (_ outputs: Tensor, _ batch: Batch, _ labelSmoothing: Double) -> Tensor

  /// What targets look like.
  public enum Targets: Sendable {
    /// Labels [batch, positions...] (int32).
    case labels
    /// Shaped as the outputs.
    case numbers
  }

  /// - Parameter loss: the loss [] of outputs for a batch, to be derived; the last argument is the label
  ///   smoothing, which it may pass over.
  public init(
    _ id: String, width: Int, targets: Targets, measures: [Measure],
    loss: @escaping @Sendable (_ outputs: Tensor, _ batch: Batch, _ labelSmoothing: Double) -> Tensor
  ) {
    precondition(!measures.isEmpty, "Objective", "\(id) needs a measure to be judged by")
    self.id = id
    self.width = width
    self.targets = targets
    self.measures = measures
    trainingLoss = loss
  }

  /// The same with further measures, which are reported beside the first.
  public func measured(by others: Measure...) -> Objective {
    Objective(id, width: width, targets: targets, measures: measures + others, loss: trainingLoss)
  }

  /// What ``score(_:_:)`` measures.
  public var metric: Metric { measures[0].metric }

  /// The loss [] of outputs for a batch.
  public func loss(_ outputs: Tensor, _ batch: Batch, labelSmoothing: Double = 0) -> Tensor {
    check(outputs, batch)
    return trainingLoss(outputs, batch, labelSmoothing)
  }

  /// How well outputs do on a batch, by the first measure.
  public func score(_ outputs: Tensor, _ batch: Batch) -> Score { scores(outputs, batch)[0] }

  /// How well outputs do on a batch, by each measure.
  public func scores(_ outputs: Tensor, _ batch: Batch) -> [Score] {
    check(outputs, batch)
    return measures.map { $0.score(outputs, batch) }
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

  private func check(_ outputs: Tensor, _ batch: Batch) {
    precondition(
      outputs.ndim > 0 && outputs.dim(-1) == width, "Objective",
      "outputs \(outputs.shape) should end with an axis of \(width)")
    let positions = Array(outputs.shape.dropLast())
    let expected = targets == .labels ? positions : outputs.shape
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

/// Known by name, width and metrics.
extension Objective: Equatable {
  public static func == (a: Objective, b: Objective) -> Bool {
    a.id == b.id && a.width == b.width && a.measures.map(\.metric) == b.measures.map(\.metric)
  }
}

/// A metric and how a batch is scored by it.
public struct Measure: Sendable {
  public let metric: Metric
  public let score: @Sendable (_ outputs: Tensor, _ batch: Batch) -> Objective.Score

  public init(
    _ metric: Metric, score: @escaping @Sendable (_ outputs: Tensor, _ batch: Batch) -> Objective.Score
  ) {
    self.metric = metric
    self.score = score
  }
}

// MARK: The usual ones

extension Objective {
  /// Logits of so many classes; targets are labels [batch, positions...] (int32). Cross-entropy; judged by
  /// the share of labels whose logit is largest.
  public static func classes(_ count: Int) -> Objective {
    let accuracy = Metric("accuracy", unit: Metric.fraction, chance: 1 / Double(max(count, 1)))
    return Objective(
      "classes", width: count, targets: .labels,
      measures: [
        Measure(accuracy) { outputs, batch in
          let isRight = outputs.argMax(axis: -1) .== batch.targets
          let counted = batch.mask.map { isRight .&& $0 } ?? isRight
          // Outputs that are not numbers choose no class.
          let isLost = isNaN(outputs).any(axes: [-1])
          let lost = (batch.mask.map { isLost .&& $0 } ?? isLost).any().item() != 0
          return Score(
            sum: lost ? .nan : counted.sum().item(), count: batch.countedPositions(of: isRight.size))
        }
      ]
    ) { outputs, batch, labelSmoothing in
      let labels = batch.mask.map { which($0, batch.targets, Tensor(Int32(-100))) } ?? batch.targets
      return crossEntropy(logits: outputs, targets: labels, labelSmoothing: labelSmoothing)
    }
  }

  /// Logits of so many bits; targets are 0 or 1, shaped as the outputs. Binary cross-entropy; judged by the
  /// share of bits on the right side.
  public static func bits(_ width: Int) -> Objective {
    Objective(
      "bits", width: width, targets: .numbers,
      measures: [
        Measure(Metric("bit accuracy", unit: Metric.fraction, chance: 0.5)) { outputs, batch in
          let isSame = ((outputs .> 0) .== (batch.targets .> 0.5)).asType(outputs.dtype)
          let isRight = which(isNaN(outputs), outputs, isSame)
          return Score(sum: batch.masked(isRight).sum().item(), count: batch.countedNumbers)
        }
      ]
    ) { outputs, batch, _ in
      batch.mean(binaryCrossEntropy(logits: outputs, targets: batch.targets, reduction: .none))
    }
  }

  /// So many numbers; targets are shaped as the outputs. Mean squared error, which also judges.
  public static func values(_ width: Int) -> Objective {
    Objective(
      "values", width: width, targets: .numbers,
      measures: [
        Measure(Metric("mean squared error", higherIsBetter: false)) { outputs, batch in
          let squares = mseLoss(predictions: outputs, targets: batch.targets, reduction: .none)
          return Score(sum: batch.masked(squares).sum().item(), count: batch.countedNumbers)
        }
      ]
    ) { outputs, batch, _ in
      batch.mean(mseLoss(predictions: outputs, targets: batch.targets, reduction: .none))
    }
  }

  /// So many numbers at each position of a field; targets are shaped as the outputs. |output - target| /
  /// |target| (Euclidean, over a whole example), averaged; it also judges.
  public static func field(_ width: Int) -> Objective {
    @Sendable func errors(_ outputs: Tensor, _ batch: Batch) -> Tensor {
      relativeSobolevError(batch.masked(outputs), batch.masked(batch.targets))
    }
    return Objective(
      "field", width: width, targets: .numbers,
      measures: [
        Measure(Metric("relative error", higherIsBetter: false)) { outputs, batch in
          Score(sum: errors(outputs, batch).sum().item(), count: Double(outputs.dim(0)))
        }
      ]
    ) { outputs, batch, _ in errors(outputs, batch).mean() }
  }
}

// MARK: Masks

extension Batch {
  /// `x` [batch, positions..., width] with zeros at positions that do not count.
  public func masked(_ x: Tensor) -> Tensor {
    guard let mask else { return x }
    return which(mask.expandedDimensions(axis: -1), x, Tensor.zeros([], dtype: x.dtype))
  }

  /// The mean [] of losses, shaped as targets that are numbers, over those that count.
  public func mean(_ losses: Tensor) -> Tensor { masked(losses).sum() * (1 / countedNumbers) }

  /// Of `all` positions, those that count.
  public func countedPositions(of all: Int) -> Double { mask.map { $0.sum().item() } ?? Double(all) }

  /// Numbers of targets that are shaped as outputs, at positions that count.
  public var countedNumbers: Double {
    let width = max(targets.dim(-1), 1)
    return countedPositions(of: targets.size / width) * Double(width)
  }
}
