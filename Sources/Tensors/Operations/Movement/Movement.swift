import CallosumKernels

// Changes of shape. All but `concatenated`, `padded` and `contiguous` are views where the memory
// order allows it.

extension Tensor {
  /// The same elements in row-major order under another shape; one size may be -1 (whatever fits).
  public func reshaped(_ newShape: [Int]) -> Tensor {
    var target = newShape
    if let open = target.firstIndex(of: -1) {
      target[open] = 1
      let known = target.elementCount
      precondition(
        known > 0 && size % known == 0, "reshaped",
        "shape \(shape) has \(size) elements, which does not fit \(newShape)")
      target[open] = size / known
    }
    if target == shape { return self }
    precondition(
      target.elementCount == size && target.allSatisfy { $0 >= 0 }, "reshaped",
      "shape \(shape) has \(size) elements, \(newShape) has \(target.elementCount)")
    let before = shape
    let result: Tensor
    if isContiguous {
      result = Tensor(storage: storage, offset: offset, shape: target, dtype: dtype)
    } else if let strides = viewStrides(shape, strides, as: target) {
      result = view(target, strides: strides, offset: offset)
    } else {
      let packed = packed
      result = Tensor(storage: packed.storage, offset: packed.offset, shape: target, dtype: dtype)
    }
    return result.recorded("reshaped", from: self) { $0.reshaped(before) }
  }
  public func reshaped(_ newShape: Int...) -> Tensor { reshaped(newShape) }

  /// Axes from `start` to `end` (inclusive) as one.
  public func flattened(start: Int = 0, end: Int = -1) -> Tensor {
    if ndim == 0 { return reshaped([1]) }
    let start = resolved(start, rank: ndim, "flattened")
    let end = resolved(end, rank: ndim, "flattened")
    precondition(start <= end, "flattened", "start axis \(start) comes after end axis \(end)")
    let middle = Array(shape[start...end]).elementCount
    return reshaped(Array(shape[..<start]) + [middle] + Array(shape[(end + 1)...]))
  }

  /// A new axis of size 1 at position `axis` of the result.
  public func expandedDimensions(axis: Int) -> Tensor {
    let axis = resolved(axis, rank: ndim + 1, "expandedDimensions")
    var target = shape
    target.insert(1, at: axis)
    return reshaped(target)
  }

  /// Without the axis `axis`, whose size must be 1.
  public func squeezed(axis: Int) -> Tensor {
    let axis = resolved(axis, rank: ndim, "squeezed")
    precondition(shape[axis] == 1, "squeezed", "axis \(axis) of \(shape) has size \(shape[axis]), not 1")
    var target = shape
    target.remove(at: axis)
    return reshaped(target)
  }

  /// Axes in another order; nil reverses them.
  public func transposed(axes order: [Int]? = nil) -> Tensor {
    let order = order?.map { resolved($0, rank: ndim, "transposed") } ?? Array(shape.indices.reversed())
    let named = order.reduce(0) { $0 | (1 << $1) }
    precondition(
      order.count == ndim && named == (1 << ndim) - 1, "transposed",
      "axes \(order) are not an order of the \(ndim) axes of \(shape)")
    let strides = strides
    return view(order.map { shape[$0] }, strides: order.map { strides[$0] }, offset: offset)
      .recorded("transposed", from: self) { g in
        var back = order
        for (position, axis) in order.enumerated() { back[axis] = position }
        return g.transposed(axes: back)
      }
  }
  public func transposed(_ order: Int...) -> Tensor {
    transposed(axes: order.isEmpty ? nil : order)
  }

  public func swappedAxes(_ a: Int, _ b: Int) -> Tensor {
    var order = Array(shape.indices)
    order.swapAt(
      resolved(a, rank: ndim, "swappedAxes"), resolved(b, rank: ndim, "swappedAxes"))
    return transposed(axes: order)
  }

  /// Axis `source` moved to position `destination`, the others in order.
  public func movedAxis(source: Int, destination: Int) -> Tensor {
    var order = Array(shape.indices)
    let from = order.remove(at: resolved(source, rank: ndim, "movedAxis"))
    order.insert(from, at: resolved(destination, rank: ndim, "movedAxis"))
    return transposed(axes: order)
  }

  /// Read as if repeated along axes of size 1 and new leading axes, without copies.
  public func broadcast(to target: [Int]) -> Tensor {
    if target == shape { return self }
    precondition(
      broadcastShape(shape, target, "broadcast") == target, "broadcast",
      "shape \(shape) does not stretch to \(target)")
    let before = shape
    return view(target, strides: broadcastStrides(shape, strides, to: target), offset: offset)
      .recorded("broadcast", from: self) { $0.summed(to: before) }
  }

  /// The same values in row-major memory.
  public func contiguous() -> Tensor {
    isContiguous ? self : packed.recorded("contiguous", from: self) { $0 }
  }

  /// The order along the given axes reversed.
  public func flipped(axes: [Int]) -> Tensor {
    let axes = resolved(axes, rank: ndim, "flipped")
    var strides = strides
    var start = offset
    for axis in axes where shape[axis] > 0 {
      start += (shape[axis] - 1) * strides[axis]
      strides[axis] = -strides[axis]
    }
    return view(shape, strides: strides, offset: start)
      .recorded("flipped", from: self) { $0.flipped(axes: axes) }
  }

  /// Shifted by `shift` places along `axis`, wrapping around.
  public func rolled(_ shift: Int, axis: Int) -> Tensor {
    let axis = resolved(axis, rank: ndim, "rolled")
    let count = shape[axis]
    guard count > 0, shift % count != 0 else { return self }
    let cut = (count - shift % count) % count
    return concatenated(
      [sliced(axis: axis, from: cut), sliced(axis: axis, to: cut)], axis: axis)
  }

  /// Shifted by `shift` places along `axis` (towards the end, or with a negative number towards the front);
  /// what leaves is lost, and the free places hold `value`.
  public func shifted(_ shift: Int, axis: Int, filledWith value: Double = 0) -> Tensor {
    let axis = resolved(axis, rank: ndim, "shifted"), count = shape[axis]
    let distance = Swift.min(abs(shift), count)
    if distance == 0 { return self }
    var free = shape
    free[axis] = distance
    let filling = Tensor.full(free, value, dtype: dtype)
    return shift > 0
      ? concatenated([filling, sliced(axis: axis, to: count - distance)], axis: axis)
      : concatenated([sliced(axis: axis, from: distance), filling], axis: axis)
  }

  /// Turned by `times` right angles in the plane of two axes, from the first towards the second, as NumPy's
  /// `rot90` does. A view.
  public func rotated90(times: Int = 1, axes: (Int, Int) = (0, 1)) -> Tensor {
    let (a, b) = (resolved(axes.0, rank: ndim, "rotated90"), resolved(axes.1, rank: ndim, "rotated90"))
    precondition(a != b, "rotated90", "needs two axes, got \(axes)")
    switch times & 3 {
    case 0: return self
    case 1: return flipped(axes: [b]).swappedAxes(a, b)
    case 2: return flipped(axes: [a, b])
    default: return swappedAxes(a, b).flipped(axes: [b])
    }
  }

  /// Padded with `value`: `widths` gives for each axis how much before and after.
  public func padded(_ widths: [(before: Int, after: Int)], value: Double = 0) -> Tensor {
    precondition(
      widths.count == ndim && widths.allSatisfy { $0.before >= 0 && $0.after >= 0 }, "padded",
      "needs a width of at least 0 before and after each of the \(ndim) axes, got \(widths)")
    if widths.allSatisfy({ $0.before == 0 && $0.after == 0 }) { return self }
    let target = zip(shape, widths).map { $0 + $1.before + $1.after }
    let result = Tensor.full(target, value, dtype: dtype)
    let start = zip(widths, result.strides).map { $0.before * $1 }.reduce(0, +)
    let source = packed
    callosum_copy_into(
      Int32(dtype.size), Int32(ndim), shape, source.pointer,
      result.storage.pointer + start * dtype.size, result.strides)
    let inner = zip(widths, shape).map { $0.before..<$0.before + $1 }
    return result.recorded("padded", from: self) { $0.sliced(inner) }
  }

  /// The lower triangle of the last two axes, entries above diagonal `k` set to 0.
  public func tril(k: Int = 0) -> Tensor { triangle("tril") { row, column in column .<= row + k } }
  /// The upper triangle of the last two axes, entries below diagonal `k` set to 0.
  public func triu(k: Int = 0) -> Tensor { triangle("triu") { row, column in column .>= row + k } }

  private func triangle(_ name: StaticString, _ keeps: (Tensor, Tensor) -> Tensor) -> Tensor {
    precondition(ndim >= 2, name, "needs at least 2 axes, got shape \(shape)")
    let row = Tensor.arange(dim(-2)).reshaped(-1, 1), column = Tensor.arange(dim(-1))
    return which(keeps(row, column), self, constant(0))
  }

  // MARK: Windows

  /// Windows of `size` elements along `axis`, `step` apart, as a new last axis: a view. Element j
  /// of a window lies `dilation` * j after its start.
  public func slidingWindows(axis: Int, size: Int, step: Int = 1, dilation: Int = 1) -> Tensor {
    let axis = resolved(axis, rank: ndim, "slidingWindows")
    let span = (size - 1) * dilation + 1
    precondition(
      size > 0 && step > 0 && dilation > 0 && span <= shape[axis], "slidingWindows",
      "windows of size \(size), step \(step), dilation \(dilation) need positive sizes and \(span) "
        + "elements, axis \(axis) of \(shape) has \(shape[axis])")
    var target = shape
    target[axis] = (shape[axis] - span) / step + 1
    var strides = strides
    strides.append(strides[axis] * dilation)
    strides[axis] *= step
    let before = shape
    return view(target + [size], strides: strides, offset: offset)
      .recorded("slidingWindows", from: self) {
        $0.overlapAdded(to: before, axis: axis, step: step, dilation: dilation)
      }
  }

  /// The adjoint of `slidingWindows`: windows (the last axis) added up where they overlap.
  public func overlapAdded(to target: [Int], axis: Int, step: Int = 1, dilation: Int = 1) -> Tensor {
    requireNumbers("overlapAdded")
    let axis = resolved(axis, rank: target.count, "overlapAdded")
    precondition(
      ndim == target.count + 1, "overlapAdded", "shape \(shape) has no window axis beside \(target)")
    let result = Tensor.zeros(target, dtype: dtype)
    var strides = target.contiguousStrides
    strides.append(strides[axis] * dilation)
    strides[axis] *= step
    let source = packed
    callosum_accumulate_into(
      dtype.kernel, Int32(ndim), shape, source.pointer, result.pointer, strides)
    let window = shape[ndim - 1]
    return result.recorded("overlapAdded", from: self) {
      $0.slidingWindows(axis: axis, size: window, step: step, dilation: dilation)
    }
  }
}

// MARK: Joining

/// Tensors one after the other along `axis`; the other axes must agree.
public func concatenated(_ parts: [Tensor], axis: Int = 0) -> Tensor {
  precondition(!parts.isEmpty, "concatenated", "needs at least one tensor")
  let first = parts[0]
  if parts.count == 1 { return first }
  let axis = resolved(axis, rank: first.ndim, "concatenated")
  var target = first.shape
  target[axis] = 0
  var bounds = [0]
  for part in parts {
    var expected = first.shape
    if part.ndim == first.ndim { expected[axis] = part.shape[axis] }
    precondition(
      part.shape == expected && part.dtype == first.dtype, "concatenated",
      "\(part.dtype) \(part.shape) does not continue \(first.dtype) \(first.shape) along axis \(axis)")
    target[axis] += part.shape[axis]
    bounds.append(target[axis])
  }
  let result = neighbours(parts, axis, target) ?? joined(parts, axis, target, bounds)
  return result.recorded("concatenated", from: parts) { g, needsGradient in
    zip(bounds, bounds.dropFirst()).enumerated().map { position, part in
      needsGradient[position] ? g.sliced(axis: axis, from: part.0, to: part.1) : nil
    }
  }
}

private func joined(_ parts: [Tensor], _ axis: Int, _ target: [Int], _ bounds: [Int]) -> Tensor {
  let result = Tensor(uninitialized: target, parts[0].dtype)
  let strides = result.strides
  for (position, part) in parts.enumerated() where part.size > 0 {
    callosum_copy_between(
      Int32(part.dtype.size), Int32(part.ndim), part.shape, part.pointer,
      part.strides, result.pointer + bounds[position] * strides[axis] * part.dtype.size, strides)
  }
  return result
}

/// The parts as one view, if they already lie side by side in one storage.
private func neighbours(_ parts: [Tensor], _ axis: Int, _ target: [Int]) -> Tensor? {
  let first = parts[0]
  var strides = first.strides
  // The stride of an axis of size 1 says nothing; here the next part tells it.
  if first.shape[axis] == 1 { strides[axis] = parts[1].offset - first.offset }
  var next = first.offset
  for part in parts {
    guard part.storage === first.storage, part.offset == next else { return nil }
    let partStrides = part.strides
    for at in strides.indices where part.shape[at] != 1 && partStrides[at] != strides[at] { return nil }
    next += part.shape[axis] * strides[axis]
  }
  return first.view(target, strides: strides, offset: first.offset)
}

/// Tensors of one shape side by side along a new axis.
public func stacked(_ parts: [Tensor], axis: Int = 0) -> Tensor {
  precondition(
    parts.allSatisfy { $0.shape == parts[0].shape }, "stacked",
    "shapes \(parts.map(\.shape)) are not all the same")
  return concatenated(parts.map { $0.expandedDimensions(axis: axis) }, axis: axis)
}
