import CallosumKernels

/// The B-spline basis of `degree` over `intervals` equal parts of `low`...`high`, at x [...]: the values
/// [..., intervals + degree] of its functions, of which at most degree + 1 are not 0 (C. de Boor, "On
/// calculating with B-splines", 1972). The knots go on at the same distance beyond both ends, so the
/// functions add up to 1 from `low` to `high` and fade out within `degree` intervals beyond.
public func bsplineBasis(
  _ x: Tensor, intervals: Int, from low: Double, to high: Double, degree: Int = 3
) -> Tensor {
  x.requireReal("bsplineBasis")
  precondition(
    intervals > 0 && low < high && (0...7).contains(degree), "bsplineBasis",
    "needs an interval at least, low < high and a degree of 0 to 7, got \(intervals), \(low), \(high), "
      + "\(degree)")
  let count = intervals + degree
  let perUnit = Double(intervals) / (high - low)
  return fused(
    "bsplineBasis", [x],
    reference: { inputs in
      // Cox and de Boor: each degree mixes neighbouring functions of the degree below.
      let place = (inputs[0].expandedDimensions(axis: -1) - low) * perUnit
      let knot = Tensor.arange(count + degree, dtype: x.dtype) - Double(degree)
      var basis = ((place .>= knot) .&& (place .< knot + 1)).asType(x.dtype)
      for p in 0..<degree {
        let left = count + degree - p - 1
        let first = basis.sliced(axis: -1, to: left), second = basis.sliced(axis: -1, from: 1)
        let start = knot.sliced(axis: 0, to: left)
        basis = ((place - start) * first + (start + Double(p + 2) - place) * second) * (1 / Double(p + 1))
      }
      let isMissing = isNaN(stopGradient(inputs[0])).expandedDimensions(axis: -1)
      return basis * which(isMissing, basis.constant(.nan), basis.constant(1))
    },
    fast: { inputs in
      let source = inputs[0].packed
      let y = Tensor(uninitialized: x.shape + [count], .float32)
      var splines = callosum_splines(
        intervals: intervals, degree: degree, low: Float(low), scale: Float(perUnit))
      callosum_bspline_basis(&splines, source.size, source.pointer(as: Float.self), y.pointer(as: Float.self))
      return (
        y,
        { gradient, _ in
          let g = gradient.packed
          let gx = Tensor(uninitialized: source.shape, .float32)
          var splines = splines
          callosum_bspline_basis_backward(
            &splines, source.size, source.pointer(as: Float.self), g.pointer(as: Float.self),
            gx.pointer(as: Float.self))
          return [gx]
        }
      )
    })
}
