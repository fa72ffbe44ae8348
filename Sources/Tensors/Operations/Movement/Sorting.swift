import CallosumKernels

// Orders along an axis. NaN counts as larger than everything when ascending and comes last when
// descending too; equal elements keep their order. Gradients go to the elements chosen.

extension Tensor {
  /// Moves `axis` to the end and gives the kernel contiguous rows; the result comes back in place.
  private func byRows(
    _ axis: Int, _ name: StaticString, kept: Int? = nil,
    _ body: (Tensor, _ index: Tensor, _ rows: Int, _ columns: Int) -> Void
  ) -> Tensor {
    let axis = resolved(axis, rank: ndim, name)
    let columns = shape[axis]
    let source = unmarked.movedAxis(source: axis, destination: -1).packed
    let index = Tensor(uninitialized: Array(source.shape.dropLast()) + [kept ?? columns], .int32)
    body(source, index, columns == 0 ? 0 : size / columns, columns)
    return index.movedAxis(source: -1, destination: axis).withoutDerivative(name, from: self)
  }

  /// The indices (int32) that sort along `axis`.
  public func argSort(axis: Int = -1, descending: Bool = false) -> Tensor {
    byRows(axis, "argSort") { source, index, rows, columns in
      callosum_arg_sort(
        dtype.kernel, descending, rows, columns, source.pointer, index.pointer(as: Int32.self))
    }
  }

  /// The elements in order along `axis`.
  public func sorted(axis: Int = -1, descending: Bool = false) -> Tensor {
    takeAlong(argSort(axis: axis, descending: descending), axis: axis)
  }

  /// The `k` largest (or smallest) elements along `axis`, the best first, and where they stood.
  public func topK(_ k: Int, axis: Int = -1, largest: Bool = true) -> (values: Tensor, indices: Tensor) {
    let count = dim(axis)
    precondition(k >= 0 && k <= count, "topK", "k is \(k), axis \(axis) of \(shape) has \(count) elements")
    let indices = byRows(axis, "topK", kept: k) { source, index, rows, columns in
      callosum_arg_top(
        dtype.kernel, largest, rows, columns, k, source.pointer, index.pointer(as: Int32.self))
    }
    return (takeAlong(indices, axis: axis), indices)
  }

  /// The element that would stand at place `k` (from 0) if `axis` were sorted.
  public func kthValue(_ k: Int, axis: Int = -1) -> Tensor {
    let count = dim(axis)
    precondition(k >= 0 && k < count, "kthValue", "place \(k) does not lie in 0..<\(count)")
    return topK(k + 1, axis: axis, largest: false).values
      .sliced(axis: resolved(axis, rank: ndim, "kthValue"), from: k, to: k + 1).squeezed(axis: axis)
  }

  /// The value below which a share `q` (0...1) of `axis` lies, by linear interpolation between
  /// neighbours. NaN anywhere gives NaN.
  public func quantile(_ q: Double, axis: Int = -1) -> Tensor {
    let axis = resolved(axis, rank: ndim, "quantile")
    requireReal("quantile")
    precondition(q >= 0 && q <= 1 && shape[axis] > 0, "quantile", "share \(q) of \(shape[axis]) elements")
    let place = q * Double(shape[axis] - 1)
    let low = Int(place), high = Swift.min(low + 1, shape[axis] - 1)
    let order = sorted(axis: axis)
    let below = order.sliced(axis: axis, from: low, to: low + 1)
    let above = order.sliced(axis: axis, from: high, to: high + 1)
    let share = place - Double(low)
    let value = (share == 0 ? below : below + (above - below) * share).squeezed(axis: axis)
    let isMissing = isNaN(self).any(axes: [axis])
    return which(isMissing, constant(.nan), value)
  }

  /// The median: the mean of the two middle elements where their number is even.
  public func median(axis: Int = -1) -> Tensor { quantile(0.5, axis: axis) }

  // MARK: Sets and counts

  /// The different values in order, where each element's value stands among them, and how often each
  /// occurs. Without derivatives.
  public func unique() -> (values: Tensor, inverse: Tensor, counts: Tensor) {
    let (values, inverse, counts) = unmarked.different()
    func constant(_ x: Tensor) -> Tensor { x.withoutDerivative("unique", from: self) }
    return (constant(values), constant(inverse), constant(counts))
  }

  private func different() -> (values: Tensor, inverse: Tensor, counts: Tensor) {
    let flat = reshaped([size])
    if size == 0 { return (flat, .zeros(shape, dtype: .int32), .zeros([0], dtype: .int32)) }
    let order = flat.argSort()
    let ranked = flat.take(order)
    // A new value begins where a neighbour differs.
    let begins = concatenated([
      Tensor([Int32(0)]),
      (ranked.sliced(axis: 0, from: 1) .!= ranked.sliced(axis: 0, to: size - 1)).asType(.int32),
    ])
    let number = begins.cumsum(axis: 0)
    let count = Int(number.max().item()) + 1
    let counts = Tensor.ones([size], dtype: .int32).scatterAdded(at: number, count: count)
    let first = counts.cumsum(axis: 0) - counts
    let inverse = Tensor.zeros([size], dtype: .int32) + number.scatterAdded(at: order, count: size)
    return (ranked.take(first), inverse.reshaped(shape), counts)
  }

  /// How many elements fall into each of `bins` equal parts of `low`...`high` (the last part includes
  /// its end; elements outside do not count), int32. Without a derivative.
  public func histogram(bins: Int, low: Double, high: Double) -> Tensor {
    precondition(
      bins > 0 && low < high, "histogram", "needs bins above 0 and low < high, got \(bins), \(low), \(high)")
    let flat = unmarked.reshaped([size]).asType(.float64)
    let place = floor((flat - low) * (Double(bins) / (high - low))).asType(.int32)
    let isInside = (flat .>= low) .&& (flat .<= high)
    let bin = clip(place, min: 0, max: bins - 1)
    return isInside.asType(.int32).scatterAdded(at: bin, count: bins)
      .withoutDerivative("histogram", from: self)
  }

  /// How often each of 0 ..< count occurs in these indices (int32); or with `weights`, of the same shape,
  /// the sum of the weights of each, which gradients reach.
  public func bincount(count: Int, weights: Tensor? = nil) -> Tensor {
    requireIntegers("bincount")
    precondition(
      (weights?.shape ?? shape) == shape, "bincount",
      "needs indices and weights alike, got \(shape) and \(weights?.shape ?? shape)")
    return (weights ?? .ones(shape, dtype: .int32)).reshaped([size])
      .scatterAdded(at: reshaped([size]), count: count)
  }

  /// Rows of 0 with a 1 at each index: [...] (int32) -> [..., count].
  public func oneHot(count: Int, dtype: DType = .float32) -> Tensor {
    requireIntegers("oneHot")
    let outside = (self .< 0) .|| (self .>= count)
    precondition(outside.any().item() == 0, "oneHot", "an index lies outside 0..<\(count)")
    return (unmarked.expandedDimensions(axis: -1) .== Tensor.arange(count)).asType(dtype)
      .withoutDerivative("oneHot", from: self)
  }

  /// The elements where `condition` (bool, same shape) holds, in row-major order.
  public func masked(by condition: Tensor) -> Tensor {
    condition.requireTruth("masked")
    precondition(
      condition.shape == shape, "masked", "needs a condition of shape \(shape), got \(condition.shape)")
    return reshaped([size]).take(condition.nonZero())
  }

  /// Row-major positions (int32) of the elements that are not 0.
  public func nonZero() -> Tensor {
    let truth = unmarked.asType(.bool).asArray(Bool.self)
    return Tensor(truth.indices.filter { truth[$0] }.map(Int32.init))
      .withoutDerivative("nonZero", from: self)
  }
}
