import CallosumKernels

// Values put at places along an axis, what `take` and `takeAlong` read. Values that meet at one place are
// taken in the order in which they come, whatever the number of threads.

/// What becomes of the values that are put at one place.
public enum ScatterReduction: String, Codable, Sendable, CaseIterable {
  /// The last one stands.
  case last
  case sum, mean
  /// The largest (smallest) stands; equal ones share its gradient evenly.
  case max, min
}

extension Tensor {
  /// This tensor with slices put at `indices` (int32) of `axis`: those of `values`, in which the axes of
  /// `indices` stand at `axis`. PyTorch's `index_copy` and `index_reduce`; for several indices to an
  /// element (`index_put`), flatten the axes and indices first.
  ///
  /// - Parameters:
  ///   - reduction: what becomes of values that meet at one place.
  ///   - includingSelf: whether what stood there counts as one of them; it never does with `.last`.
  public func put(
    _ indices: Tensor, values: Tensor, axis: Int = 0, reducing reduction: ScatterReduction = .last,
    includingSelf: Bool = true
  ) -> Tensor {
    let axis = resolved(axis, rank: ndim, "put")
    let expected = Array(shape[..<axis]) + indices.shape + Array(shape[(axis + 1)...])
    precondition(
      values.shape == expected && values.dtype == dtype, "put",
      "values must be \(dtype) \(expected), are \(values.dtype) \(values.shape)")
    let index = checkedIndices(indices, below: shape[axis], "put")
    let places = Places(name: "put", isAlong: false, indices: indices.unmarked, index: index, axis: axis)
    return places.put(values, into: self, reduction, includingSelf)
  }

  /// This tensor with values put along `axis`: x[..., indices[..., i, ...], ...] becomes
  /// values[..., i, ...]. The shapes agree but for `axis`. PyTorch's `scatter` and `scatter_reduce`; see
  /// `put`.
  public func putAlong(
    _ indices: Tensor, values: Tensor, axis: Int, reducing reduction: ScatterReduction = .last,
    includingSelf: Bool = true
  ) -> Tensor {
    let axis = resolved(axis, rank: ndim, "putAlong")
    requireAlong(indices, axis, shape, "putAlong")
    precondition(
      values.shape == indices.shape && values.dtype == dtype, "putAlong",
      "values must be \(dtype) \(indices.shape), are \(values.dtype) \(values.shape)")
    let index = checkedIndices(indices, below: shape[axis], "putAlong")
    let places = Places(
      name: "putAlong", isAlong: true, indices: indices.unmarked, index: index, axis: axis)
    return places.put(values, into: self, reduction, includingSelf)
  }
}

extension Tensor {
  /// Puts values into the memory of this tensor, which is its own and contiguous, at checked indices. Not
  /// recorded.
  func fill(
    _ values: Tensor, at index: Tensor, _ axis: Int, isAlong: Bool, _ placement: callosum_placement
  ) {
    let (outer, rows, inner) = around(axis), source = values.packed, rule = Int32(placement.rawValue)
    let places = index.pointer(as: Int32.self)
    if isAlong {
      callosum_put_along(
        rule, dtype.kernel, outer, rows, inner, source.pointer, places, values.shape[axis], pointer)
    } else {
      callosum_put(rule, dtype.kernel, outer, rows, inner, source.pointer, places, index.size, pointer)
    }
  }
}

/// Where values are put: whole slices by one index each, or elements along an axis.
private struct Places {
  let name: StaticString
  let isAlong: Bool
  /// As given, and checked and contiguous.
  let indices, index: Tensor
  let axis: Int

  func put(_ values: Tensor, into x: Tensor, _ reduction: ScatterReduction, _ includingSelf: Bool) -> Tensor {
    if reduction == .last { return replaced(x, values) }
    x.requireReal(name)
    switch reduction {
    case .max, .min:
      let nothing = reduction == .max ? -Double.infinity : .infinity
      let base = includingSelf ? x : replaced(x, .full(values.shape, nothing, dtype: x.dtype))
      return extreme(base, values, reduction == .max ? callosum_place_largest : callosum_place_smallest)
    default:
      let base = includingSelf ? x : replaced(x, .zeros(like: values))
      let sum = base + added(values, count: x.dim(axis))
      if reduction == .sum { return sum }
      let counts = added(.ones(like: values), count: x.dim(axis))
      return sum / (includingSelf ? counts + 1 : maximum(counts, 1))
    }
  }

  // MARK: The two that have derivatives of their own

  private func replaced(_ x: Tensor, _ values: Tensor) -> Tensor {
    written(values, over: x, callosum_place_last).recorded(name, from: [x, values]) { g, needsGradient in
      [
        needsGradient[0] ? replaced(g, .zeros(values.shape, dtype: g.dtype)) : nil,
        needsGradient[1]
          ? which(areLast(count: x.dim(axis), among: values.shape), taken(g), g.constant(0)) : nil,
      ]
    }
  }

  private func extreme(_ x: Tensor, _ values: Tensor, _ placement: callosum_placement) -> Tensor {
    let y = written(values, over: x, placement)
    return y.recorded(name, from: [x, values]) { g, needsGradient in
      let own = x.unmarked .== y, theirs = values.unmarked .== taken(y)
      let winners = own.asType(g.dtype) + added(theirs.asType(g.dtype), count: x.dim(axis))
      let share = g / maximum(winners, 1)
      return [
        needsGradient[0] ? which(own, share, g.constant(0)) : nil,
        needsGradient[1] ? which(theirs, taken(share), g.constant(0)) : nil,
      ]
    }
  }

  // MARK: Reading, adding, writing

  private func taken(_ x: Tensor) -> Tensor {
    isAlong ? x.takeAlong(indices, axis: axis) : x.take(indices, axis: axis)
  }

  private func added(_ values: Tensor, count: Int) -> Tensor {
    isAlong
      ? values.scatterAddedAlong(indices, axis: axis, count: count)
      : values.scatterAdded(at: indices, axis: axis, count: count)
  }

  /// A copy of x with the values in it. Not recorded.
  private func written(_ values: Tensor, over x: Tensor, _ placement: callosum_placement) -> Tensor {
    let result = Tensor(uninitialized: x.shape, x.dtype)
    callosum_copy(
      Int32(x.dtype.size), Int32(x.ndim), x.shape, x.pointer, x.strides, result.pointer)
    result.fill(values, at: index, axis, isAlong: isAlong, placement)
    return result
  }

  /// Which of the values stand at their place, no other being put there after them; broadcasts to `shape`.
  private func areLast(count: Int, among shape: [Int]) -> Tensor {
    if isAlong {
      var column = [Int](repeating: 1, count: shape.count), target = shape
      (column[axis], target[axis]) = (shape[axis], count)
      let order = Tensor.arange(shape[axis]).reshaped(column).broadcast(to: shape)
      let last = written(order, over: .full(target, -1, dtype: .int32), callosum_place_last)
      return last.takeAlong(indices, axis: axis) .== order
    }
    let order = Tensor.arange(indices.size).reshaped(indices.shape)
    let line = Places(name: name, isAlong: false, indices: indices, index: index, axis: 0)
    let last = line.written(order, over: .full([count], -1, dtype: .int32), callosum_place_last)
    let after = [Int](repeating: 1, count: shape.count - axis - indices.ndim)
    return (last.take(indices) .== order).reshaped(indices.shape + after)
  }
}
