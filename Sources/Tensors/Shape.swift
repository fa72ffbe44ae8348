/// Rules of shapes: axes, strides, broadcasting.

extension [Int] {
  /// Number of elements of an array of this shape.
  package var elementCount: Int { reduce(1, *) }

  /// Strides, in elements, of a contiguous row-major array of this shape.
  var contiguousStrides: [Int] {
    var strides = self
    var step = 1
    for axis in indices.reversed() {
      strides[axis] = step
      step *= self[axis]
    }
    return strides
  }

  /// Whether these are the strides of a contiguous row-major array of `shape`.
  func areContiguousStrides(of shape: [Int]) -> Bool {
    var step = 1
    for axis in shape.indices.reversed() {
      if self[axis] != step { return false }
      step *= shape[axis]
    }
    return true
  }
}

/// `axis` counted from the front; negative axes count from the back.
package func resolved(_ axis: Int, rank: Int, _ operation: StaticString) -> Int {
  precondition(
    axis >= -rank && axis < rank, operation,
    "axis \(axis) does not exist in a tensor of \(rank) axes")
  return axis < 0 ? axis + rank : axis
}

/// The axes counted from the front, sorted; nil means all.
func resolved(_ axes: [Int]?, rank: Int, _ operation: StaticString) -> [Int] {
  guard let axes else { return Array(0..<rank) }
  let sorted = axes.map { resolved($0, rank: rank, operation) }.sorted()
  for (a, b) in zip(sorted, sorted.dropFirst()) where a == b {
    preconditionFailure(operation, "axis \(a) is named twice in \(axes)")
  }
  return sorted
}

/// The shape that both shapes broadcast to: sizes are aligned at the last axis, size 1 stretches.
package func broadcastShape(_ a: [Int], _ b: [Int], _ operation: StaticString) -> [Int] {
  if a == b { return a }
  let rank = max(a.count, b.count)
  var shape = [Int](repeating: 1, count: rank)
  for axis in 0..<rank {
    let i = axis - (rank - a.count), j = axis - (rank - b.count)
    let p = i < 0 ? 1 : a[i], q = j < 0 ? 1 : b[j]
    precondition(
      p == q || p == 1 || q == 1, operation,
      "shapes \(a) and \(b) do not fit: axis \(axis - rank) is \(p) in one and \(q) in the other")
    shape[axis] = p == 1 ? q : p
  }
  return shape
}

/// Strides with which an array of `shape` and `strides` is read as if it had shape `target`.
func broadcastStrides(_ shape: [Int], _ strides: [Int], to target: [Int]) -> [Int] {
  var result = [Int](repeating: 0, count: target.count)
  let shift = target.count - shape.count
  for axis in shape.indices where shape[axis] != 1 { result[axis + shift] = strides[axis] }
  return result
}

/// Strides that give `newShape` to the elements of (`shape`, `strides`) without moving any, or nil.
func viewStrides(_ shape: [Int], _ strides: [Int], as newShape: [Int]) -> [Int]? {
  if shape.elementCount == 0 { return newShape.contiguousStrides }
  // Both shapes are cut into runs of equal element counts; each run must be walkable in one stride.
  let old = zip(shape, strides).filter { $0.0 != 1 }
  var result = [Int](repeating: 0, count: newShape.count)
  var i = 0
  var axis = 0
  while i < old.count {
    var end = i + 1
    var oldCount = old[i].0
    var first = axis
    while first < newShape.count && newShape[first] == 1 { first += 1 }
    var last = first
    var newCount = newShape[last]
    while oldCount != newCount {
      if oldCount < newCount {
        guard end < old.count, old[end - 1].1 == old[end].1 * old[end].0 else { return nil }
        oldCount *= old[end].0
        end += 1
      } else {
        last += 1
        newCount *= newShape[last]
      }
    }
    var step = old[end - 1].1
    for at in stride(from: last, through: first, by: -1) {
      result[at] = step
      step *= newShape[at]
    }
    axis = last + 1
    i = end
  }
  return result
}
