import CallosumTensors

/// Layer normalisation over the last axis (Ba et al. 2016). Parameters: `weight`, `bias` [width].
public final class LayerNorm: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  private let epsilon: Double

  public init(_ width: Int, epsilon: Double = 1e-5, affine: Bool = true, bias hasBias: Bool = true) {
    weight = affine ? .ones([width]) : nil
    bias = affine && hasBias ? .zeros([width]) : nil
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    if weight.map({ $0.ndim > 1 }) ?? false {
      return scaled(layerNorm(x, epsilon: epsilon), bySets: weight, bias)
    }
    return layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019). Parameter: `weight`
/// [width].
public final class RMSNorm: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor
  private let epsilon: Double

  public init(_ width: Int, epsilon: Double = 1e-5) {
    weight = .ones([width])
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    if weight.ndim > 1 { return scaled(rmsNorm(x, epsilon: epsilon), bySets: weight, nil) }
    return rmsNorm(x, weight: weight, epsilon: epsilon)
  }
}

/// Group normalisation of [batch, ..., channels] (Wu and He 2018). Parameters: `weight`, `bias`
/// [channels].
public final class GroupNorm: Layer {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  private let groups: Int
  private let epsilon: Double

  public init(groups: Int, _ channels: Int, epsilon: Double = 1e-5, affine: Bool = true) {
    weight = affine ? .ones([channels]) : nil
    bias = affine ? .zeros([channels]) : nil
    self.groups = groups
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    groupNorm(x, groups: groups, weight: weight, bias: bias, epsilon: epsilon)
  }
}

/// Batch normalisation of [..., channels] (Ioffe and Szegedy 2015): by the batch's statistics in
/// training, whose running averages (`runningMean`, `runningVariance`, unbiased, weight `momentum`
/// on the new) serve evaluation. Parameters: `weight`, `bias` [channels].
public final class BatchNorm: Layer {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  @Buffer public var runningMean: Tensor
  @Buffer public var runningVariance: Tensor
  private let epsilon, momentum: Double

  public init(_ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true) {
    weight = affine ? .ones([channels]) : nil
    bias = affine ? .zeros([channels]) : nil
    runningMean = .zeros([channels])
    runningVariance = .ones([channels])
    self.epsilon = epsilon
    self.momentum = momentum
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard TrainingPass.current != nil else {
      return batchNorm(
        x, mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: epsilon)
    }
    let axes = Array(0..<(x.ndim - 1))
    let count = Double(x.size / max(x.dim(-1), 1))
    require(count > 1, "BatchNorm", "needs more than one value per channel in training, got \(x.shape)")
    let mean = x.mean(axes: axes), variance = x.variance(axes: axes)
    if !ThreadState.current.isRepeating {
      withoutRecording {
        let unbiased = stopGradient(variance) * (count / (count - 1))
        runningMean = runningMean * (1 - momentum) + stopGradient(mean) * momentum
        runningVariance = runningVariance * (1 - momentum) + unbiased * momentum
      }
    }
    return batchNorm(x, mean: mean, variance: variance, weight: weight, bias: bias, epsilon: epsilon)
  }
}
