import CallosumKernels

// Rows that belong together, as `segments` (int32, one for each row along axis 0) say, in any order: the
// messages that arrive at a node, the words of a sentence, the points of a cluster. Time and memory are
// linear in the rows.

extension Tensor {
  /// Sums of the rows of each segment: row i of the result adds up the rows whose entry in `segments` is i.
  public func segmentSum(_ segments: Tensor, count: Int) -> Tensor {
    requireSegments(segments, "segmentSum")
    return scatterAdded(at: segments, axis: 0, count: count)
  }

  /// Means of the rows of each segment, 0 for one without rows.
  public func segmentMean(_ segments: Tensor, count: Int) -> Tensor {
    requireSegments(segments, "segmentMean")
    requireReal("segmentMean")
    let sums = segmentSum(segments, count: count)
    let sizes = Tensor.ones([dim(0)], dtype: dtype).segmentSum(segments, count: count)
    let column = maximum(sizes, 1).reshaped([count] + [Int](repeating: 1, count: ndim - 1))
    return sums / column
  }

  /// The largest element of each segment's rows, column by column; -infinity for a segment without rows. Of
  /// equal ones the first gets the gradient.
  public func segmentMax(_ segments: Tensor, count: Int) -> Tensor {
    requireSegments(segments, "segmentMax")
    requireReal("segmentMax")
    let index = checkedIndices(segments, below: count, "segmentMax")
    let source = packed, target = [count] + Array(shape.dropFirst())
    let places = Tensor(uninitialized: target, .int32)
    callosum_segment_arg_max(
      dtype.kernel, dim(0), Array(shape.dropFirst()).elementCount, source.pointer,
      index.pointer(as: Int32.self), count, places.pointer(as: Int32.self))
    if dim(0) == 0 { return .full(target, -.infinity, dtype: dtype) }
    let found = takeAlong(maximum(places, 0), axis: 0)
    return which(places .>= 0, found, found.constant(-.infinity))
  }

  /// exp(x) over its sum over the rows of the same segment, column by column: [rows, ...] -> same shape.
  public func segmentSoftmax(_ segments: Tensor, count: Int) -> Tensor {
    requireSegments(segments, "segmentSoftmax")
    requireReal("segmentSoftmax")
    let largest = stopGradient(unmarked.segmentMax(segments, count: count)).take(segments, axis: 0)
    let shifted = exp(self - which(abs(largest) .== .infinity, largest.constant(0), largest))
    return shifted / shifted.segmentSum(segments, count: count).take(segments, axis: 0)
  }

  private func requireSegments(_ segments: Tensor, _ name: StaticString) {
    segments.requireIntegers(name, "segments")
    precondition(
      ndim > 0 && segments.shape == [dim(0)], name,
      "needs a segment for each of the rows of \(shape), got \(segments.shape)")
  }
}
