import CallosumKernels

/// The values of x at given places, by interpolation along one to three spatial axes, with gradients to
/// values and coordinates. A coordinate that is not a number gives results that are none.
///
/// - Parameters:
///   - x: [batch, spatial..., channels].
///   - coordinates: [batch, places..., spatial axes], in the order of the axes of x; -1 and 1 are the
///     outer edges of the first and last element (or their centres, with `alignCorners`).
///   - interpolation: nearest (halves to even; no gradient to coordinates), linear or cubic.
///   - mode: what lies beyond; zeros, reflect (at the edges) or replicate. On the border itself and
///     beyond, replicating passes no gradient to coordinates.
///   - alignCorners: whether -1 and 1 are the centres of the border elements.
/// - Returns: [batch, places..., channels].
public func gridSample(
  _ x: Tensor, at coordinates: Tensor, by interpolation: Interpolation = .linear,
  mode: PaddingMode = .zeros, alignCorners: Bool = false
) -> Tensor {
  let axes = x.ndim - 2
  precondition(
    (1...3).contains(axes) && coordinates.ndim >= 2 && coordinates.dim(-1) == axes
      && coordinates.dim(0) == x.dim(0) && coordinates.dtype == x.dtype && x.dtype.isFloatingPoint,
    "gridSample",
    "x \(x.dtype) \(x.shape) needs coordinates [\(x.dim(0)), ..., \(max(axes, 0))], got "
      + "\(coordinates.dtype) \(coordinates.shape)")
  precondition(
    mode != .circular && mode != .symmetric, "gridSample", "\(mode.rawValue) borders are not defined here")
  let places = Array(coordinates.shape[1..<(coordinates.ndim - 1)])
  let grid = Grid(
    batch: x.dim(0), sizes: Array(x.shape[1...axes]), channels: x.dim(-1), places: places.elementCount,
    interpolation: interpolation, mode: mode, alignCorners: alignCorners)
  precondition(
    grid.sizes.allSatisfy { $0 > 0 }, "gridSample", "x \(x.shape) has an axis without elements")
  let yShape = [x.dim(0)] + places + [x.dim(-1)]
  return fused(
    "gridSample", [x, coordinates],
    reference: { grid.reference($0[0], $0[1]).reshaped(yShape) },
    fast: { inputs in
      let (x, coordinates) = (inputs[0].packed, inputs[1].packed)
      let y = Tensor(uninitialized: yShape, .float32)
      var job = grid.job
      callosum_grid_sample(
        &job, x.pointer(as: Float.self), coordinates.pointer(as: Float.self), y.pointer(as: Float.self))
      return (
        y,
        { g, needsGradient in
          let g = g.packed
          let gx = needsGradient[0] ? Tensor(uninitialized: x.shape, .float32) : nil
          let gc = needsGradient[1] ? Tensor(uninitialized: coordinates.shape, .float32) : nil
          var job = grid.job
          callosum_grid_sample_backward(
            &job, x.pointer(as: Float.self), coordinates.pointer(as: Float.self), g.pointer(as: Float.self),
            gx?.pointer(as: Float.self), gc?.pointer(as: Float.self))
          return [gx, gc]
        }
      )
    })
}

private struct Grid {
  let batch: Int
  let sizes: [Int]
  let channels, places: Int
  let interpolation: Interpolation
  let mode: PaddingMode
  let alignCorners: Bool

  var job: callosum_grid {
    let size = sizes + [1, 1]
    let kinds: [Interpolation: callosum_interpolation] = [
      .nearest: callosum_nearest, .linear: callosum_linear, .cubic: callosum_cubic,
    ]
    let borders: [PaddingMode: callosum_border] = [
      .zeros: callosum_border_zeros, .reflect: callosum_border_reflect,
      .replicate: callosum_border_replicate,
    ]
    return callosum_grid(
      batch: batch, places: places, channels: channels, axes: Int32(sizes.count),
      size: (size[0], size[1], size[2]), interpolation: kinds[interpolation] ?? callosum_linear,
      border: borders[mode] ?? callosum_border_zeros, align_corners: alignCorners)
  }

  // MARK: In ordinary operations

  /// The elements that one axis contributes to the samples, as positions that may lie outside, and
  /// their weights; all [batch, places].
  private typealias Taps = [(at: Tensor, weight: Tensor)]

  /// A sum of few gathers times weights: [batch, places, channels].
  func reference(_ x: Tensor, _ coordinates: Tensor) -> Tensor {
    let flat = coordinates.reshaped([batch, places, sizes.count])
    let found = sizes.indices.map { axis in
      taps(flat.sliced(axis: 2, from: axis, to: axis + 1).squeezed(axis: 2), sizes[axis])
    }
    // The row after the last stands for all that lies outside.
    let count = batch * sizes.elementCount
    let elements = x.reshaped([count, channels]).padded([(0, 1), (0, 0)])
    let first = Tensor.arange(batch).reshaped([batch, 1])
    var terms = [(index: first, weight: Tensor.ones([1], dtype: x.dtype), inside: first .>= 0)]
    for (axis, size) in sizes.enumerated() {
      terms = terms.flatMap { term in
        found[axis].map { at, weight in
          let inside = (at .>= 0) .&& (at .<= Double(size - 1))
          let held = which(inside, at, at.constant(0)).asType(.int32)
          return (term.index * size + held, term.weight * weight, term.inside .&& inside)
        }
      }
    }
    return terms.reduce(Tensor.zeros([batch, places, channels], dtype: x.dtype)) { sum, term in
      let index = which(term.inside, term.index, term.index.constant(Double(count)))
      return sum + elements.take(index) * term.weight.expandedDimensions(axis: 2)
    }
  }

  private func taps(_ coordinate: Tensor, _ size: Int) -> Taps {
    let last = Double(size - 1)
    var place = alignCorners ? (coordinate + 1) * (last / 2) : (coordinate + 1) * (Double(size) / 2) - 0.5
    // Farther out nothing changes any more.
    place = interpolation == .cubic ? held(place, -1e6, 1e6) : held(bordered(place, last), -2, last + 2)
    let fixed = stopGradient(place)
    let known = which(fixed .== fixed, fixed, fixed.constant(0))
    if interpolation == .nearest { return [(round(known), fixed - known + 1)] }
    let base = floor(known)
    let share = place - base
    if interpolation == .linear { return [(base, 1 - share), (base + 1, share)] }
    // The place stays; the elements around it are looked up by the border's rule.
    return [
      (bordered(base - 1, last), value(farCubic, share + 1)), (bordered(base, last), value(nearCubic, share)),
      (bordered(base + 1, last), value(nearCubic, 1 - share)),
      (bordered(base + 2, last), value(farCubic, 2 - share)),
    ]
  }

  /// The position that stands for `at`, which may lie beyond the border.
  private func bordered(_ at: Tensor, _ last: Double) -> Tensor {
    switch mode {
    case .zeros, .circular, .symmetric: at
    case .replicate: held(at, 0, last)
    case .reflect:
      held(alignCorners ? reflected(at, 0, last) : reflected(at, -0.5, last + 0.5), 0, last)
    }
  }

  /// `at` between low and high; a constant on the bounds and beyond.
  private func held(_ at: Tensor, _ low: Double, _ high: Double) -> Tensor {
    which(at .<= low, at.constant(low), which(at .>= high, at.constant(high), at))
  }

  /// `place` folded back at both borders as often as needed.
  private func reflected(_ place: Tensor, _ low: Double, _ high: Double) -> Tensor {
    let span = high - low
    if span <= 0 { return place * 0 }
    let distance = abs(place - low)
    let turns = stopGradient(floor(distance / span))
    let rest = distance - turns * span
    return which((turns % 2) .== 0, rest + low, high - rest)
  }

  private func value(_ coefficients: [Double], _ t: Tensor) -> Tensor {
    let highest = t.constant(coefficients[coefficients.count - 1])
    return coefficients.dropLast().reversed().reduce(highest) { $0 * t + $1 }
  }
}
