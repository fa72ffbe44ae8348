import CallosumTensors

/// Which statistics batch normalisation uses.
public enum BatchNormMode: Sendable, Equatable {
  /// In training those of the batch, which move the running averages; in evaluation the averages.
  case automatic
  /// The running averages, in training too; they stay.
  case frozen
  /// Those of the batch, in evaluation too (test-time adaptation, Nado et al. 2020); they move the running
  /// averages if `updating` says so.
  case batch(updating: Bool = false)
}

/// Batch normalisation of [..., channels] (Ioffe and Szegedy 2015): by the batch's statistics in
/// training, whose running averages (`runningMean`, `runningVariance`, unbiased, weight `momentum`
/// on the new) serve evaluation. Parameters: `weight`, `bias` [channels].
public final class BatchNorm: Layer {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  @Buffer public var runningMean: Tensor
  @Buffer public var runningVariance: Tensor
  /// The share of a new batch in the running averages.
  public var momentum: Double
  /// This layer's own mode, before that of `withBatchNorm`; nil to follow the scope.
  public var mode: BatchNormMode?
  /// Whether the layer before computes this one too, which then passes its input on (`fold`).
  public private(set) var isFolded = false
  private let epsilon: Double

  public init(_ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true) {
    weight = affine ? .ones([channels]) : nil
    bias = affine ? .zeros([channels]) : nil
    runningMean = .zeros([channels])
    runningVariance = .ones([channels])
    self.epsilon = epsilon
    self.momentum = momentum
  }

  public func forward(_ x: Tensor) -> Tensor {
    if isFolded { return x }
    switch mode ?? ThreadState.current.batchNorm as? BatchNormMode ?? .automatic {
    case .automatic where TrainingPass.current != nil: return byBatch(x, updating: true)
    case .automatic, .frozen:
      return batchNorm(
        x, mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: epsilon)
    case .batch(let updating): return byBatch(x, updating: updating)
    }
  }

  private func byBatch(_ x: Tensor, updating: Bool) -> Tensor {
    let axes = Array(0..<(x.ndim - 1))
    let count = Double(x.size / max(x.dim(-1), 1))
    precondition(
      count > 1, "BatchNorm",
      "needs more than one value per channel for the statistics of a batch, got \(x.shape)")
    let moments = x.moments(axes: axes), channels = [x.dim(-1)]
    let mean = moments.mean.reshaped(channels), variance = moments.variance.reshaped(channels)
    if updating && !ThreadState.current.isRepeating {
      withoutRecording {
        let unbiased = stopGradient(variance) * (count / (count - 1))
        runningMean = runningMean * (1 - momentum) + stopGradient(mean) * momentum
        runningVariance = runningVariance * (1 - momentum) + unbiased * momentum
      }
    }
    return batchNorm(x, mean: mean, variance: variance, weight: weight, bias: bias, epsilon: epsilon)
  }

  // MARK: Folding

  /// What the running averages make of x: x scale + shift, [channels] each.
  var affineForm: (scale: Tensor, shift: Tensor) {
    var scale = rsqrt(runningVariance + epsilon)
    if let weight { scale = scale * weight }
    let shift = -(runningMean * scale)
    return (scale, bias.map { shift + $0 } ?? shift)
  }

  /// Leaves the work to the layer before. The weights become those of the identity, for a network that
  /// loads them without folding.
  func becomeIdentity() {
    isFolded = true
    weight = weight.map(Tensor.ones(like:))
    bias = bias.map(Tensor.zeros(like:))
    runningMean = .zeros(like: runningMean)
    runningVariance = .full(runningVariance.shape, 1 - epsilon, dtype: runningVariance.dtype)
  }
}

/// The result of `body`, in which every batch normalisation without a mode of its own is in this one.
/// Scopes nest; the inner one counts.
public func withBatchNorm<Result>(_ mode: BatchNormMode, _ body: () throws -> Result) rethrows -> Result {
  let state = ThreadState.current, outer = state.batchNorm
  state.batchNorm = mode
  defer { state.batchNorm = outer }
  return try body()
}
