import CallosumTensors

/// Convolution over [batch, height, width, inputs] -> [batch, height', width', outputs].
///
/// Parameters: `weight` [outputs, kernel height, kernel width, inputs / groups], `bias` [outputs].
public final class Conv2d: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  private let stride, padding, dilation: (Int, Int)
  private let groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1),
    padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1), groups: Int = 1,
    bias hasBias: Bool = true, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    require(
      groups > 0 && inputs % groups == 0 && outputs % groups == 0, "Conv2d",
      "\(inputs) inputs and \(outputs) outputs do not divide into \(groups) groups")
    let taps = kernel.0 * kernel.1
    let (fanIn, fanOut) = (taps * inputs / groups, taps * outputs / groups)
    weight = initialiser.values(
      [outputs, kernel.0, kernel.1, inputs / groups], fanIn: fanIn, fanOut: fanOut, using: &generator)
    bias =
      hasBias
      ? Initialiser.fanInUniform.values([outputs], fanIn: fanIn, fanOut: fanOut, using: &generator) : nil
    (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
  }

  public func forward(_ x: Tensor) -> Tensor {
    convolved(x, weight, bias, groups, spatialAxes: 2) { x, weight, bias, groups in
      conv2d(
        x, weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
    }
  }
}

/// Convolution over [batch, length, inputs] -> [batch, length', outputs].
///
/// Parameters: `weight` [outputs, kernel, inputs / groups], `bias` [outputs].
public final class Conv1d: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  private let stride, padding, dilation, groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    groups: Int = 1, bias hasBias: Bool = true, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    require(
      groups > 0 && inputs % groups == 0 && outputs % groups == 0, "Conv1d",
      "\(inputs) inputs and \(outputs) outputs do not divide into \(groups) groups")
    let (fanIn, fanOut) = (kernel * inputs / groups, kernel * outputs / groups)
    weight = initialiser.values(
      [outputs, kernel, inputs / groups], fanIn: fanIn, fanOut: fanOut, using: &generator)
    bias =
      hasBias
      ? Initialiser.fanInUniform.values([outputs], fanIn: fanIn, fanOut: fanOut, using: &generator) : nil
    (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
  }

  public func forward(_ x: Tensor) -> Tensor {
    convolved(x, weight, bias, groups, spatialAxes: 1) { x, weight, bias, groups in
      conv1d(
        x, weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
    }
  }
}
