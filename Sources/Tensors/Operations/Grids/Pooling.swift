import CallosumKernels

// Pooling over windows of channels-last data [batch, spatial..., channels] with one to three spatial
// axes. A window is the product of a span along each axis, whether the spans are regular or divide the
// axis into a given number of bins.

// MARK: Regular windows

/// The largest value of each window. Padding never wins; the first of equal values takes the gradient.
///
/// - Parameters:
///   - x: [batch, spatial..., channels].
///   - kernel: size of a window, one number per spatial axis; so `stride` (nil: the kernel), `padding` on
///     both sides (nil: 0, at most half the kernel) and `dilation` (nil: 1).
public func maxPool(
  _ x: Tensor, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil, dilation: [Int]? = nil
) -> Tensor {
  maximaOfWindows(x, kernel, stride, padding, dilation).values
}

/// `maxPool` and where it found the values: the place of each in its channel's plane (or signal, or
/// volume), counted in row-major order, int32, without derivative. `maxUnpool` puts them back.
public func maxPoolWithIndices(
  _ x: Tensor, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil, dilation: [Int]? = nil
) -> (values: Tensor, indices: Tensor) {
  let (values, winners) = maximaOfWindows(x, kernel, stride, padding, dilation)
  return (values, winners.withoutDerivative("maxPool", from: x))
}

/// Values put back where `maxPoolWithIndices` found them, zeros elsewhere. Where windows overlap, the
/// last one that found a place fills it and gets its gradient.
///
/// - Parameters:
///   - x: [batch, spatial..., channels], like the result of the pooling.
///   - indices: of the same shape.
///   - kernel: of the pooling, like `stride` and `padding`, which tell the size of the result.
///   - size: the spatial axes of the result, where those leave a choice; nil for the smallest.
public func maxUnpool(
  _ x: Tensor, indices: Tensor, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil,
  to size: [Int]? = nil
) -> Tensor {
  let stride = stride ?? kernel, padding = padding ?? kernel.map { _ in 0 }
  precondition(
    x.ndim == kernel.count + 2
      && [stride.count, padding.count, size?.count ?? kernel.count] == [
        kernel.count, kernel.count, kernel.count,
      ] && indices.shape == x.shape, "maxUnpool",
    "\(x.shape) with indices \(indices.shape) does not fit kernel \(kernel), stride \(stride), padding "
      + "\(padding); needs [batch, spatial..., channels]")
  let smallest = kernel.indices.map {
    max((x.shape[$0 + 1] - 1) * stride[$0] - 2 * padding[$0] + kernel[$0], 0)
  }
  let spatial = size ?? smallest
  let (batch, channels) = (x.dim(0), x.dim(-1)), windows = Array(x.shape[1..<(x.ndim - 1)]).elementCount
  let places = indices.reshaped([batch, windows, channels])
  return Tensor.zeros([batch, spatial.elementCount, channels], dtype: x.dtype)
    .putAlong(places, values: x.reshaped([batch, windows, channels]), axis: 1)
    .reshaped([batch] + spatial + [channels])
}

/// The mean of each window; padding is zeros, which the divisor counts or not. See `maxPool`.
public func averagePool(
  _ x: Tensor, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil, countPadding: Bool = true
) -> Tensor {
  let ones = kernel.map { _ in 1 }
  let plan = PoolingPlan("averagePool", x, kernel, stride ?? kernel, padding, ones, countPadding)
  return pooledByMean("averagePool", x, plan)
}

/// `maxPool` over [batch, length, channels].
public func maxPool1d(
  _ x: Tensor, kernel: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1
) -> Tensor {
  maxPool(x, kernel: [kernel], stride: stride.map { [$0] }, padding: [padding], dilation: [dilation])
}

/// `maxPool` over [batch, height, width, channels].
public func maxPool2d(
  _ x: Tensor, kernel: (Int, Int), stride: (Int, Int)? = nil, padding: (Int, Int) = (0, 0),
  dilation: (Int, Int) = (1, 1)
) -> Tensor {
  maxPool(
    x, kernel: [kernel.0, kernel.1], stride: stride.map { [$0.0, $0.1] }, padding: [padding.0, padding.1],
    dilation: [dilation.0, dilation.1])
}

/// `maxPool` over [batch, depth, height, width, channels].
public func maxPool3d(
  _ x: Tensor, kernel: (Int, Int, Int), stride: (Int, Int, Int)? = nil, padding: (Int, Int, Int) = (0, 0, 0),
  dilation: (Int, Int, Int) = (1, 1, 1)
) -> Tensor {
  maxPool(
    x, kernel: [kernel.0, kernel.1, kernel.2], stride: stride.map { [$0.0, $0.1, $0.2] },
    padding: [padding.0, padding.1, padding.2], dilation: [dilation.0, dilation.1, dilation.2])
}

/// `averagePool` over [batch, length, channels].
public func averagePool1d(
  _ x: Tensor, kernel: Int, stride: Int? = nil, padding: Int = 0, countPadding: Bool = true
) -> Tensor {
  averagePool(
    x, kernel: [kernel], stride: stride.map { [$0] }, padding: [padding], countPadding: countPadding)
}

/// `averagePool` over [batch, height, width, channels].
public func averagePool2d(
  _ x: Tensor, kernel: (Int, Int), stride: (Int, Int)? = nil, padding: (Int, Int) = (0, 0),
  countPadding: Bool = true
) -> Tensor {
  averagePool(
    x, kernel: [kernel.0, kernel.1], stride: stride.map { [$0.0, $0.1] }, padding: [padding.0, padding.1],
    countPadding: countPadding)
}

/// `averagePool` over [batch, depth, height, width, channels].
public func averagePool3d(
  _ x: Tensor, kernel: (Int, Int, Int), stride: (Int, Int, Int)? = nil, padding: (Int, Int, Int) = (0, 0, 0),
  countPadding: Bool = true
) -> Tensor {
  averagePool(
    x, kernel: [kernel.0, kernel.1, kernel.2], stride: stride.map { [$0.0, $0.1, $0.2] },
    padding: [padding.0, padding.1, padding.2], countPadding: countPadding)
}

// MARK: A given number of windows

/// The largest value of each bin, when every spatial axis of x [batch, spatial..., channels] is divided
/// into the given number: bin i of n reaches from floor(i size / n) to ceil((i + 1) size / n), so bins
/// may overlap by one element.
public func adaptiveMaxPool(_ x: Tensor, to sizes: [Int]) -> Tensor {
  pooledByMaximum("adaptiveMaxPool", x, PoolingPlan("adaptiveMaxPool", x, bins: sizes)).values
}

/// The mean of each bin; see `adaptiveMaxPool`.
public func adaptiveAveragePool(_ x: Tensor, to sizes: [Int]) -> Tensor {
  pooledByMean("adaptiveAveragePool", x, PoolingPlan("adaptiveAveragePool", x, bins: sizes))
}

/// The largest value of each channel: [batch, spatial..., channels] -> [batch, channels].
public func globalMaxPool(_ x: Tensor) -> Tensor {
  let ones = [Int](repeating: 1, count: max(x.ndim - 2, 0))
  let plan = PoolingPlan("globalMaxPool", x, bins: ones)
  return pooledByMaximum("globalMaxPool", x, plan).values.reshaped([x.dim(0), x.dim(-1)])
}

/// The mean of each channel: [batch, spatial..., channels] -> [batch, channels].
public func globalAveragePool(_ x: Tensor) -> Tensor {
  precondition(x.ndim > 2, "globalAveragePool", "needs [batch, spatial..., channels], got \(x.shape)")
  return x.mean(axes: Array(1..<(x.ndim - 1)))
}

// MARK: How

private func maximaOfWindows(
  _ x: Tensor, _ kernel: [Int], _ stride: [Int]?, _ padding: [Int]?, _ dilation: [Int]?
) -> (values: Tensor, winners: Tensor) {
  let dilation = dilation ?? kernel.map { _ in 1 }
  return pooledByMaximum(
    "maxPool", x, PoolingPlan("maxPool", x, kernel, stride ?? kernel, padding, dilation))
}

/// The largest value of each window and its place in the plane, which tells how gradients go back.
private func pooledByMaximum(
  _ name: StaticString, _ x: Tensor, _ plan: PoolingPlan
) -> (values: Tensor, winners: Tensor) {
  let usesKernel = x.dtype == .float32 && !ThreadState.current.prefersReference
  let (y, winners) = usesKernel ? plan.maxima(x) : plan.maximaByReference(x)
  return (y.recorded(name, from: x) { plan.placed($0, at: winners) }, winners)
}

extension PoolingPlan {
  fileprivate func maxima(_ x: Tensor) -> (Tensor, Tensor) {
    let x = x.packed
    let y = Tensor(uninitialized: yShape, .float32), winners = Tensor(uninitialized: yShape, .int32)
    run {
      callosum_max_pool(
        $0, x.pointer(as: Float.self), y.pointer(as: Float.self), winners.pointer(as: Int32.self))
    }
    return (y, winners)
  }

  fileprivate func maximaByReference(_ x: Tensor) -> (Tensor, Tensor) {
    let windows = windows(x.unmarked, outside: -.infinity)
    // The first largest value, by index, as the kernel chooses.
    let winner = windows.argMax(axis: 2, keepDims: true)
    let found = places.reshaped([1, places.dim(0), places.dim(1), 1]).broadcast(to: windows.shape)
    return (
      windows.takeAlong(winner, axis: 2).reshaped(yShape), found.takeAlong(winner, axis: 2).reshaped(yShape)
    )
  }

  /// Gradients of the windows, added up at their places in the planes.
  fileprivate func placed(_ g: Tensor, at winners: Tensor) -> Tensor {
    let (batch, channels) = (xShape[0], xShape[xShape.count - 1])
    let pixels = Array(xShape[1..<(xShape.count - 1)]).elementCount
    let line = [batch, Array(yShape[1..<(yShape.count - 1)]).elementCount, channels]
    guard g.dtype == .float32, !ThreadState.current.prefersReference else {
      return g.reshaped(line).scatterAddedAlong(winners.reshaped(line), axis: 1, count: pixels)
        .reshaped(xShape)
    }
    let source = g.packed, gx = Tensor(uninitialized: xShape, .float32)
    if yShape.elementCount == 0 { return .zeros(xShape) }
    run {
      callosum_max_pool_backward(
        $0, source.pointer(as: Float.self), winners.pointer(as: Int32.self), gx.pointer(as: Float.self))
    }
    return gx.recorded("maxPoolGradient", from: g) {
      $0.reshaped([batch, pixels, channels]).takeAlong(winners.reshaped(line), axis: 1).reshaped(yShape)
    }
  }
}

private func pooledByMean(_ name: StaticString, _ x: Tensor, _ plan: PoolingPlan) -> Tensor {
  fused(
    name, [x],
    reference: { inputs in
      let sums = plan.windows(inputs[0], outside: 0).sum(axis: 2)
      return (sums * plan.shares(inputs[0].dtype)).reshaped(plan.yShape)
    },
    fast: { inputs in
      let x = inputs[0].packed
      let y = Tensor(uninitialized: plan.yShape, .float32)
      plan.run { callosum_average_pool($0, x.pointer(as: Float.self), y.pointer(as: Float.self)) }
      return (
        y,
        { g, _ in
          let g = g.packed
          let gx = Tensor(uninitialized: plan.xShape, .float32)
          plan.run {
            callosum_average_pool_backward($0, g.pointer(as: Float.self), gx.pointer(as: Float.self))
          }
          return [gx]
        }
      )
    })
}

/// The spans of one pooling along each axis, checked once.
private struct PoolingPlan {
  let xShape, yShape: [Int]
  private let dilation: [Int]
  private let spans: [[callosum_span]]

  /// Regular windows.
  init(
    _ name: StaticString, _ x: Tensor, _ kernel: [Int], _ stride: [Int], _ padding: [Int]?,
    _ dilation: [Int], _ countPadding: Bool = true
  ) {
    let padding = padding ?? kernel.map { _ in 0 }
    precondition(
      padding.count == kernel.count && zip(padding, kernel).allSatisfy { 2 * $0 <= $1 }, name,
      "padding \(padding) must be at most half the kernel \(kernel)")
    let windows = Windows(
      name, over: x.shape, kernel: kernel, stride: stride, padding: padding.map { ($0, $0) },
      dilation: dilation)
    let spans = kernel.indices.map { axis in
      (0..<windows.output[axis]).map { output -> callosum_span in
        let places = (0..<kernel[axis]).map { output * stride[axis] - padding[axis] + $0 * dilation[axis] }
        let inside = places.filter { $0 >= 0 && $0 < windows.spatial[axis] }
        precondition(
          !inside.isEmpty, name, "a window lies between the elements of axis \(axis + 1) of \(x.shape)")
        return callosum_span(
          place: inside[0], count: inside.count, divisor: countPadding ? kernel[axis] : inside.count)
      }
    }
    self.init(name, x, spans, dilation)
  }

  /// Bins.
  init(_ name: StaticString, _ x: Tensor, bins: [Int]) {
    precondition(
      (1...3).contains(bins.count) && x.ndim == bins.count + 2 && bins.allSatisfy { $0 > 0 }
        && x.shape[1..<(x.ndim - 1)].allSatisfy { $0 > 0 }, name,
      "\(x.shape) does not divide into \(bins) bins; needs [batch, spatial..., channels]")
    let spans = zip(bins, x.shape[1...]).map { count, size in
      (0..<count).map { bin -> callosum_span in
        let (start, end) = (bin * size / count, ((bin + 1) * size + count - 1) / count)
        return callosum_span(place: start, count: end - start, divisor: end - start)
      }
    }
    self.init(name, x, spans, bins.map { _ in 1 })
  }

  private init(_ name: StaticString, _ x: Tensor, _ spans: [[callosum_span]], _ dilation: [Int]) {
    x.requireReal(name)
    xShape = x.shape
    yShape = [x.dim(0)] + spans.map(\.count) + [x.dim(-1)]
    (self.spans, self.dilation) = (spans, dilation)
  }

  /// A signal is an image of one row, an image a volume of one plane.
  func run(_ body: (UnsafePointer<callosum_pooling>) -> Void) {
    if yShape.elementCount == 0 { return }
    let missing = 3 - spans.count
    func triple(_ values: [Int]) -> (Int, Int, Int) {
      let v = [Int](repeating: 1, count: missing) + values
      return (v[0], v[1], v[2])
    }
    let all = [callosum_span](repeating: callosum_span(place: 0, count: 1, divisor: 1), count: missing)
    let output = triple(spans.map(\.count))
    (all + spans.joined()).withUnsafeBufferPointer { start in
      guard let first = start.baseAddress else { return }
      var pooling = callosum_pooling(
        batch: xShape[0], channels: yShape[yShape.count - 1],
        size: triple(Array(xShape[1..<(xShape.count - 1)])),
        output: output, dilation: triple(dilation),
        spans: (first, first + output.0, first + output.0 + output.1))
      body(&pooling)
    }
  }

  // MARK: In ordinary operations

  /// The place in the plane of each element of each window, [windows, elements of the largest window];
  /// the place after the last stands for all that lies outside.
  var places: Tensor {
    let outside = Int32(Array(xShape[1..<(xShape.count - 1)]).elementCount)
    var places: [[Int?]] = [[0]]
    for (axis, ofAxis) in spans.enumerated() {
      let longest = ofAxis.map(\.count).max() ?? 0
      let (size, step) = (xShape[axis + 1], dilation[axis])
      places = places.flatMap { (before: [Int?]) -> [[Int?]] in
        ofAxis.map { span in
          before.flatMap { (at: Int?) -> [Int?] in
            (0..<longest).map { i in i < span.count ? at.map { $0 * size + span.place + i * step } : nil }
          }
        }
      }
    }
    let taps = places.first?.count ?? 0
    return Tensor(places.joined().map { $0.map { Int32($0) } ?? outside }).reshaped([places.count, taps])
  }

  /// [batch, windows, elements of the largest window, channels], with a value where a window has less.
  func windows(_ x: Tensor, outside value: Double) -> Tensor {
    let (batch, channels) = (xShape[0], xShape[xShape.count - 1])
    let count = Array(xShape[1..<(xShape.count - 1)]).elementCount
    return x.reshaped([batch, count, channels]).padded([(0, 0), (0, 1), (0, 0)], value: value)
      .take(places, axis: 1)
  }

  /// 1 / divisor of each window, [windows, 1].
  func shares(_ dtype: DType) -> Tensor {
    let divisors = spans.reduce([1]) { before, ofAxis in
      before.flatMap { product in ofAxis.map { product * $0.divisor } }
    }
    return Tensor(divisors.map { 1 / Double($0) }).asType(dtype).reshaped([divisors.count, 1])
  }
}
