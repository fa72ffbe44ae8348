// Reading images and signals between and beyond their elements. All of it is a sum of few gathers
// times weights, so values and coordinates have gradients of every order.

/// What lies beyond the borders.
public enum PaddingMode: String, Codable, Sendable {
  /// Zeros.
  case zeros
  /// The mirror image, the border element itself not repeated.
  case reflect
  /// The other side.
  case circular
  /// The border element.
  case replicate
}

extension Tensor {
  /// Padded along `axis` by what `mode` says lies beyond the borders.
  public func padded(axis: Int, before: Int, after: Int, mode: PaddingMode) -> Tensor {
    let axis = resolved(axis, rank: ndim, "padded")
    let count = shape[axis]
    if mode == .zeros {
      var widths = [(before: Int, after: Int)](repeating: (0, 0), count: ndim)
      widths[axis] = (before, after)
      return padded(widths)
    }
    let reach = mode == .reflect ? count - 1 : mode == .circular ? count : Int.max
    require(
      before >= 0 && after >= 0 && before <= reach && after <= reach && count > 0, "padded",
      "\(mode.rawValue) padding by \(before) and \(after) needs more than the \(count) elements of axis \(axis)"
    )
    let places = (-before..<count + after).map { place -> Int32 in
      switch mode {
      case .reflect: Int32(place < 0 ? -place : place >= count ? 2 * (count - 1) - place : place)
      case .circular: Int32((place + count) % count)
      case .replicate, .zeros: Int32(Swift.min(Swift.max(place, 0), count - 1))
      }
    }
    return take(Tensor(places), axis: axis)
  }
}

// MARK: Resizing

/// How values between elements are made when resizing.
public enum Interpolation: String, Codable, Sendable {
  /// The element whose cell the place falls into.
  case nearest
  /// The two neighbours on each axis, by distance.
  case linear
  /// The four neighbours on each axis, by the cubic of Keys (1981) with parameter -3/4.
  case cubic
}

/// x with the given axes resized to `sizes`. Element i of the result reads place (i + 1/2) scale - 1/2
/// of the input (or i (old - 1) / (new - 1) with `alignCorners`); beyond the borders the border counts.
public func resized(
  _ x: Tensor, axes: [Int], to sizes: [Int], by interpolation: Interpolation = .linear,
  alignCorners: Bool = false
) -> Tensor {
  require(axes.count == sizes.count, "resized", "\(axes.count) axes but \(sizes.count) sizes")
  return zip(axes, sizes).reduce(x) { x, next in
    let axis = resolved(next.0, rank: x.ndim, "resized")
    let (old, new) = (x.shape[axis], next.1)
    require(old > 0 && new > 0, "resized", "axis \(axis) of size \(old) cannot become \(new)")
    let scale = Double(old) / Double(new)
    let places = (0..<new).map { i -> Double in
      if interpolation == .nearest { return Double(Int(Double(i) * scale)) }
      if alignCorners { return new == 1 ? 0 : Double(i) * Double(old - 1) / Double(new - 1) }
      let place = (Double(i) + 0.5) * scale - 0.5
      // The linear rule clamps the place itself, the cubic one its neighbours only.
      return interpolation == .linear ? Swift.max(place, 0) : place
    }
    let bases = places.map { Int($0.rounded(.down)) }
    let shares = zip(places, bases).map { $0 - Double($1) }
    return weights(interpolation).map { offset, weight in
      let index = bases.map { Int32(Swift.min(Swift.max($0 + offset, 0), old - 1)) }
      let taken = x.take(Tensor(index), axis: axis)
      if interpolation == .nearest { return taken }
      var along = [Int](repeating: 1, count: x.ndim)
      along[axis] = new
      return taken * Tensor(shares.map(weight)).asType(x.dtype).reshaped(along)
    }.reduce(nil) { (sum: Tensor?, term: Tensor) in sum.map { $0 + term } ?? term } ?? x
  }
}

/// The neighbours that an interpolation reads, and the weight of each at a share beyond the base.
private func weights(_ interpolation: Interpolation) -> [(offset: Int, weight: (Double) -> Double)] {
  let a = -0.75
  func near(_ t: Double) -> Double { ((a + 2) * t - (a + 3)) * t * t + 1 }
  func far(_ t: Double) -> Double { ((a * t - 5 * a) * t + 8 * a) * t - 4 * a }
  return switch interpolation {
  case .nearest: [(0, { _ in 1 })]
  case .linear: [(0, { 1 - $0 }), (1, { $0 })]
  case .cubic:
    [(-1, { far($0 + 1) }), (0, near), (1, { near(1 - $0) }), (2, { far(2 - $0) })]
  }
}

// MARK: Sampling at coordinates

/// The values of x at given places, by linear interpolation along one to three spatial axes.
///
/// - Parameters:
///   - x: [batch, spatial..., channels].
///   - coordinates: [batch, places..., spatial axes], in the order of the axes of x; -1 and 1 are the
///     outer edges of the first and last element (or their centres, with `alignCorners`).
///   - mode: what lies beyond; zeros, reflect (at the edges) or replicate.
///   - alignCorners: whether -1 and 1 are the centres of the border elements.
/// - Returns: [batch, places..., channels].
public func gridSample(
  _ x: Tensor, at coordinates: Tensor, mode: PaddingMode = .zeros, alignCorners: Bool = false
) -> Tensor {
  let axes = x.ndim - 2
  require(
    (1...3).contains(axes) && coordinates.ndim >= 2 && coordinates.dim(-1) == axes
      && coordinates.dim(0) == x.dim(0), "gridSample",
    "x \(x.shape) needs coordinates [\(x.dim(0)), ..., \(max(axes, 0))], got \(coordinates.shape)")
  require(mode != .circular, "gridSample", "circular borders are not defined here")
  let (batch, channels) = (x.dim(0), x.dim(-1))
  let sizes = Array(x.shape[1...axes])
  let places = Array(coordinates.shape[1..<(coordinates.ndim - 1)])
  let count = places.elementCount
  let flat = coordinates.reshaped([batch, count, axes])

  // Place on each axis in elements, its cell, and the share beyond it: [batch, count].
  var cells: [(base: Tensor, share: Tensor)] = []
  for axis in 0..<axes {
    let c = flat.sliced(axis: 2, from: axis, to: axis + 1).squeezed(axis: 2)
    let size = Double(sizes[axis])
    var place = alignCorners ? (c + 1) * ((size - 1) / 2) : (c + 1) * (size / 2) - 0.5
    switch mode {
    case .zeros, .circular: break
    case .replicate: place = clip(place, min: 0, max: size - 1)
    case .reflect:
      place = alignCorners ? reflected(place, 0, size - 1) : reflected(place, -0.5, size - 0.5)
      place = clip(place, min: 0, max: size - 1)
    }
    let base = floor(stopGradient(place))
    cells.append((base, place - base))
  }

  let elements = x.reshaped([batch * sizes.elementCount, channels])
  let row = Tensor.arange(batch).reshaped([batch, 1]) * Double(sizes.elementCount)
  var sum: Tensor?
  // The corners of the cell: bit a of `corner` chooses the later neighbour on axis a.
  for corner in 0..<(1 << axes) {
    var index = row
    var weight: Tensor?
    var isInside: Tensor?
    for axis in 0..<axes {
      let isLater = corner >> axis & 1 == 1
      let at = isLater ? cells[axis].base + 1 : cells[axis].base
      let share = isLater ? cells[axis].share : 1 - cells[axis].share
      let inside = (at .>= 0) .&& (at .<= Double(sizes[axis] - 1))
      let held = clip(at, min: 0, max: Double(sizes[axis] - 1)).asType(.int32)
      let step = Double(sizes[(axis + 1)...].reduce(1, *))
      index = index + held * step
      weight = weight.map { $0 * share } ?? share
      isInside = isInside.map { $0 .&& inside } ?? inside
    }
    guard let weight, let isInside else { continue }
    let term = elements.take(index) * (weight * isInside.asType(x.dtype)).expandedDimensions(axis: 2)
    sum = sum.map { $0 + term } ?? term
  }
  let result = sum ?? .zeros([batch, count, channels], dtype: x.dtype)
  return result.reshaped([batch] + places + [channels])
}

/// `place` folded back at both borders as often as needed.
private func reflected(_ place: Tensor, _ low: Double, _ high: Double) -> Tensor {
  let span = high - low
  if span <= 0 { return place * 0 }
  let distance = abs(place - low)
  let turns = stopGradient(floor(distance / span))
  let rest = distance - turns * span
  let isEven = (turns % 2) .== 0
  return which(isEven, rest + low, high - rest)
}
