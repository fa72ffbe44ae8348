import CallosumKernels

// Slices (views) and gathers by index, with their adjoint scatters.

extension Tensor {
  /// Elements `from` up to (not including) `to` along `axis`, every `by`-th.
  public func sliced(axis: Int, from: Int = 0, to: Int? = nil, by: Int = 1) -> Tensor {
    let axis = resolved(axis, rank: ndim, "sliced")
    var ranges = shape.map { 0..<$0 }
    let end = to ?? shape[axis]
    precondition(
      from >= 0 && from <= end && end <= shape[axis] && by > 0, "sliced",
      "\(from)..<\(end) by \(by) does not lie in axis \(axis) of \(shape)")
    ranges[axis] = from..<end
    var steps = [Int](repeating: 1, count: ndim)
    steps[axis] = by
    return sliced(ranges, by: steps)
  }

  /// A range of each axis, with steps.
  public func sliced(_ ranges: [Range<Int>], by steps: [Int]? = nil) -> Tensor {
    precondition(
      ranges.count == ndim && zip(ranges, shape).allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= $1 },
      "sliced", "ranges \(ranges) do not lie in shape \(shape)")
    let steps = steps ?? [Int](repeating: 1, count: ndim)
    let target = zip(ranges, steps).map { ($0.count + $1 - 1) / $1 }
    if target == shape { return self }
    let strides = strides
    let start = zip(ranges, strides).map { $0.lowerBound * $1 }.reduce(offset, +)
    let before = shape
    return view(target, strides: zip(strides, steps).map { $0 * $1 }, offset: start)
      .recorded("sliced", from: self) { $0.placed(in: before, ranges, steps) }
  }

  /// The adjoint of `sliced`: these elements at their places, 0 elsewhere.
  private func placed(in target: [Int], _ ranges: [Range<Int>], _ steps: [Int]) -> Tensor {
    let result = Tensor.zeros(target, dtype: dtype)
    result.write(self, ranges, steps)
    return result.recorded("placed", from: self) { $0.sliced(ranges, by: steps) }
  }

  /// Writes `part` into the memory of this tensor, which is its own and contiguous. Not recorded.
  func write(_ part: Tensor, _ ranges: [Range<Int>], _ steps: [Int]) {
    if part.size == 0 { return }
    let strides = strides, source = part.packed
    let start = zip(ranges, strides).map { $0.lowerBound * $1 }.reduce(0, +)
    callosum_copy_into(
      Int32(dtype.size), Int32(ndim), part.shape, source.pointer, pointer + start * dtype.size,
      zip(strides, steps).map { $0 * $1 })
  }

  /// Cut into `parts` equal pieces along `axis`: views, whose gradients join without a copy where
  /// they lie side by side.
  public func split(parts: Int, axis: Int = 0) -> [Tensor] {
    let axis = resolved(axis, rank: ndim, "split")
    precondition(
      parts > 0 && shape[axis] % parts == 0, "split",
      "axis \(axis) of \(shape) does not divide into \(parts) equal parts")
    let size = shape[axis] / parts
    return split(sizes: [Int](repeating: size, count: parts), axis: axis)
  }

  /// Cut into pieces of the given sizes along `axis`.
  public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
    let axis = resolved(axis, rank: ndim, "split")
    precondition(
      sizes.reduce(0, +) == shape[axis] && sizes.allSatisfy { $0 >= 0 }, "split",
      "sizes \(sizes) do not add up to axis \(axis) of \(shape)")
    var start = 0
    let plain = unmarked
    let pieces = sizes.map { size in
      defer { start += size }
      return plain.sliced(axis: axis, from: start, to: start + size)
    }
    let shapes = pieces.map(\.shape)
    let type = dtype
    return Tensor.recorded("split", pieces, from: [self]) { gradients, _ in
      let known = zip(gradients, shapes).map { $0 ?? .zeros($1, dtype: type) }
      return [concatenated(known, axis: axis)]
    }
  }

  // MARK: Gathers

  /// This tensor as [outer, rows, inner] around `axis`.
  func around(_ axis: Int) -> (outer: Int, rows: Int, inner: Int) {
    (
      Array(shape[..<axis]).elementCount, shape[axis],
      Array(shape[(axis + 1)...]).elementCount
    )
  }

  func checkedIndices(_ indices: Tensor, below count: Int, _ name: StaticString) -> Tensor {
    indices.requireIntegers(name)
    let packed = indices.packed
    if packed.size > 0 {
      let low = packed.min().item(), high = packed.max().item()
      precondition(
        low >= 0 && high < Double(count), name,
        "indices from \(Int(low)) to \(Int(high)) do not lie in 0..<\(count)")
    }
    return packed
  }

  /// Slices along `axis` by index: the axis is replaced by the axes of `indices` (int32).
  public func take(_ indices: Tensor, axis: Int = 0) -> Tensor {
    let axis = resolved(axis, rank: ndim, "take")
    let index = checkedIndices(indices, below: shape[axis], "take")
    let source = packed
    let target = Array(shape[..<axis]) + indices.shape + Array(shape[(axis + 1)...])
    let result = Tensor(uninitialized: target, dtype)
    let (outer, rows, inner) = around(axis)
    callosum_take(
      Int32(dtype.size), outer, rows, inner, source.pointer, index.pointer(as: Int32.self),
      index.size, result.pointer)
    let count = shape[axis]
    return result.recorded("take", from: self) {
      $0.scatterAdded(at: indices, axis: axis, count: count)
    }
  }

  /// The adjoint of `take`: slices added up at `indices` of an axis of `count`, 0 elsewhere. The
  /// axes of `indices` stand at `axis` in this tensor.
  public func scatterAdded(at indices: Tensor, axis: Int = 0, count: Int) -> Tensor {
    requireNumbers("scatterAdded")
    let axis = resolved(axis, rank: ndim + 1 - indices.ndim, "scatterAdded")
    precondition(
      ndim >= axis + indices.ndim && Array(shape[axis..<axis + indices.ndim]) == indices.shape,
      "scatterAdded", "indices of shape \(indices.shape) do not stand at axis \(axis) of \(shape)")
    let index = checkedIndices(indices, below: count, "scatterAdded")
    let target = Array(shape[..<axis]) + [count] + Array(shape[(axis + indices.ndim)...])
    let result = Tensor.zeros(target, dtype: dtype)
    result.fill(self, at: index, axis, isAlong: false, callosum_place_sum)
    return result.recorded("scatterAdded", from: self) { $0.take(indices, axis: axis) }
  }

  /// Element by element along `axis`: y[..., i, ...] = x[..., indices[..., i, ...], ...]. The
  /// shapes agree but for `axis`.
  public func takeAlong(_ indices: Tensor, axis: Int) -> Tensor {
    let axis = resolved(axis, rank: ndim, "takeAlong")
    requireAlong(indices, axis, shape, "takeAlong")
    let index = checkedIndices(indices, below: shape[axis], "takeAlong")
    let source = packed
    let result = Tensor(uninitialized: indices.shape, dtype)
    let (outer, rows, inner) = around(axis)
    callosum_take_along(
      Int32(dtype.size), outer, rows, inner, source.pointer, index.pointer(as: Int32.self),
      indices.shape[axis], result.pointer)
    let count = shape[axis]
    return result.recorded("takeAlong", from: self) {
      $0.scatterAddedAlong(indices, axis: axis, count: count)
    }
  }

  /// The adjoint of `takeAlong`: y[..., indices[..., i, ...], ...] += x[..., i, ...].
  public func scatterAddedAlong(_ indices: Tensor, axis: Int, count: Int) -> Tensor {
    let axis = resolved(axis, rank: ndim, "scatterAddedAlong")
    requireNumbers("scatterAddedAlong")
    precondition(
      indices.shape == shape, "scatterAddedAlong", "indices have shape \(indices.shape), values \(shape)")
    let index = checkedIndices(indices, below: count, "scatterAddedAlong")
    var target = shape
    target[axis] = count
    let result = Tensor.zeros(target, dtype: dtype)
    result.fill(self, at: index, axis, isAlong: true, callosum_place_sum)
    return result.recorded("scatterAddedAlong", from: self) { $0.takeAlong(indices, axis: axis) }
  }

  func requireAlong(_ indices: Tensor, _ axis: Int, _ shape: [Int], _ name: StaticString) {
    var expected = shape
    if indices.ndim == shape.count { expected[axis] = indices.shape[axis] }
    precondition(
      indices.shape == expected, name,
      "indices of shape \(indices.shape) do not fit \(shape) along axis \(axis)")
  }
}
