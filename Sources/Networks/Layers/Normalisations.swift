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
