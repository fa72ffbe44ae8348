import CallosumKernels

// Reductions over sets of axes. `axes: nil` means all; `keepDims` keeps them with size 1.

extension Tensor {
  /// This tensor's elements as [outer, count, inner], the middle axis holding the reduced axes;
  /// moves elements only where the reduced axes are not neighbours.
  fileprivate func grouped(_ axes: [Int]) -> (source: Tensor, outer: Int, count: Int, inner: Int) {
    let kept = shape.indices.filter { !axes.contains($0) }
    let areNeighbours = zip(axes, axes.dropFirst()).allSatisfy { $0 + 1 == $1 }
    guard areNeighbours, let first = axes.first, let last = axes.last else {
      let moved = view(
        (kept + axes).map { shape[$0] }, strides: (kept + axes).map { strides[$0] }, offset: offset)
      return (
        moved.packed, kept.map { shape[$0] }.elementCount, axes.map { shape[$0] }.elementCount, 1
      )
    }
    return (
      isContiguous ? unmarked : packed, Array(shape[..<first]).elementCount,
      Array(shape[first...last]).elementCount, Array(shape[(last + 1)...]).elementCount
    )
  }

  /// The reduction by kernel with all axes kept, not recorded.
  fileprivate func reduced(_ operation: callosum_reduction, _ axes: [Int]) -> Tensor {
    var target = shape
    for axis in axes { target[axis] = 1 }
    let (source, outer, count, inner) = grouped(axes)
    let result = Tensor(uninitialized: target, dtype)
    callosum_reduce(
      Int32(operation.rawValue), dtype.kernel, outer, count, inner,
      source.pointer, result.pointer)
    return result
  }

  private func dropping(_ axes: [Int], keepDims: Bool) -> Tensor {
    keepDims ? self : reshaped(shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
  }

  // MARK: Sums

  public func sum(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    let axes = resolved(axes, rank: ndim, "sum")
    let source = dtype == .bool ? asType(.int32) : self
    let before = shape
    return source.reduced(callosum_sum, axes)
      .recorded("sum", from: self) { $0.broadcast(to: before) }
      .dropping(axes, keepDims: keepDims)
  }
  public func sum(axis: Int, keepDims: Bool = false) -> Tensor {
    sum(axes: [axis], keepDims: keepDims)
  }

  public func mean(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    requireReal("mean")
    let count = resolved(axes, rank: ndim, "mean").map { shape[$0] }.elementCount
    return sum(axes: axes, keepDims: keepDims) * (1 / Double(count))
  }
  public func mean(axis: Int, keepDims: Bool = false) -> Tensor {
    mean(axes: [axis], keepDims: keepDims)
  }

  /// The mean squared distance from the mean, its divisor lowered by `correction` (1: unbiased).
  public func variance(axes: [Int]? = nil, keepDims: Bool = false, correction: Int = 0) -> Tensor {
    requireReal("variance")
    let axes = resolved(axes, rank: ndim, "variance")
    return moments(axes: axes, correction: correction).variance.dropping(axes, keepDims: keepDims)
  }
  public func variance(axis: Int, keepDims: Bool = false, correction: Int = 0) -> Tensor {
    variance(axes: [axis], keepDims: keepDims, correction: correction)
  }

  /// The standard deviation, the root of `variance`. Where it is 0 its derivative is 0.
  public func std(axes: [Int]? = nil, keepDims: Bool = false, correction: Int = 0) -> Tensor {
    precondition(dtype.isFloatingPoint, "std", "needs float32 or float64, got \(dtype)")
    return rootOfSquares(variance(axes: axes, keepDims: keepDims, correction: correction), "std")
  }
  public func std(axis: Int, keepDims: Bool = false, correction: Int = 0) -> Tensor {
    std(axes: [axis], keepDims: keepDims, correction: correction)
  }

  /// Mean and variance, the axes kept. The mean of what is left corrects the rounding of the first mean,
  /// without which equal numbers far from 0 would have a variance.
  package func moments(axes: [Int]? = nil, correction: Int = 0) -> (mean: Tensor, variance: Tensor) {
    let count = resolved(axes, rank: ndim, "variance").map { shape[$0] }.elementCount
    let first = mean(axes: axes, keepDims: true)
    // It has no derivative: the deviations from a mean have the mean 0.
    let error = (stopGradient(self) - stopGradient(first)).mean(axes: axes, keepDims: true)
    let mean = first + error
    let variance =
      square(self - mean).sum(axes: axes, keepDims: true) * (1 / Double(Swift.max(count - correction, 0)))
    return (mean, variance)
  }

  // MARK: Products

  public func product(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    let axes = resolved(axes, rank: ndim, "product")
    let x = dtype == .bool ? asType(.int32) : self
    return x.reduced(callosum_product, axes)
      .recorded("product", from: self) { g in g * x.productOfOthers(axes) }
      .dropping(axes, keepDims: keepDims)
  }
  public func product(axis: Int, keepDims: Bool = false) -> Tensor {
    product(axes: [axis], keepDims: keepDims)
  }

  /// For each element the product of all before it times that of all after it in its group, right also where
  /// some are 0.
  private func productOfOthers(_ axes: [Int]) -> Tensor {
    if size == 0 { return self }
    let kept = shape.indices.filter { !axes.contains($0) }
    let order = kept + axes
    let moved = transposed(axes: order)
    let count = axes.map { shape[$0] }.elementCount
    let rows = moved.reshaped([kept.map { shape[$0] }.elementCount, count])
    let others =
      rows.cumprod(axis: 1, inclusive: false) * rows.cumprod(axis: 1, reverse: true, inclusive: false)
    var back = order
    for (position, axis) in order.enumerated() { back[axis] = position }
    return others.reshaped(moved.shape).transposed(axes: back)
  }

  // MARK: Extremes

  /// The largest elements, NaN if any is. Equal ones share the gradient.
  public func max(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    extreme("max", callosum_largest, axes, keepDims)
  }
  public func max(axis: Int, keepDims: Bool = false) -> Tensor {
    max(axes: [axis], keepDims: keepDims)
  }
  /// The smallest elements, NaN if any is. Equal ones share the gradient.
  public func min(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    extreme("min", callosum_smallest, axes, keepDims)
  }
  public func min(axis: Int, keepDims: Bool = false) -> Tensor {
    min(axes: [axis], keepDims: keepDims)
  }

  private func extreme(
    _ name: StaticString, _ operation: callosum_reduction, _ axes: [Int]?, _ keepDims: Bool
  ) -> Tensor {
    let axes = resolved(axes, rank: ndim, name)
    precondition(
      size == 0 || axes.allSatisfy { shape[$0] > 0 }, name, "no element along axes \(axes) of \(shape)")
    let x = self
    if dtype == .bool {
      return operation == callosum_largest
        ? any(axes: axes, keepDims: keepDims) : all(axes: axes, keepDims: keepDims)
    }
    return reduced(operation, axes).recorded(
      name, from: self,
      byResult: { g, y in
        let winners = (x .== y).asType(g.dtype)
        return g * winners / winners.sum(axes: axes, keepDims: true)
      }
    ).dropping(axes, keepDims: keepDims)
  }

  /// The index (int32) of the first largest element along `axis`.
  public func argMax(axis: Int, keepDims: Bool = false) -> Tensor {
    argExtreme(largest: true, axis, keepDims, "argMax")
  }
  /// The index (int32) of the first smallest element along `axis`.
  public func argMin(axis: Int, keepDims: Bool = false) -> Tensor {
    argExtreme(largest: false, axis, keepDims, "argMin")
  }

  private func argExtreme(
    largest: Bool, _ axis: Int, _ keepDims: Bool, _ name: StaticString
  ) -> Tensor {
    let axis = resolved(axis, rank: ndim, name)
    precondition(shape[axis] > 0, name, "no element along axis \(axis) of \(shape)")
    var target = shape
    target[axis] = 1
    let (source, outer, count, inner) = grouped([axis])
    let result = Tensor(uninitialized: target, .int32)
    callosum_arg_reduce(
      largest, dtype.kernel, outer, count, inner, source.pointer,
      result.pointer(as: Int32.self))
    return result.withoutDerivative(name, from: self).dropping([axis], keepDims: keepDims)
  }

  // MARK: Logic

  /// Whether any element is true (or not 0).
  public func any(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    let axes = resolved(axes, rank: ndim, "any")
    return asType(.bool).reduced(callosum_any, axes).withoutDerivative("any", from: self).dropping(
      axes, keepDims: keepDims)
  }
  /// Whether all elements are true (or not 0).
  public func all(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    let axes = resolved(axes, rank: ndim, "all")
    return asType(.bool).reduced(callosum_all, axes).withoutDerivative("all", from: self).dropping(
      axes, keepDims: keepDims)
  }
}

/// The Euclidean length along `axes` (all if nil), sqrt(sum x²). Where it is 0 its derivative is 0.
public func norm(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
  x.requireReal("norm")
  return rootOfSquares(square(x).sum(axes: axes, keepDims: keepDims), "norm")
}
public func norm(_ x: Tensor, axis: Int, keepDims: Bool = false) -> Tensor {
  norm(x, axes: [axis], keepDims: keepDims)
}

/// The root of a sum of squares. At 0 the root has no derivative; that of a length or a deviation is 0 there by
/// convention, the middle of its slopes to all sides.
private func rootOfSquares(_ squares: Tensor, _ name: StaticString) -> Tensor {
  squares.mapped(callosum_sqrt).recorded(
    name, from: squares,
    byResult: { g, y in
      let isZero = y .== 0
      return which(isZero, g.constant(0), g / (which(isZero, y.constant(1), y) * 2))
    })
}
