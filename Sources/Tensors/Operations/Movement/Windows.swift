import CallosumKernels

// Windows over the spatial axes of channels-last data: what convolution, its transpose, pooling,
// unfolding and folding share.

/// How windows lie over the spatial axes of [batch, spatial..., channels].
struct Windows {
  let spatial, kernel, stride, dilation, output: [Int]
  /// Padding before each axis.
  let before: [Int]

  /// Windows over an input of known size; their number follows.
  init(
    _ name: StaticString, over shape: [Int], kernel: [Int], stride: [Int],
    padding: [(before: Int, after: Int)], dilation: [Int]
  ) {
    Self.check(name, shape, kernel, stride, padding, dilation)
    let spatial = Array(shape[1..<(shape.count - 1)])
    let output = spatial.indices.map { axis in
      let span = (kernel[axis] - 1) * dilation[axis] + 1
      let room = spatial[axis] + padding[axis].before + padding[axis].after - span
      precondition(
        room >= 0, name,
        "the kernel spans \(span) along axis \(axis + 1), more than input \(shape) and padding")
      return room / stride[axis] + 1
    }
    self.init(spatial, kernel, stride, padding.map(\.before), dilation, output)
  }

  /// The other way round: the input that `shape` of windows came from. Of the sizes that give this
  /// number of windows it is the smallest, plus `excess`.
  init(
    _ name: StaticString, behind shape: [Int], kernel: [Int], stride: [Int],
    padding: [(before: Int, after: Int)], dilation: [Int], excess: [Int]
  ) {
    Self.check(name, shape, kernel, stride, padding, dilation)
    let output = Array(shape[1..<(shape.count - 1)])
    precondition(
      excess.count == output.count
        && output.indices.allSatisfy { excess[$0] >= 0 && excess[$0] < max(stride[$0], dilation[$0]) },
      name, "output padding \(excess) must be less than stride \(stride) or dilation \(dilation) per axis")
    let spatial = output.indices.map { axis in
      let reach = (output[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1
      let size = reach - padding[axis].before - padding[axis].after + excess[axis]
      precondition(
        size > 0, name, "padding \(padding[axis]) leaves nothing of \(reach) along axis \(axis + 1)")
      return size
    }
    self.init(spatial, kernel, stride, padding.map(\.before), dilation, output)
  }

  private init(
    _ spatial: [Int], _ kernel: [Int], _ stride: [Int], _ before: [Int], _ dilation: [Int], _ output: [Int]
  ) {
    (self.spatial, self.kernel, self.stride) = (spatial, kernel, stride)
    (self.before, self.dilation, self.output) = (before, dilation, output)
  }

  private static func check(
    _ name: StaticString, _ shape: [Int], _ kernel: [Int], _ stride: [Int],
    _ padding: [(before: Int, after: Int)], _ dilation: [Int]
  ) {
    let axes = shape.count - 2
    precondition(
      (1...3).contains(axes), name, "needs [batch, spatial..., channels] with 1 to 3 axes, got \(shape)")
    precondition(
      kernel.count == axes && stride.count == axes && padding.count == axes && dilation.count == axes
        && (kernel + stride + dilation).allSatisfy { $0 > 0 }
        && padding.allSatisfy { $0.before >= 0 && $0.after >= 0 }, name,
      "kernel \(kernel), stride \(stride), padding \(padding) and dilation \(dilation) do not suit "
        + "the \(axes) spatial axes of \(shape)")
  }

  var axes: Int { kernel.count }
  /// Elements of one window.
  var taps: Int { kernel.elementCount }
  /// Where the last window ends, counted from the start of the padding.
  var reach: [Int] {
    kernel.indices.map { (output[$0] - 1) * stride[$0] + (kernel[$0] - 1) * dilation[$0] + 1 }
  }
  /// Padding after each axis that the last window needs; negative where it does not reach the end.
  var after: [Int] { zip(reach, zip(before, spatial)).map { $0 - $1.0 - $1.1 } }

  /// x [batch, spatial..., channels] as [batch, output..., kernel..., channels].
  func columns(of x: Tensor) -> Tensor {
    let widths = zip(before, after).map { (before: $0, after: max($1, 0)) }
    let wide = x.padded([(0, 0)] + widths + [(0, 0)])
    return spread(wide.sliced([0..<x.shape[0]] + reach.map { 0..<$0 } + [0..<x.shape[axes + 1]]))
  }

  /// The adjoint of `columns`: windows added up where they overlap.
  func image(from columns: Tensor) -> Tensor {
    let wide = gathered(columns)
    let kept = (0..<axes).map { axis in
      let end = min(reach[axis], before[axis] + spatial[axis])
      return min(before[axis], end)..<end
    }
    let missing = zip(spatial, kept).map { (before: 0, after: $0 - $1.count) }
    return wide.sliced([0..<wide.shape[0]] + kept + [0..<wide.shape[axes + 1]])
      .padded([(0, 0)] + missing + [(0, 0)])
  }

  /// x [batch, reach..., channels] seen as [batch, output..., kernel..., channels].
  private func spread(_ x: Tensor) -> Tensor {
    let (batch, channels) = (x.shape[0], x.shape[axes + 1])
    return x.view([batch] + output + kernel + [channels], strides: steps(x.strides), offset: x.offset)
      .recorded("windows", from: x) { gathered($0) }
  }

  /// The adjoint of `spread`, one pass over the columns.
  private func gathered(_ columns: Tensor) -> Tensor {
    let (batch, channels) = (columns.shape[0], columns.shape[columns.ndim - 1])
    let result = Tensor.zeros([batch] + reach + [channels], dtype: columns.dtype)
    let source = columns.packed
    callosum_accumulate_into(
      columns.dtype.kernel, Int32(columns.ndim), columns.shape, source.pointer, result.pointer,
      steps(result.strides))
    return result.recorded("windowsAdded", from: columns) { spread($0) }
  }

  private func steps(_ strides: [Int]) -> [Int] {
    let along = strides[1...axes]
    return [strides[0]] + zip(along, stride).map(*) + zip(along, dilation).map(*) + [strides[axes + 1]]
  }
}

// MARK: Windows as columns

/// The windows of x as rows of numbers, so that `linear` of them is a convolution: the kernel's
/// elements follow each other in order, each with all channels.
///
/// - Parameters:
///   - x: [batch, spatial..., channels] with one to three spatial axes.
///   - kernel: size of a window, one number per spatial axis; so `stride` (1), `padding` on both sides
///     (0) and `dilation` (1).
/// - Returns: [batch, output spatial..., kernel elements * channels].
public func unfold(
  _ x: Tensor, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil, dilation: [Int]? = nil
) -> Tensor {
  let ones = kernel.map { _ in 1 }
  let windows = Windows(
    "unfold", over: x.shape, kernel: kernel, stride: stride ?? ones,
    padding: (padding ?? kernel.map { _ in 0 }).map { ($0, $0) }, dilation: dilation ?? ones)
  return windows.columns(of: x).reshaped([x.dim(0)] + windows.output + [windows.taps * x.dim(-1)])
}

/// The adjoint of `unfold`: windows [batch, output spatial..., kernel elements * channels] added up
/// where they overlap -> [batch, spatial..., channels].
public func fold(
  _ columns: Tensor, to spatial: [Int], kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil,
  dilation: [Int]? = nil
) -> Tensor {
  columns.requireNumbers("fold")
  let ones = kernel.map { _ in 1 }
  let (taps, width) = (kernel.elementCount, columns.shape.last ?? 0)
  precondition(
    taps > 0 && width % taps == 0, "fold", "\(columns.shape) does not end in windows of \(kernel) elements")
  let (batch, channels) = (columns.shape[0], width / taps)
  let windows = Windows(
    "fold", over: [batch] + spatial + [channels], kernel: kernel, stride: stride ?? ones,
    padding: (padding ?? kernel.map { _ in 0 }).map { ($0, $0) }, dilation: dilation ?? ones)
  precondition(
    columns.shape == [batch] + windows.output + [width], "fold",
    "size \(spatial) has \(windows.output) windows of \(kernel), got \(columns.shape)")
  return windows.image(from: columns.reshaped([batch] + windows.output + kernel + [channels]))
}

// MARK: Channels as pixels

/// Blocks of channels as finer pixels (Shi et al. 2016): [batch, spatial..., channels * factor^axes]
/// -> [batch, spatial * factor..., channels]. Of a channel's block the last axis runs fastest.
public func pixelShuffle(_ x: Tensor, factor: Int) -> Tensor {
  let axes = x.ndim - 2
  let block = [Int](repeating: factor, count: max(axes, 0))
  precondition(
    axes > 0 && factor > 0 && x.dim(-1) % block.elementCount == 0, "pixelShuffle",
    "\(x.shape) needs channels in blocks of factor \(factor) along each of \(max(axes, 0)) axes")
  let channels = x.dim(-1) / block.elementCount
  // [batch, s1, ..., sn, channels, f1, ..., fn] -> [batch, s1, f1, ..., sn, fn, channels]
  let order = (0..<axes).flatMap { [1 + $0, axes + 2 + $0] }
  return x.reshaped(Array(x.shape.dropLast()) + [channels] + block)
    .transposed(axes: [0] + order + [axes + 1])
    .reshaped([x.dim(0)] + x.shape[1...axes].map { $0 * factor } + [channels])
}

/// The inverse of `pixelShuffle`: [batch, spatial..., channels] ->
/// [batch, spatial / factor..., channels * factor^axes].
public func pixelUnshuffle(_ x: Tensor, factor: Int) -> Tensor {
  let axes = x.ndim - 2
  precondition(
    axes > 0 && factor > 0 && x.shape[1..<(axes + 1)].allSatisfy { $0 % factor == 0 }, "pixelUnshuffle",
    "the spatial axes of \(x.shape) do not divide by factor \(factor)")
  let coarse = x.shape[1...axes].map { $0 / factor }
  let block = [Int](repeating: factor, count: axes).elementCount
  // [batch, s1, f1, ..., sn, fn, channels] -> [batch, s1, ..., sn, channels, f1, ..., fn]
  let order = (0..<axes).map { 1 + 2 * $0 } + [2 * axes + 1] + (0..<axes).map { 2 + 2 * $0 }
  return x.reshaped([x.dim(0)] + coarse.flatMap { [$0, factor] } + [x.dim(-1)])
    .transposed(axes: [0] + order)
    .reshaped([x.dim(0)] + coarse + [x.dim(-1) * block])
}
