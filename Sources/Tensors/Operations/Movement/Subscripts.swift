import CallosumKernels

// x[1, 2..<5, .ellipsis] as in MLX Swift and NumPy, to read and to assign.

/// What a subscript takes for an axis: an `Int`, a range of `Int`, ``AxisSelector/all`` and its like, or a
/// tensor of indices.
public protocol TensorIndex: Sendable {
  var selector: AxisSelector { get }
}

/// What a subscript selects.
public struct AxisSelector: TensorIndex {
  enum Kind {
    case index(Int)
    /// nil for the start or the end of the axis.
    case range(from: Int?, to: Int?, by: Int)
    case tensor(Tensor)
    case ellipsis, newAxis
  }
  let kind: Kind
  public var selector: AxisSelector { self }
}

extension TensorIndex where Self == AxisSelector {
  /// The whole axis, as `0...` does.
  public static var all: AxisSelector { stride() }
  /// As many whole axes as the other indices leave.
  public static var ellipsis: AxisSelector { AxisSelector(kind: .ellipsis) }
  /// An axis of size 1 that was not there.
  public static var newAxis: AxisSelector { AxisSelector(kind: .newAxis) }
  /// Every `by`-th element from `start` up to (not including) `end`; negative ends count from the back.
  public static func stride(from start: Int? = nil, to end: Int? = nil, by: Int = 1) -> AxisSelector {
    AxisSelector(kind: .range(from: start, to: end, by: by))
  }
}

extension Int: TensorIndex {
  public var selector: AxisSelector { AxisSelector(kind: .index(self)) }
}
extension Range<Int>: TensorIndex {
  public var selector: AxisSelector { .stride(from: lowerBound, to: upperBound) }
}
extension ClosedRange<Int>: TensorIndex {
  public var selector: AxisSelector { (lowerBound..<upperBound + 1).selector }
}
extension PartialRangeFrom<Int>: TensorIndex {
  public var selector: AxisSelector { .stride(from: lowerBound) }
}
extension PartialRangeUpTo<Int>: TensorIndex {
  public var selector: AxisSelector { .stride(to: upperBound) }
}
extension PartialRangeThrough<Int>: TensorIndex {
  public var selector: AxisSelector { .stride(to: upperBound == -1 ? nil : upperBound + 1) }
}
extension Tensor: TensorIndex {
  public var selector: AxisSelector { AxisSelector(kind: .tensor(self)) }
}

extension Tensor {
  /// One index for each axis from the front; axes without one stay whole. `x[0]` and `x[i, -1]` remove their
  /// axes; `x[1..<3]`, `x[..<2]`, `x[-3...]`, `x[.all, 2]`, `x[.stride(by: 2)]`, `x[.ellipsis, 0]` and
  /// `x[.newAxis]` are views; negative numbers count from the back. What does not lie in its axis stops the
  /// program.
  ///
  /// Tensors of indices (int32) gather: `x[indices]` has the axes of `indices` in place of the first axis. Those
  /// of neighbouring axes broadcast together, so that `x[rows, columns]` are single elements. `x[mask]` (bool, of
  /// x's shape) are the elements where it holds, in one axis.
  ///
  /// Assigned, the selection takes the values given, of its own type and a shape that broadcasts to its own,
  /// and the variable is another tensor: copies and views of the old one keep their elements. Derivatives reach
  /// the values and the elements that stay. Where indices meet the last one stands. Outside of derivatives a
  /// variable that shares its elements with nobody is changed in place.
  public subscript(_ indices: any TensorIndex...) -> Tensor {
    get {
      if let mask = mask(indices) { return masked(by: mask) }
      return Selection(indices, of: shape).read(self)
    }
    set {
      let selection = mask(indices).map { Selection(mask: $0) } ?? Selection(indices, of: shape)
      precondition(
        newValue.dtype == dtype, "subscript", "cannot assign \(newValue.dtype) to \(dtype); use asType")
      selection.write(newValue, to: &self)
    }
  }

  /// The index, if it is a mask.
  private func mask(_ indices: [any TensorIndex]) -> Tensor? {
    guard let mask = indices.first as? Tensor, mask.dtype == .bool else { return nil }
    precondition(
      indices.count == 1 && mask.shape == shape, "subscript",
      "a bool mask must be the only index and have the shape \(shape), has \(mask.shape)")
    return mask
  }
}

/// A subscript for tensors of one shape: ranges with steps, of which axes go and between which axes come, and
/// then a gather.
private struct Selection {
  /// For each axis of the tensor.
  private var ranges: [Range<Int>] = []
  private var steps: [Int] = []
  /// What `ranges` select, without the axes that go and with those that come.
  private var shape: [Int] = []
  /// Index tensors, for neighbouring axes of `shape` from `axis` on.
  private var gathered: (axis: Int, indices: [Tensor])?
  /// In place of all that: elements of a flat tensor.
  private var mask: Tensor?

  init(mask: Tensor) { self.mask = mask }

  init(_ indices: [any TensorIndex], of whole: [Int]) {
    let selectors = indices.map(\.selector)
    var axes = 0, ellipses = 0
    for selector in selectors {
      switch selector.kind {
      case .ellipsis: ellipses += 1
      case .newAxis: break
      case .index, .range, .tensor: axes += 1
      }
    }
    precondition(
      axes <= whole.count && ellipses <= 1, "subscript",
      "\(axes) indices and \(ellipses) ellipses do not fit the \(whole.count) axes of \(whole)")
    for selector in selectors { add(selector, whole, left: whole.count - axes) }
    while ranges.count < whole.count { keep(0..<whole[ranges.count], 1) }
  }

  private mutating func add(_ selector: AxisSelector, _ whole: [Int], left: Int) {
    let axis = ranges.count
    switch selector.kind {
    case .newAxis: shape.append(1)
    case .ellipsis: for axis in axis..<axis + left { keep(0..<whole[axis], 1) }
    case .index(let index):
      let count = whole[axis], at = index < 0 ? index + count : index
      precondition(
        at >= 0 && at < count, "subscript", "index \(index) does not lie in axis \(axis) of \(whole)")
      ranges.append(at..<at + 1)
      steps.append(1)
    case .range(let start, let end, let step):
      let count = whole[axis]
      let from = start.map { $0 < 0 ? $0 + count : $0 } ?? 0,
        to = end.map { $0 < 0 ? $0 + count : $0 } ?? count
      precondition(
        from >= 0 && from <= to && to <= count, "subscript",
        "\(start.map(String.init) ?? "")..<\(end.map(String.init) ?? "") does not lie in axis \(axis) of \(whole)"
      )
      precondition(
        step > 0, "subscript", "a step must be above 0, is \(step); use flipped(axes:) to go backwards")
      keep(from..<to, step)
    case .tensor(let indices):
      precondition(
        gathered.map { $0.axis + $0.indices.count == shape.count } ?? true, "subscript",
        "tensors of indices must be for neighbouring axes; index twice or use take")
      // -1 is the last element, as for numbers.
      let count = whole[axis]
      let positive = which(indices .< 0, indices + count, indices)
      gathered = (
        gathered?.axis ?? shape.count,
        (gathered?.indices ?? []) + [positive.checkedIndices(positive, below: count, "subscript")]
      )
      keep(0..<count, 1)
    }
  }

  private mutating func keep(_ range: Range<Int>, _ step: Int) {
    ranges.append(range)
    steps.append(step)
    shape.append((range.count + step - 1) / step)
  }

  // MARK: Reading and writing

  func read(_ x: Tensor) -> Tensor {
    let part = x.sliced(ranges, by: steps).reshaped(shape)
    guard let (axis, joined, flat) = joint else { return part }
    return part.reshaped(joined).take(flat, axis: axis)
  }

  func write(_ values: Tensor, to x: inout Tensor) {
    if let mask {
      let places = mask.nonZero()
      x = x.reshaped([x.size]).put(places, values: values.broadcast(to: places.shape)).reshaped(x.shape)
      return
    }
    var part = values
    if let (axis, joined, flat) = joint {
      let target = Array(joined[..<axis]) + flat.shape + Array(joined[(axis + 1)...])
      part = x.sliced(ranges, by: steps).reshaped(joined).put(
        flat, values: values.broadcast(to: target), axis: axis)
    } else {
      part = part.broadcast(to: shape)
    }
    x.assign(part.reshaped(zip(ranges, steps).map { ($0.count + $1 - 1) / $1 }), ranges, steps)
  }

  /// The axes of index tensors as one, `axis` of the shape `joined`, and the indices into it.
  private var joint: (axis: Int, joined: [Int], flat: Tensor)? {
    guard let (axis, indices) = gathered else { return nil }
    let sizes = Array(shape[axis..<axis + indices.count])
    let joined = Array(shape[..<axis]) + [sizes.elementCount] + Array(shape[(axis + indices.count)...])
    var flat = indices[0]
    for (index, size) in zip(indices, sizes).dropFirst() { flat = flat * size + index }
    return (axis, joined, flat)
  }
}

extension Tensor {
  /// Gives the elements of `ranges`, every `steps`-th, the values of `part`, which has their shape.
  fileprivate mutating func assign(_ part: Tensor, _ ranges: [Range<Int>], _ steps: [Int]) {
    if part.shape == shape {
      self = part
    } else if ThreadState.current.tape == nil, isContiguous, offset == 0, storage.isOwn,
      storage.byteCount == size * dtype.size, isKnownUniquelyReferenced(&storage)
    {
      write(part, ranges, steps)
      mark = .none
    } else {
      self = assigned(part, ranges, steps)
    }
  }

  private func assigned(_ part: Tensor, _ ranges: [Range<Int>], _ steps: [Int]) -> Tensor {
    let result = Tensor(uninitialized: shape, dtype)
    callosum_copy(Int32(dtype.size), Int32(ndim), shape, pointer, strides, result.pointer)
    result.write(part, ranges, steps)
    let target = part.shape
    return result.recorded("assigned", from: [self, part]) { g, needsGradient in
      [
        needsGradient[0] ? g.assigned(.zeros(target, dtype: g.dtype), ranges, steps) : nil,
        needsGradient[1] ? g.sliced(ranges, by: steps) : nil,
      ]
    }
  }
}
