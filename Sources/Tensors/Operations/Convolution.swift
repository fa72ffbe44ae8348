import CallosumKernels

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
  let plan = ConvolutionPlan(x, w, bias, stride, padding, dilation, groups)
  return fused(
    "convolution", bias.map { [x, w, $0] } ?? [x, w], reference: plan.reference,
    fast: { inputs in
      let (x, w) = (inputs[0].packed, inputs[1].packed)
      let bias = inputs.count > 2 ? inputs[2].packed : nil
      if plan.isEmpty {
        let empty = plan.reference(inputs)
        return (empty, { _, _ in inputs.map { .zeros(like: $0) } })
      }
      ThreadState.count(
        multiplyAccumulates: plan.yShape.elementCount * plan.kernel.elementCount * plan.inputs / groups)
      let y = plan.isDepthwise ? plan.depthwise(x, w, bias) : plan.forward(x, w, bias)
      return (
        y,
        { g, wants in
          let g = g.packed
          let gx = wants[0] ? plan.gradientOfInput(w, g) : nil
          let gw = wants[1] ? plan.gradientOfWeights(x, g) : nil
          if bias == nil { return [gx, gw] }
          return [gx, gw, wants[2] ? g.sum(axes: Array(0..<(g.ndim - 1))) : nil]
        }
      )
    })
}

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
    padding: [(padding.0, padding.0), (padding.1, padding.1)],
    dilation: [dilation.0, dilation.1], groups: groups)
}

/// The sizes of one convolution, checked once, and its ways to compute.
private struct ConvolutionPlan {
  let axes, batch, inputs, outputs, groups: Int
  let spatial, kernel, output, stride, dilation: [Int]
  let padding: [(before: Int, after: Int)]
  let yShape, xShape, wShape: [Int]

  init(
    _ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ stride: [Int], _ padding: [(before: Int, after: Int)],
    _ dilation: [Int], _ groups: Int
  ) {
    axes = x.ndim - 2
    let shapes = "input \(x.shape), weight \(w.shape)"
    require(
      (1...3).contains(axes) && w.ndim == x.ndim, "convolution",
      "needs input [batch, spatial..., channels] and weight [outputs, kernel..., inputs / groups]; \(shapes)")
    require(
      stride.count == axes && padding.count == axes && dilation.count == axes
        && stride.allSatisfy { $0 > 0 } && dilation.allSatisfy { $0 > 0 }
        && padding.allSatisfy { $0.before >= 0 && $0.after >= 0 }, "convolution",
      "stride \(stride), padding \(padding) and dilation \(dilation) do not suit \(axes) axes; \(shapes)")
    batch = x.dim(0)
    inputs = x.dim(-1)
    outputs = w.dim(0)
    self.groups = groups
    require(
      groups > 0 && inputs % groups == 0 && outputs % groups == 0 && w.dim(-1) == inputs / groups,
      "convolution",
      "axis channels must be \(w.dim(-1) * groups) with \(groups) groups, is \(inputs); \(shapes)")
    require(
      bias == nil || bias?.shape == [outputs], "convolution",
      "bias has shape \(bias?.shape ?? []), weight asks for [\(outputs)]")
    spatial = Array(x.shape[1...axes])
    kernel = Array(w.shape[1...axes])
    self.stride = stride
    self.dilation = dilation
    self.padding = padding
    output = (0..<axes).map { [spatial, kernel] axis in
      let span = (kernel[axis] - 1) * dilation[axis] + 1
      let room = spatial[axis] + padding[axis].before + padding[axis].after - span
      require(
        kernel[axis] > 0 && room >= 0, "convolution",
        "the kernel spans \(span) along axis \(axis + 1), more than input and padding; \(shapes)")
      return room / stride[axis] + 1
    }
    xShape = x.shape
    wShape = w.shape
    yShape = [batch] + output + [outputs]
  }

  var isEmpty: Bool { yShape.elementCount == 0 || xShape.elementCount == 0 || wShape.elementCount == 0 }

  /// One kernel per channel: a kernel of our own, because the library is slow at it.
  var isDepthwise: Bool { axes == 2 && groups == inputs && groups == outputs }

  /// Windows of the padded input, as rows of one matrix product per group.
  func reference(_ inputs: [Tensor]) -> Tensor {
    var windows = inputs[0].padded([(0, 0)] + padding + [(0, 0)])
    for axis in 0..<axes {
      windows = windows.slidingWindows(
        axis: axis + 1, size: kernel[axis], step: stride[axis], dilation: dilation[axis])
    }
    let positions = batch * output.elementCount
    let depth = self.inputs / groups * kernel.elementCount
    // [batch, output..., channels, kernel...] -> [groups, positions, depth]
    let rows = windows.reshaped([positions, groups, depth]).swappedAxes(0, 1)
    let columns = inputs[1].movedAxis(source: -1, destination: 1)
      .reshaped([groups, outputs / groups, depth]).swappedAxes(1, 2)
    let y = matmul(rows, columns).swappedAxes(0, 1).reshaped(yShape)
    return inputs.count > 2 ? y + inputs[2] : y
  }

  // MARK: The library

  private func run(
    _ name: StaticString, _ body: (UnsafePointer<callosum_convolution>) -> Int32
  ) {
    var job = callosum_convolution()
    job.axes = Int32(axes)
    job.batch = Int64(batch)
    job.inputs = Int64(inputs)
    job.outputs = Int64(outputs)
    job.groups = Int64(groups)
    func triple(_ values: [Int]) -> (Int64, Int64, Int64) {
      let v = (values + [1, 1]).map(Int64.init)
      return (v[0], v[1], v[2])
    }
    job.spatial = triple(spatial)
    job.kernel = triple(kernel)
    job.output = triple(output)
    job.stride = triple(stride)
    job.dilation = triple(dilation)
    job.padding_low = triple(padding.map(\.before))
    // What the last window does not reach is not padded.
    job.padding_high = triple(
      (0..<axes).map {
        (output[$0] - 1) * stride[$0] + (kernel[$0] - 1) * dilation[$0] + 1 - spatial[$0] - padding[$0].before
      })
    let status = body(&job)
    require(
      status == 0, name, "the library failed with status \(status) on input \(xShape), weight \(wShape)")
  }

  func forward(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor {
    let y = Tensor(uninitialized: yShape, .float32)
    run("convolution") {
      callosum_convolution_forward(
        $0, x.pointer(as: Float.self), w.pointer(as: Float.self), bias?.pointer(as: Float.self),
        y.pointer(as: Float.self))
    }
    return y
  }

  func gradientOfInput(_ w: Tensor, _ g: Tensor) -> Tensor {
    let gx = Tensor(uninitialized: xShape, .float32)
    if isDepthwise {
      let taps = w.reshaped([inputs, kernel.elementCount]).transposed().packed
      var window = window
      callosum_depthwise_backward_input(
        &window, taps.pointer(as: Float.self), g.pointer(as: Float.self), gx.pointer(as: Float.self))
    } else {
      run("convolution") {
        callosum_convolution_backward_input(
          $0, w.pointer(as: Float.self), g.pointer(as: Float.self), gx.pointer(as: Float.self))
      }
    }
    return gx
  }

  func gradientOfWeights(_ x: Tensor, _ g: Tensor) -> Tensor {
    if isDepthwise {
      let taps = Tensor(uninitialized: [kernel.elementCount, inputs], .float32)
      var window = window
      callosum_depthwise_backward_weights(
        &window, x.pointer(as: Float.self), g.pointer(as: Float.self), taps.pointer(as: Float.self))
      return taps.transposed().reshaped(wShape)
    }
    let gw = Tensor(uninitialized: wShape, .float32)
    run("convolution") {
      callosum_convolution_backward_weights(
        $0, x.pointer(as: Float.self), g.pointer(as: Float.self), gw.pointer(as: Float.self))
    }
    return gw
  }

  // MARK: Depthwise

  private var window: callosum_window {
    callosum_window(
      batch: batch, height: spatial[0], width: spatial[1], channels: inputs,
      out_height: output[0], out_width: output[1], kernel_y: kernel[0],
      kernel_x: kernel[1], stride_y: stride[0], stride_x: stride[1],
      dilation_y: dilation[0], dilation_x: dilation[1], pad_y: padding[0].before,
      pad_x: padding[1].before)
  }

  func depthwise(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor {
    let taps = w.reshaped([inputs, kernel.elementCount]).transposed().packed
    let y = Tensor(uninitialized: yShape, .float32)
    var window = window
    callosum_depthwise(
      &window, x.pointer(as: Float.self), taps.pointer(as: Float.self), bias?.pointer(as: Float.self),
      y.pointer(as: Float.self))
    return y
  }
}
