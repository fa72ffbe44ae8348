import CallosumKernels

// Padding and resizing: reading signals and images beyond and between their elements.

/// What lies beyond the borders.
public enum PaddingMode: String, Codable, Sendable, CaseIterable {
  /// Zeros.
  case zeros
  /// The mirror image, the border element itself not repeated.
  case reflect
  /// The mirror image, the border element itself repeated.
  case symmetric
  /// The other side.
  case circular
  /// The border element.
  case replicate
}

extension PaddingMode {
  /// Which of `count` elements stands at a place that may lie beyond the borders, however far: images are
  /// mirrored or repeated again and again. Zeros have none; there it is the border.
  func element(at place: Int, of count: Int) -> Int {
    func modulo(_ period: Int) -> Int { (place % period + period) % period }
    switch self {
    case .reflect:
      let period = max(2 * (count - 1), 1)
      return min(modulo(period), period - modulo(period))
    case .symmetric: return min(modulo(2 * count), 2 * count - 1 - modulo(2 * count))
    case .circular: return modulo(count)
    case .replicate, .zeros: return min(max(place, 0), count - 1)
    }
  }
}

extension Tensor {
  /// Padded along `axis` by what `mode` says lies beyond the borders.
  public func padded(axis: Int, before: Int, after: Int, mode: PaddingMode) -> Tensor {
    let axis = resolved(axis, rank: ndim, "padded")
    if before == 0 && after == 0 { return self }
    let count = shape[axis]
    if mode == .zeros {
      var widths = [(before: Int, after: Int)](repeating: (0, 0), count: ndim)
      widths[axis] = (before, after)
      return padded(widths)
    }
    let reach = mode == .reflect ? count - 1 : mode == .replicate ? Int.max : count
    precondition(
      before >= 0 && after >= 0 && before <= reach && after <= reach && count > 0, "padded",
      "\(mode.rawValue) padding by \(before) and \(after) needs more than the \(count) elements of axis \(axis)"
    )
    let places = (-before..<count + after).map { Int32(mode.element(at: $0, of: count)) }
    return take(Tensor(places), axis: axis)
  }

  /// Padded along every axis, `widths` giving how much before and after, by what `mode` says lies beyond
  /// the borders.
  public func padded(_ widths: [(before: Int, after: Int)], mode: PaddingMode) -> Tensor {
    if mode == .zeros { return padded(widths) }
    precondition(widths.count == ndim, "padded", "needs a width for each of the \(ndim) axes, got \(widths)")
    return widths.enumerated().reduce(self) { x, next in
      x.padded(axis: next.offset, before: next.element.before, after: next.element.after, mode: mode)
    }
  }
}

// MARK: Resizing

/// How values between elements are made.
public enum Interpolation: String, Codable, Sendable {
  /// The nearest element.
  case nearest
  /// The two neighbours on each axis, by distance.
  case linear
  /// The four neighbours on each axis, by the cubic of Keys (1981) with parameter -3/4.
  case cubic
}

/// The cubic of Keys with parameter -3/4, by ascending powers of the distance: up to 1, and from 1 to 2.
let nearCubic = [1, 0, -2.25, 1.25], farCubic = [3, -6, 3.75, -0.75]

/// x with the given axes resized to `sizes`. Element i of the result reads place (i + 1/2) scale - 1/2
/// of the input (or i (old - 1) / (new - 1) with `alignCorners`); beyond the borders the border counts.
/// `nearest` takes the element at floor(i scale). As in PyTorch, float32 tensors have a scale and a product
/// rounded to float32, which at a few sizes gives the element before; float64 tensors have exact ones.
public func resized(
  _ x: Tensor, axes: [Int], to sizes: [Int], by interpolation: Interpolation = .linear,
  alignCorners: Bool = false
) -> Tensor {
  precondition(axes.count == sizes.count, "resized", "\(axes.count) axes but \(sizes.count) sizes")
  x.requireReal("resized")
  let known = zip(axes, sizes).map { (axis: resolved($0, rank: x.ndim, "resized"), new: $1) }
  // Axes that shrink most come first, so that the others have less to do.
  let order = known.sorted { $0.new * x.shape[$1.axis] < $1.new * x.shape[$0.axis] }
  return order.reduce(x) { x, next in
    let old = x.shape[next.axis]
    precondition(
      old > 0 && next.new > 0, "resized", "axis \(next.axis) of size \(old) cannot become \(next.new)")
    return x.resampled(
      axis: next.axis, by: AxisMap(resizing: old, to: next.new, interpolation, alignCorners, x.dtype))
  }
}

extension Tensor {
  /// Every line along `axis` through a linear map; its derivative is the transposed map.
  fileprivate func resampled(axis: Int, by map: AxisMap) -> Tensor {
    let source = packed
    var target = shape
    target[axis] = map.to
    let result = Tensor(uninitialized: target, dtype)
    let weight = Tensor(map.weight).asType(dtype)
    callosum_resample(
      dtype.kernel, Array(shape[..<axis]).elementCount, map.from, map.to,
      Array(shape[(axis + 1)...]).elementCount, map.starts, map.index, weight.pointer, source.pointer,
      result.pointer)
    return result.recorded("resampled", from: self) { $0.resampled(axis: axis, by: map.transposed) }
  }
}

/// A linear map of the elements along an axis with few entries per row: those of row i are number
/// starts[i] to before starts[i + 1].
private struct AxisMap {
  let from, to: Int
  let starts, index: [Int32]
  let weight: [Double]

  /// A list of elements and weights per row.
  private init(from: Int, rows: [[(index: Int, weight: Double)]]) {
    self.from = from
    to = rows.count
    starts = rows.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1.count)) }
    index = rows.joined().map { Int32($0.index) }
    weight = rows.joined().map(\.weight)
  }

  init(
    resizing old: Int, to new: Int, _ interpolation: Interpolation, _ alignCorners: Bool, _ dtype: DType
  ) {
    let scale = Double(old) / Double(new)
    func inside(_ place: Int) -> Int { min(max(place, 0), old - 1) }
    self.init(
      from: old,
      rows: (0..<new).map { i in
        if interpolation == .nearest { return [(Self.nearest(i, old, new, dtype), 1)] }
        var place = (Double(i) + 0.5) * scale - 0.5
        if alignCorners { place = new == 1 ? 0 : Double(i) * Double(old - 1) / Double(new - 1) }
        // The linear rule clamps the place itself, the cubic one its neighbours only.
        if interpolation == .linear { place = max(place, 0) }
        let base = place.rounded(.down)
        let share = place - base
        let weights =
          interpolation == .linear
          ? [(0, 1 - share), (1, share)]
          : [
            (-1, value(farCubic, share + 1)), (0, value(nearCubic, share)),
            (1, value(nearCubic, 1 - share)), (2, value(farCubic, 2 - share)),
          ]
        return weights.map { (inside(Int(base) + $0), $1) }
      })
  }

  private static func nearest(_ i: Int, _ old: Int, _ new: Int, _ dtype: DType) -> Int {
    if dtype == .float64 || new == 2 * old { return i * old / new }
    return min(Int(Float(i) * (Float(old) / Float(new))), old - 1)
  }

  var transposed: AxisMap {
    var rows = [[(index: Int, weight: Double)]](repeating: [], count: from)
    for row in 0..<to {
      for entry in Int(starts[row])..<Int(starts[row + 1]) {
        rows[Int(index[entry])].append((row, weight[entry]))
      }
    }
    return AxisMap(from: to, rows: rows)
  }
}

private func value(_ coefficients: [Double], _ t: Double) -> Double {
  coefficients.reversed().reduce(0) { $0 * t + $1 }
}
