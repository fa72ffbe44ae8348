import CallosumKernels

// Scans along one axis: each result depends on all elements before it. The time is linear in the
// length, that of derivatives too, because the derivative of a scan is a scan from the other end.

extension Tensor {
  /// The running result by kernel, not recorded.
  private func running(_ operation: callosum_scan, _ axis: Int, reverse: Bool = false) -> Tensor {
    let x = packed, (outer, rows, inner) = around(axis)
    let y = Tensor(uninitialized: shape, dtype)
    callosum_running(
      Int32(operation.rawValue), dtype.kernel, reverse, outer, rows, inner, x.pointer,
      y.pointer)
    return y
  }

  /// The sum of each element and all before it along `axis`, or all after it with `reverse`; without
  /// `inclusive` the element itself is left out.
  public func cumsum(axis: Int, reverse: Bool = false, inclusive: Bool = true) -> Tensor {
    let axis = resolved(axis, rank: ndim, "cumsum")
    if !inclusive { return cumsum(axis: axis, reverse: reverse).exclusive(axis, reverse, 0) }
    let source = dtype == .bool ? asType(.int32) : self
    return source.running(callosum_running_sum, axis, reverse: reverse)
      .recorded("cumsum", from: self) { $0.cumsum(axis: axis, reverse: !reverse) }
  }

  /// The product of each element and all before it along `axis`, or all after it with `reverse`; without
  /// `inclusive` the element itself is left out. Its derivative is right also where elements are 0.
  public func cumprod(axis: Int, reverse: Bool = false, inclusive: Bool = true) -> Tensor {
    let axis = resolved(axis, rank: ndim, "cumprod")
    requireNumbers("cumprod")
    if !inclusive { return cumprod(axis: axis, reverse: reverse).exclusive(axis, reverse, 1) }
    let x = self, step = reverse ? -1 : 1
    return running(callosum_running_product, axis, reverse: reverse).recorded(
      "cumprod", from: self,
      byResult: { g, y in
        // With r_t = g_t + x_(t+1) r_(t+1), the gradient is the product before t times r_t.
        let later = linearRecurrence(x.shifted(-step, axis: axis), g, axis: axis, reverse: !reverse)
        return y.shifted(step, axis: axis, filledWith: 1) * later
      })
  }

  /// log(exp(x_0) + ... + exp(x_t)) along `axis`, without overflow, or from the last element back with
  /// `reverse`; without `inclusive` the element itself is left out, and what is empty is -infinity.
  public func logCumsumExp(axis: Int, reverse: Bool = false, inclusive: Bool = true) -> Tensor {
    let axis = resolved(axis, rank: ndim, "logCumsumExp")
    requireReal("logCumsumExp")
    if !inclusive {
      return logCumsumExp(axis: axis, reverse: reverse).exclusive(axis, reverse, -.infinity)
    }
    let x = self
    return running(callosum_running_log_sum_exp, axis, reverse: reverse).recorded(
      "logCumsumExp", from: self,
      byResult: { g, y in
        // y_t = log(exp(y_(t-1)) + exp(x_t)) has the derivatives exp(y_(t-1) - y_t) and
        // exp(x_t - y_t), none above 1. Where y is -infinity nothing was summed yet: both are 0.
        let finite = which(y .== -.infinity, y.constant(0), y)
        let next = finite.shifted(reverse ? 1 : -1, axis: axis, filledWith: .infinity)
        return exp(x - finite) * linearRecurrence(exp(y - next), g, axis: axis, reverse: !reverse)
      })
  }

  /// The largest element so far along `axis`. Of equal ones the last gets the gradient.
  public func cummax(axis: Int) -> Tensor { cummaxWithIndices(axis: axis).values }

  /// The largest element so far along `axis`, and where it is (int32): the last among equals.
  public func cummaxWithIndices(axis: Int) -> (values: Tensor, indices: Tensor) {
    let axis = resolved(axis, rank: ndim, "cummax")
    requireNumbers("cummax")
    let x = packed, (outer, rows, inner) = around(axis)
    let places = Tensor(uninitialized: shape, .int32)
    callosum_running_arg_max(
      dtype.kernel, outer, rows, inner, x.pointer, places.pointer(as: Int32.self))
    return (takeAlong(places, axis: axis), places.withoutDerivative("cummax", from: self))
  }

  /// A running result without the element itself; the first place gets what nothing comes to.
  private func exclusive(_ axis: Int, _ reverse: Bool, _ nothing: Double) -> Tensor {
    shifted(reverse ? -1 : 1, axis: axis, filledWith: nothing)
  }
}

/// h_t = a_t h_(t-1) + b_t along the time axis, beginning with h_(-1) = `initial`: the scan behind
/// exponential averages, leaky integrators and gated linear recurrences.
///
/// - Parameters:
///   - a: what remains of the state at each step, float32 or float64.
///   - b: what comes in, of the same shape, [batch, time, channels] unless `axis` says otherwise.
///   - initial: the state before the first step, that shape without the time axis; zeros if nil.
///   - axis: the time axis.
///   - reverse: from the last step to the first; `initial` then comes after the last.
/// - Returns: all h_t. The state to carry on with is the last of them (the first with `reverse`).
public func linearRecurrence(
  _ a: Tensor, _ b: Tensor, initial: Tensor? = nil, axis: Int = 1, reverse: Bool = false
) -> Tensor {
  let name: StaticString = "linearRecurrence"
  let axis = resolved(axis, rank: b.ndim, name)
  precondition(
    a.shape == b.shape && a.dtype == b.dtype && a.dtype.isFloatingPoint, name,
    "a, \(a.dtype) \(a.shape), and b, \(b.dtype) \(b.shape), must be real and of one shape")
  var stateShape = b.shape
  let count = stateShape.remove(at: axis)
  let initial = initial ?? .zeros(stateShape, dtype: b.dtype)
  precondition(
    initial.shape == stateShape && initial.dtype == b.dtype, name,
    "the initial state must be \(b.dtype) \(stateShape), is \(initial.dtype) \(initial.shape)")

  let outer = stateShape[..<axis].reduce(1, *), inner = stateShape[axis...].reduce(1, *)
  let (packedA, packedB, start) = (a.packed, b.packed, initial.packed)
  let h = Tensor(uninitialized: b.shape, b.dtype)
  callosum_linear_recurrence(
    b.dtype.kernel, reverse, outer, count, inner, packedA.pointer, packedB.pointer, start.pointer,
    h.pointer)
  return h.recorded(
    name, from: [a, b, initial],
    byResult: { g, h in
      if ThreadState.current.tape == nil && g.dtype == .float32 {
        let g = g.packed
        let gradients = [b.shape, b.shape, stateShape].map { Tensor(uninitialized: $0, .float32) }
        callosum_linear_recurrence_backward(
          reverse, outer, count, inner, packedA.floats32, start.floats32, h.floats32, g.floats32,
          gradients[0].floats32, gradients[1].floats32, gradients[2].floats32)
        return gradients
      }
      // The same in operations that have derivatives: the gradient is a scan from the other end.
      if count == 0 { return [.zeros(like: a), .zeros(like: b), .zeros(like: initial)] }
      let gb = linearRecurrence(
        a.shifted(reverse ? 1 : -1, axis: axis), g, axis: axis, reverse: !reverse)
      let first = initial.expandedDimensions(axis: axis)
      let before =
        reverse
        ? concatenated([h.sliced(axis: axis, from: 1), first], axis: axis)
        : concatenated([first, h.sliced(axis: axis, to: count - 1)], axis: axis)
      let at = reverse ? count - 1 : 0
      let reached = (a * gb).sliced(axis: axis, from: at, to: at + 1).squeezed(axis: axis)
      return [gb * before, gb, reached]
    })
}
