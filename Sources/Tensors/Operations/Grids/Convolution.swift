/// Convolution (without flipping, as the field has it) over channels-last data.
///
/// - Parameters:
///   - x: [batch, spatial..., inputs] with one to three spatial axes.
///   - w: [outputs, kernel..., inputs / groups].
///   - bias: [outputs].
///   - stride: distance between windows, one number per spatial axis.
///   - padding: zeros before and after each spatial axis.
///   - dilation: distance between the elements of a window, one number per spatial axis.
///   - groups: parts of the channels that do not see each other.
/// - Returns: [batch, output spatial..., outputs].
public func convolution(
  _ x: Tensor, weight w: Tensor, bias: Tensor? = nil, stride: [Int], padding: [(before: Int, after: Int)],
  dilation: [Int], groups: Int = 1
) -> Tensor {
  checkChannels("convolution", x, w, bias, groups)
  let windows = Windows(
    "convolution", over: x.shape, kernel: kernel(of: w), stride: stride, padding: padding, dilation: dilation)
  let plan = ConvolutionPlan(windows, batch: x.dim(0), inputs: x.dim(-1), outputs: w.dim(0), groups: groups)
  return fusedWindows(
    "convolution", x, w, bias, plan, reference: plan.reference, forward: plan.forward,
    gradientOfInput: { w, g in plan.gradientOfInput(w, g) }, gradientOfWeights: plan.gradientOfWeights)
}

/// Transposed convolution over channels-last data: the derivative of a convolution by its input, with
/// its stride, padding, dilation and groups, as an operation. Every element of x spreads a kernel over
/// the result, `stride` apart.
///
/// - Parameters:
///   - x: [batch, spatial..., inputs] with one to three spatial axes.
///   - w: [outputs, kernel..., inputs / groups].
///   - bias: [outputs].
///   - stride: distance between the kernels of neighbours, one number per spatial axis.
///   - padding: what is cut off before and after each spatial axis.
///   - outputPadding: what is added at the end of each axis, less than stride or dilation.
///   - dilation: distance between the elements of a kernel, one number per spatial axis.
///   - groups: parts of the channels that do not see each other.
/// - Returns: [batch, output spatial..., outputs], each output size being
///   (size - 1) stride - padding + (kernel - 1) dilation + 1 + outputPadding.
public func convolutionTransposed(
  _ x: Tensor, weight w: Tensor, bias: Tensor? = nil, stride: [Int], padding: [(before: Int, after: Int)],
  outputPadding: [Int], dilation: [Int], groups: Int = 1
) -> Tensor {
  checkChannels("convolutionTransposed", x, w, bias, groups)
  let windows = Windows(
    "convolutionTransposed", behind: x.shape, kernel: kernel(of: w), stride: stride, padding: padding,
    dilation: dilation, excess: outputPadding)
  // Beyond stride - 1, output padding adds what no kernel reaches, and the library has no word for it.
  let beyond = zip(outputPadding, stride).map { max(0, $0 - $1 + 1) }
  if beyond.contains(where: { $0 > 0 }) {
    let y = convolutionTransposed(
      x, weight: w, stride: stride, padding: padding, outputPadding: zip(outputPadding, beyond).map(-),
      dilation: dilation, groups: groups)
    let wider = y.padded([(0, 0)] + beyond.map { (0, $0) } + [(0, 0)])
    return bias.map { wider + $0 } ?? wider
  }
  // The convolution that this is the derivative of leads from our outputs to our inputs.
  let (inputs, outputs) = (x.dim(-1), w.dim(0))
  let plan = ConvolutionPlan(windows, batch: x.dim(0), inputs: outputs, outputs: inputs, groups: groups)
  let turned = w.reshaped([groups, outputs / groups] + windows.kernel + [inputs / groups])
    .swappedAxes(1, -1).reshaped([inputs] + windows.kernel + [outputs / groups])
  return fusedWindows(
    "convolutionTransposed", x, turned, bias, plan, reference: plan.referenceTransposed,
    forward: { x, w, bias in plan.gradientOfInput(w, x, bias) },
    gradientOfInput: { w, g in plan.forward(g, w, nil) },
    gradientOfWeights: { x, g in plan.gradientOfWeights(g, x) })
}

/// A convolution or its transpose, and their derivatives, each of which is one of the other's.
private func fusedWindows(
  _ name: StaticString, _ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ plan: ConvolutionPlan,
  reference: @escaping (_ x: Tensor, _ w: Tensor) -> Tensor,
  forward: (_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor,
  gradientOfInput: @escaping (_ w: Tensor, _ g: Tensor) -> Tensor,
  gradientOfWeights: @escaping (_ x: Tensor, _ g: Tensor) -> Tensor
) -> Tensor {
  fused(
    name, bias.map { [x, w, $0] } ?? [x, w],
    reference: { inputs in
      let y = reference(inputs[0], inputs[1])
      return inputs.count > 2 ? y + inputs[2] : y
    },
    fast: { inputs in
      let (x, w) = (inputs[0].packed, inputs[1].packed)
      let bias = inputs.count > 2 ? inputs[2].packed : nil
      ThreadState.count(multiplyAccumulates: plan.multiplyAccumulates)
      return (
        forward(x, w, bias),
        { g, needsGradient in
          let g = g.packed
          let gx = needsGradient[0] ? gradientOfInput(w, g) : nil
          let gw = needsGradient[1] ? gradientOfWeights(x, g) : nil
          return bias == nil ? [gx, gw] : [gx, gw, needsGradient[2] ? gradientOfBias(g) : nil]
        }
      )
    })
}

private func kernel(of w: Tensor) -> [Int] { Array(w.shape[1..<(w.ndim - 1)]) }

private func gradientOfBias(_ g: Tensor) -> Tensor { g.sum(axes: Array(0..<(g.ndim - 1))) }

private func checkChannels(_ name: StaticString, _ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ groups: Int) {
  let shapes = "input \(x.shape), weight \(w.shape)"
  precondition(
    x.ndim >= 3 && w.ndim == x.ndim, name,
    "needs input [batch, spatial..., channels] and weight [outputs, kernel..., inputs / groups]; \(shapes)")
  let (inputs, outputs) = (x.dim(-1), w.dim(0))
  precondition(
    groups > 0 && inputs % groups == 0 && outputs % groups == 0 && w.dim(-1) == inputs / groups, name,
    "axis channels must be \(w.dim(-1) * groups) with \(groups) groups, is \(inputs); \(shapes)")
  precondition(
    bias == nil || bias?.shape == [outputs], name,
    "bias has shape \(bias?.shape ?? []), weight asks for [\(outputs)]")
}

// MARK: By number of axes

/// Convolution over [batch, length, channels]; see `convolution`.
public func conv1d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0,
  dilation: Int = 1, groups: Int = 1
) -> Tensor {
  convolution(
    x, weight: weight, bias: bias, stride: [stride], padding: [(padding, padding)],
    dilation: [dilation], groups: groups)
}

/// Convolution over [batch, height, width, channels]; see `convolution`.
public func conv2d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: (Int, Int) = (1, 1),
  padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1), groups: Int = 1
) -> Tensor {
  convolution(
    x, weight: weight, bias: bias, stride: [stride.0, stride.1],
    padding: [padding.0, padding.1].map { ($0, $0) }, dilation: [dilation.0, dilation.1], groups: groups)
}

/// Convolution over [batch, depth, height, width, channels]; see `convolution`.
public func conv3d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: (Int, Int, Int) = (1, 1, 1),
  padding: (Int, Int, Int) = (0, 0, 0), dilation: (Int, Int, Int) = (1, 1, 1), groups: Int = 1
) -> Tensor {
  convolution(
    x, weight: weight, bias: bias, stride: [stride.0, stride.1, stride.2],
    padding: [padding.0, padding.1, padding.2].map { ($0, $0) },
    dilation: [dilation.0, dilation.1, dilation.2], groups: groups)
}

/// Transposed convolution over [batch, length, channels]; see `convolutionTransposed`.
public func convTransposed1d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0,
  outputPadding: Int = 0, dilation: Int = 1, groups: Int = 1
) -> Tensor {
  convolutionTransposed(
    x, weight: weight, bias: bias, stride: [stride], padding: [(padding, padding)],
    outputPadding: [outputPadding], dilation: [dilation], groups: groups)
}

/// Transposed convolution over [batch, height, width, channels]; see `convolutionTransposed`.
public func convTransposed2d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: (Int, Int) = (1, 1),
  padding: (Int, Int) = (0, 0), outputPadding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1),
  groups: Int = 1
) -> Tensor {
  convolutionTransposed(
    x, weight: weight, bias: bias, stride: [stride.0, stride.1],
    padding: [padding.0, padding.1].map { ($0, $0) }, outputPadding: [outputPadding.0, outputPadding.1],
    dilation: [dilation.0, dilation.1], groups: groups)
}

/// Transposed convolution over [batch, depth, height, width, channels]; see `convolutionTransposed`.
public func convTransposed3d(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, stride: (Int, Int, Int) = (1, 1, 1),
  padding: (Int, Int, Int) = (0, 0, 0), outputPadding: (Int, Int, Int) = (0, 0, 0),
  dilation: (Int, Int, Int) = (1, 1, 1), groups: Int = 1
) -> Tensor {
  convolutionTransposed(
    x, weight: weight, bias: bias, stride: [stride.0, stride.1, stride.2],
    padding: [padding.0, padding.1, padding.2].map { ($0, $0) },
    outputPadding: [outputPadding.0, outputPadding.1, outputPadding.2],
    dilation: [dilation.0, dilation.1, dilation.2], groups: groups)
}
