import CallosumKernels

/// The three products of one convolution, y = x * w and its two derivatives, by the library or by a
/// kernel of our own. Tensors are float32 and packed.
struct ConvolutionPlan {
  let windows: Windows
  let batch, inputs, outputs, groups: Int

  init(_ windows: Windows, batch: Int, inputs: Int, outputs: Int, groups: Int) {
    (self.windows, self.batch, self.groups) = (windows, batch, groups)
    (self.inputs, self.outputs) = (inputs, outputs)
  }

  private var xShape: [Int] { [batch] + windows.spatial + [inputs] }
  private var yShape: [Int] { [batch] + windows.output + [outputs] }
  private var wShape: [Int] { [outputs] + windows.kernel + [inputs / groups] }

  // MARK: In ordinary operations

  private var positions: Int { batch * windows.output.elementCount }
  private var depth: Int { windows.taps * inputs / groups }

  /// Windows of x as rows of one matrix product per group.
  func reference(_ x: Tensor, _ w: Tensor) -> Tensor {
    let rows = windows.columns(of: x).reshaped([positions, windows.taps, groups, inputs / groups])
      .transposed(2, 0, 1, 3).reshaped([groups, positions, depth])
    let kernels = w.reshaped([groups, outputs / groups, depth]).swappedAxes(1, 2)
    return matmul(rows, kernels).swappedAxes(0, 1).reshaped(yShape)
  }

  /// The same steps backwards.
  func referenceTransposed(_ g: Tensor, _ w: Tensor) -> Tensor {
    let rows = g.reshaped([positions, groups, outputs / groups]).swappedAxes(0, 1)
    let columns = matmul(rows, w.reshaped([groups, outputs / groups, depth]))
      .reshaped([groups, positions, windows.taps, inputs / groups]).transposed(1, 2, 0, 3)
    return windows.image(from: columns.reshaped([batch] + windows.output + windows.kernel + [inputs]))
  }

  // MARK: By kernels

  private var isEmpty: Bool {
    yShape.elementCount == 0 || xShape.elementCount == 0 || wShape.elementCount == 0
  }

  /// One kernel per channel: a kernel of our own, because the library is slow at it.
  private var isDepthwise: Bool { groups == inputs && groups == outputs && groups > 1 }

  var multiplyAccumulates: Int { yShape.elementCount * depth }

  /// y = x * w + bias.
  func forward(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> Tensor {
    if isEmpty {
      let empty = Tensor.zeros(yShape)
      return bias.map { empty + $0 } ?? empty
    }
    let y = Tensor(uninitialized: yShape, .float32)
    if isDepthwise {
      let taps = taps(of: w)
      var window = window
      callosum_depthwise(
        &window, x.pointer(as: Float.self), taps.pointer(as: Float.self), bias?.pointer(as: Float.self),
        y.pointer(as: Float.self))
    } else {
      run {
        callosum_convolution_forward(
          $0, x.pointer(as: Float.self), w.pointer(as: Float.self), bias?.pointer(as: Float.self),
          y.pointer(as: Float.self))
      }
    }
    return y
  }

  /// The derivative by x, plus bias: a transposed convolution.
  func gradientOfInput(_ w: Tensor, _ g: Tensor, _ bias: Tensor? = nil) -> Tensor {
    if isEmpty {
      let empty = Tensor.zeros(xShape)
      return bias.map { empty + $0 } ?? empty
    }
    let gx = Tensor(uninitialized: xShape, .float32)
    if isDepthwise {
      let taps = taps(of: w)
      var window = window
      callosum_depthwise_backward_input(
        &window, taps.pointer(as: Float.self), g.pointer(as: Float.self), gx.pointer(as: Float.self))
    } else {
      run {
        callosum_convolution_backward_input(
          $0, w.pointer(as: Float.self), g.pointer(as: Float.self), gx.pointer(as: Float.self))
      }
    }
    if let bias {
      callosum_bias(
        gx.pointer(as: Float.self), bias.pointer(as: Float.self), gx.pointer(as: Float.self),
        gx.size / inputs, inputs)
    }
    return gx
  }

  func gradientOfWeights(_ x: Tensor, _ g: Tensor) -> Tensor {
    if isEmpty { return .zeros(wShape) }
    if isDepthwise {
      let taps = Tensor(uninitialized: [windows.taps, inputs], .float32)
      var window = window
      callosum_depthwise_backward_weights(
        &window, x.pointer(as: Float.self), g.pointer(as: Float.self), taps.pointer(as: Float.self))
      return taps.transposed().reshaped(wShape)
    }
    let gw = Tensor(uninitialized: wShape, .float32)
    run {
      callosum_convolution_backward_weights(
        $0, x.pointer(as: Float.self), g.pointer(as: Float.self), gw.pointer(as: Float.self))
    }
    return gw
  }

  // MARK: The library

  private func run(_ body: (UnsafePointer<callosum_convolution>) -> Int32) {
    var job = callosum_convolution()
    job.axes = Int32(windows.axes)
    job.batch = Int64(batch)
    job.inputs = Int64(inputs)
    job.outputs = Int64(outputs)
    job.groups = Int64(groups)
    func triple(_ values: [Int]) -> (Int64, Int64, Int64) {
      let v = (values + [1, 1]).map(Int64.init)
      return (v[0], v[1], v[2])
    }
    job.spatial = triple(windows.spatial)
    job.kernel = triple(windows.kernel)
    job.output = triple(windows.output)
    job.stride = triple(windows.stride)
    job.dilation = triple(windows.dilation)
    job.padding_low = triple(windows.before)
    job.padding_high = triple(windows.after)
    let status = body(&job)
    precondition(
      status == 0, "convolution",
      "the library failed with status \(status) on input \(xShape), weight \(wShape)")
  }

  // MARK: Depthwise

  /// A signal is an image of one row, an image a volume of one plane.
  private var window: callosum_window {
    func triple(_ values: [Int], _ missing: Int) -> (z: Int, y: Int, x: Int) {
      let v = [Int](repeating: missing, count: 3 - values.count) + values
      return (v[0], v[1], v[2])
    }
    let (size, output) = (triple(windows.spatial, 1), triple(windows.output, 1))
    let (kernel, stride) = (triple(windows.kernel, 1), triple(windows.stride, 1))
    let (dilation, pad) = (triple(windows.dilation, 1), triple(windows.before, 0))
    return callosum_window(
      batch: batch, depth: size.z, height: size.y, width: size.x, channels: inputs, out_depth: output.z,
      out_height: output.y, out_width: output.x, kernel_z: kernel.z, kernel_y: kernel.y,
      kernel_x: kernel.x, stride_z: stride.z, stride_y: stride.y, stride_x: stride.x,
      dilation_z: dilation.z, dilation_y: dilation.y, dilation_x: dilation.x, pad_z: pad.z, pad_y: pad.y,
      pad_x: pad.x)
  }

  private func taps(of w: Tensor) -> Tensor { w.reshaped([inputs, windows.taps]).transposed().packed }
}
