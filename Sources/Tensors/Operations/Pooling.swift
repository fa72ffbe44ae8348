import CallosumKernels

/// The largest value of each window of x [batch, height, width, channels]. Padding never wins; the
/// first of equal values takes the gradient.
public func maxPool2d(
  _ x: Tensor, kernel: (Int, Int), stride: (Int, Int)? = nil, padding: (Int, Int) = (0, 0)
) -> Tensor {
  let plan = PoolingPlan("maxPool2d", x, kernel, stride ?? kernel, padding)
  return fused(
    "maxPool2d", [x],
    reference: { inputs in
      let windows = plan.windows(inputs[0], padding: -.infinity)
      // The first largest value, by index, as the kernel chooses.
      let winner = stopGradient(windows).argMax(axis: -1, keepDims: true)
      return windows.takeAlong(winner, axis: -1).squeezed(axis: -1)
    },
    fast: { inputs in
      let x = inputs[0].packed
      let y = Tensor(uninitialized: plan.yShape, .float32)
      let winner = Tensor(uninitialized: plan.yShape, .int32)
      var window = plan.window
      callosum_max_pool(
        &window, x.pointer(as: Float.self), y.pointer(as: Float.self), winner.pointer(as: Int32.self))
      return (
        y,
        { g, _ in
          let g = g.packed
          let gx = Tensor(uninitialized: x.shape, .float32)
          var window = plan.window
          callosum_max_pool_backward(
            &window, g.pointer(as: Float.self), winner.pointer(as: Int32.self),
            gx.pointer(as: Float.self))
          return [gx]
        }
      )
    })
}

/// The mean of each window of x [batch, height, width, channels]; padding is zeros, which the
/// divisor counts or not.
public func averagePool2d(
  _ x: Tensor, kernel: (Int, Int), stride: (Int, Int)? = nil, padding: (Int, Int) = (0, 0),
  countPadding: Bool = true
) -> Tensor {
  let plan = PoolingPlan("averagePool2d", x, kernel, stride ?? kernel, padding)
  return fused(
    "averagePool2d", [x],
    reference: { inputs in
      let sums = plan.windows(inputs[0], padding: 0).sum(axis: -1)
      if countPadding { return sums * (1 / Double(kernel.0 * kernel.1)) }
      let inside = Tensor.ones([1] + Array(x.shape[1...2]) + [1], dtype: inputs[0].dtype)
      return sums / plan.windows(inside, padding: 0).sum(axis: -1)
    },
    fast: { inputs in
      let x = inputs[0].packed
      let y = Tensor(uninitialized: plan.yShape, .float32)
      var window = plan.window
      callosum_average_pool(&window, countPadding, x.pointer(as: Float.self), y.pointer(as: Float.self))
      return (
        y,
        { g, _ in
          let g = g.packed
          let gx = Tensor(uninitialized: x.shape, .float32)
          var window = plan.window
          callosum_average_pool_backward(
            &window, countPadding, g.pointer(as: Float.self), gx.pointer(as: Float.self))
          return [gx]
        }
      )
    })
}

/// The sizes of one pooling, checked once.
private struct PoolingPlan {
  let kernel, stride, padding: (Int, Int)
  let yShape: [Int]
  let window: callosum_window

  init(
    _ name: StaticString, _ x: Tensor, _ kernel: (Int, Int), _ stride: (Int, Int), _ padding: (Int, Int)
  ) {
    require(x.ndim == 4, name, "needs [batch, height, width, channels], got \(x.shape)")
    require(x.dtype.isFloatingPoint, name, "needs float32 or float64, got \(x.dtype)")
    require(
      kernel.0 > 0 && kernel.1 > 0 && stride.0 > 0 && stride.1 > 0 && padding.0 >= 0 && padding.1 >= 0
        && 2 * padding.0 <= kernel.0 && 2 * padding.1 <= kernel.1, name,
      "kernel \(kernel) and stride \(stride) must be positive, padding \(padding) at most half the kernel")
    let room = (x.dim(1) + 2 * padding.0 - kernel.0, x.dim(2) + 2 * padding.1 - kernel.1)
    require(room.0 >= 0 && room.1 >= 0, name, "kernel \(kernel) is larger than padded input \(x.shape)")
    (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
    let out = (room.0 / stride.0 + 1, room.1 / stride.1 + 1)
    yShape = [x.dim(0), out.0, out.1, x.dim(3)]
    window = callosum_window(
      batch: x.dim(0), height: x.dim(1), width: x.dim(2), channels: x.dim(3),
      out_height: out.0, out_width: out.1, kernel_y: kernel.0,
      kernel_x: kernel.1, stride_y: stride.0, stride_x: stride.1, dilation_y: 1,
      dilation_x: 1, pad_y: padding.0, pad_x: padding.1)
  }

  /// [batch, out height, out width, channels, kernel elements]
  func windows(_ x: Tensor, padding value: Double) -> Tensor {
    let both = [(0, 0), (padding.0, padding.0), (padding.1, padding.1), (0, 0)]
    return x.padded(both.map { (before: $0.0, after: $0.1) }, value: value)
      .slidingWindows(axis: 1, size: kernel.0, step: stride.0)
      .slidingWindows(axis: 2, size: kernel.1, step: stride.1)
      .flattened(start: 4, end: 5)
  }
}
