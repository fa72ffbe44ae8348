import CallosumTensors

/// What convolutions over one to three spatial axes share: [batch, spatial..., inputs] ->
/// [batch, spatial'..., outputs].
///
/// Parameters: `weight` [outputs, kernel..., inputs / groups], `bias` [outputs].
public class ConvolutionLayer: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  private let stride, padding, dilation: [Int]
  private let groups: Int
  private let paddingMode: PaddingMode

  fileprivate init(
    _ name: StaticString, _ inputs: Int, _ outputs: Int, _ kernel: [Int], stride: [Int], padding: [Int],
    paddingMode: PaddingMode, dilation: [Int], groups: Int, hasBias: Bool, initialiser: Initialiser,
    using generator: inout RandomGenerator
  ) {
    let start = initial(name, inputs, outputs, kernel, groups, hasBias, initialiser, &generator)
    weight = start.weight
    bias = start.bias
    (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
    self.paddingMode = paddingMode
  }

  public func forward(_ x: Tensor) -> Tensor {
    convolved(x, weight, bias, groups, spatialAxes: stride.count) { x, weight, bias, groups in
      var (x, widths) = (x, padding.map { (before: $0, after: $0) })
      if paddingMode != .zeros && x.ndim == widths.count + 2 {
        x = x.padded([(0, 0)] + widths + [(0, 0)], mode: paddingMode)
        widths = padding.map { _ in (0, 0) }
      }
      return convolution(
        x, weight: weight, bias: bias, stride: stride, padding: widths, dilation: dilation, groups: groups)
    }
  }
}

/// What transposed convolutions over one to three spatial axes share: [batch, spatial..., inputs] ->
/// [batch, spatial'..., outputs].
///
/// Parameters: `weight` [outputs, kernel..., inputs / groups], `bias` [outputs].
public class TransposedConvolutionLayer: Layer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  private let stride, padding, outputPadding, dilation: [Int]
  private let groups: Int

  fileprivate init(
    _ name: StaticString, _ inputs: Int, _ outputs: Int, _ kernel: [Int], stride: [Int], padding: [Int],
    outputPadding: [Int], dilation: [Int], groups: Int, hasBias: Bool, initialiser: Initialiser,
    using generator: inout RandomGenerator
  ) {
    let start = initial(name, inputs, outputs, kernel, groups, hasBias, initialiser, &generator)
    weight = start.weight
    bias = start.bias
    (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
    (self.dilation, self.groups) = (dilation, groups)
  }

  public func forward(_ x: Tensor) -> Tensor {
    convolutionTransposed(
      x, weight: weight, bias: bias, stride: stride, padding: padding.map { ($0, $0) },
      outputPadding: outputPadding, dilation: dilation, groups: groups)
  }
}

private func initial(
  _ name: StaticString, _ inputs: Int, _ outputs: Int, _ kernel: [Int], _ groups: Int, _ hasBias: Bool,
  _ initialiser: Initialiser, _ generator: inout RandomGenerator
) -> (weight: Tensor, bias: Tensor?) {
  precondition(
    groups > 0 && inputs % groups == 0 && outputs % groups == 0, name,
    "\(inputs) inputs and \(outputs) outputs do not divide into \(groups) groups")
  let taps = kernel.reduce(1, *)
  let (fanIn, fanOut) = (taps * inputs / groups, taps * outputs / groups)
  let weight = initialiser.values(
    [outputs] + kernel + [inputs / groups], fanIn: fanIn, fanOut: fanOut, using: &generator)
  let bias =
    hasBias
    ? Initialiser.fanInUniform.values([outputs], fanIn: fanIn, fanOut: fanOut, using: &generator) : nil
  return (weight, bias)
}

// MARK: By number of axes

/// Convolution over [batch, length, inputs]; see `ConvolutionLayer` and `convolution`.
public final class Conv1d: ConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    paddingMode: PaddingMode = .zeros, dilation: Int = 1, groups: Int = 1, bias: Bool = true,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    super.init(
      "Conv1d", inputs, outputs, [kernel], stride: [stride], padding: [padding], paddingMode: paddingMode,
      dilation: [dilation], groups: groups, hasBias: bias, initialiser: initialiser, using: &generator)
  }
}

/// Convolution over [batch, height, width, inputs]; see `ConvolutionLayer` and `convolution`.
public final class Conv2d: ConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1),
    padding: (Int, Int) = (0, 0), paddingMode: PaddingMode = .zeros, dilation: (Int, Int) = (1, 1),
    groups: Int = 1, bias: Bool = true, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    super.init(
      "Conv2d", inputs, outputs, [kernel.0, kernel.1], stride: [stride.0, stride.1],
      padding: [padding.0, padding.1], paddingMode: paddingMode, dilation: [dilation.0, dilation.1],
      groups: groups, hasBias: bias, initialiser: initialiser, using: &generator)
  }
}

/// Convolution over [batch, depth, height, width, inputs]; see `ConvolutionLayer` and `convolution`.
public final class Conv3d: ConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: (Int, Int, Int), stride: (Int, Int, Int) = (1, 1, 1),
    padding: (Int, Int, Int) = (0, 0, 0), paddingMode: PaddingMode = .zeros,
    dilation: (Int, Int, Int) = (1, 1, 1), groups: Int = 1, bias: Bool = true,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    super.init(
      "Conv3d", inputs, outputs, [kernel.0, kernel.1, kernel.2], stride: [stride.0, stride.1, stride.2],
      padding: [padding.0, padding.1, padding.2], paddingMode: paddingMode,
      dilation: [dilation.0, dilation.1, dilation.2], groups: groups, hasBias: bias,
      initialiser: initialiser, using: &generator)
  }
}

/// Transposed convolution over [batch, length, inputs]; see `TransposedConvolutionLayer` and
/// `convolutionTransposed`.
public final class ConvTransposed1d: TransposedConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    dilation: Int = 1, groups: Int = 1, bias: Bool = true, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    super.init(
      "ConvTransposed1d", inputs, outputs, [kernel], stride: [stride], padding: [padding],
      outputPadding: [outputPadding], dilation: [dilation], groups: groups, hasBias: bias,
      initialiser: initialiser, using: &generator)
  }
}

/// Transposed convolution over [batch, height, width, inputs]; see `TransposedConvolutionLayer` and
/// `convolutionTransposed`.
public final class ConvTransposed2d: TransposedConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1),
    padding: (Int, Int) = (0, 0), outputPadding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1),
    groups: Int = 1, bias: Bool = true, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    super.init(
      "ConvTransposed2d", inputs, outputs, [kernel.0, kernel.1], stride: [stride.0, stride.1],
      padding: [padding.0, padding.1], outputPadding: [outputPadding.0, outputPadding.1],
      dilation: [dilation.0, dilation.1], groups: groups, hasBias: bias, initialiser: initialiser,
      using: &generator)
  }
}

/// Transposed convolution over [batch, depth, height, width, inputs]; see `TransposedConvolutionLayer`
/// and `convolutionTransposed`.
public final class ConvTransposed3d: TransposedConvolutionLayer {
  public init(
    _ inputs: Int, _ outputs: Int, kernel: (Int, Int, Int), stride: (Int, Int, Int) = (1, 1, 1),
    padding: (Int, Int, Int) = (0, 0, 0), outputPadding: (Int, Int, Int) = (0, 0, 0),
    dilation: (Int, Int, Int) = (1, 1, 1), groups: Int = 1, bias: Bool = true,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    super.init(
      "ConvTransposed3d", inputs, outputs, [kernel.0, kernel.1, kernel.2],
      stride: [stride.0, stride.1, stride.2], padding: [padding.0, padding.1, padding.2],
      outputPadding: [outputPadding.0, outputPadding.1, outputPadding.2],
      dilation: [dilation.0, dilation.1, dilation.2], groups: groups, hasBias: bias,
      initialiser: initialiser, using: &generator)
  }
}
