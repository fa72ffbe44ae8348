import CallosumKernels

// Softmax and its relatives. The kernels work along the last axis; another axis is moved there.

extension Tensor {
  fileprivate var rowsAndColumns: (Int, Int) {
    let columns = shape.last ?? 1
    return (columns == 0 ? 0 : size / columns, columns)
  }
}

/// Moves `axis` to the end, applies `body` and moves it back.
private func along(
  _ axis: Int, _ x: Tensor, _ name: StaticString, _ body: (Tensor) -> Tensor
) -> Tensor {
  x.requireReal(name)
  let axis = resolved(axis, rank: x.ndim, name)
  if axis == x.ndim - 1 { return body(x) }
  return body(x.movedAxis(source: axis, destination: -1)).movedAxis(source: -1, destination: axis)
}

/// An operation on rows whose derivative needs its result: kernel(x, y) and backward(y, gy, gx).
private func rowwise(
  _ name: StaticString, _ x: Tensor, axis: Int, reference: @escaping (Tensor) -> Tensor,
  kernel: (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int, Int) -> Void,
  backward:
    @escaping (
      UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int, Int
    ) -> Void
) -> Tensor {
  along(axis, x, name) { x in
    fused(
      name, [x], reference: { reference($0[0]) },
      fast: { inputs in
        let x = inputs[0].packed
        let y = Tensor(uninitialized: x.shape, .float32)
        let (rows, columns) = x.rowsAndColumns
        kernel(x.floats32, y.floats32, rows, columns)
        return (
          y,
          { g, _ in
            let g = g.packed
            let gx = Tensor(uninitialized: x.shape, .float32)
            backward(y.floats32, g.floats32, gx.floats32, rows, columns)
            return [gx]
          }
        )
      })
  }
}

/// exp(x) over its sum along `axis`.
public func softmax(_ x: Tensor, axis: Int = -1) -> Tensor {
  rowwise(
    "softmax", x, axis: axis,
    reference: { x in
      let shifted = exp(x - stopGradient(finiteMax(x)))
      return shifted / shifted.sum(axis: -1, keepDims: true)
    },
    kernel: callosum_softmax, backward: callosum_softmax_backward)
}

/// exp(x) over its sum along `axis`, both over the elements alone where `mask` (bool, broadcasts to x) is
/// true; the others are 0, and so are all where nothing is true.
public func softmax(_ x: Tensor, where mask: Tensor, axis: Int = -1) -> Tensor {
  x.requireReal("softmax")
  mask.requireTruth("softmax")
  precondition(
    broadcastShape(mask.shape, x.shape, "softmax") == x.shape, "softmax",
    "the mask must stretch to \(x.shape), is \(mask.shape)")
  return softmaxOfSeen(which(mask, x, x.constant(-.infinity)), axis: axis)
}

/// softmax of scores, in which -infinity means unseen; 0 along `axis` where nothing is seen.
func softmaxOfSeen(_ scores: Tensor, axis: Int) -> Tensor {
  if scores.dim(axis) == 0 { return scores }
  // Blind rows are 0 before softmax and after it, so that neither values nor gradients meet 0 / 0.
  let zero = scores.constant(0)
  let blind = (scores .== -.infinity).all(axes: [axis], keepDims: true)
  return which(blind, zero, softmax(which(blind, zero, scores), axis: axis))
}

/// log softmax(x), without the loss of accuracy of taking the logarithm afterwards.
public func logSoftmax(_ x: Tensor, axis: Int = -1) -> Tensor {
  rowwise(
    "logSoftmax", x, axis: axis,
    reference: { x in
      let shifted = x - stopGradient(finiteMax(x))
      return shifted - log(exp(shifted).sum(axis: -1, keepDims: true))
    },
    kernel: callosum_log_softmax, backward: callosum_log_softmax_backward)
}

/// log of the sum of exp(x) along `axis`, without overflow.
public func logSumExp(_ x: Tensor, axis: Int = -1, keepDims: Bool = false) -> Tensor {
  let y = along(axis, x, "logSumExp") { x in
    fused(
      "logSumExp", [x],
      reference: { inputs in
        let largest = stopGradient(finiteMax(inputs[0]))
        return log(exp(inputs[0] - largest).sum(axis: -1, keepDims: true)) + largest
      },
      fast: { inputs in
        let x = inputs[0].packed
        let (rows, columns) = x.rowsAndColumns
        let target = Array(x.shape.dropLast()) + [1]
        if columns == 0 { return (.full(target, -.infinity), { _, _ in [.zeros(x.shape)] }) }
        let y = Tensor(uninitialized: target, .float32)
        callosum_log_sum_exp(x.floats32, y.floats32, rows, columns)
        return (
          y,
          { g, _ in
            let g = g.packed
            let gx = Tensor(uninitialized: x.shape, .float32)
            callosum_log_sum_exp_backward(
              x.floats32, y.floats32, g.floats32, gx.floats32, rows, columns)
            return [gx]
          }
        )
      })
  }
  return keepDims ? y : y.squeezed(axis: axis)
}

/// The largest entry of each row, 0 where that is infinite (so that subtracting it makes no NaN).
private func finiteMax(_ x: Tensor) -> Tensor {
  if x.dim(-1) == 0 { return .zeros(Array(x.shape.dropLast()) + [1], dtype: x.dtype) }
  let largest = x.unmarked.max(axis: -1, keepDims: true)
  return which(abs(largest) .== .infinity, x.constant(0), largest)
}

// MARK: Cross-entropy

/// The cross-entropy of each row of `logits` [..., classes] with its label among `targets` (int32, [...]):
/// logSumExp(x) - (1 - smoothing) x[label] - smoothing mean(x). 0 for rows labelled `ignoring`. The loss
/// `crossEntropy` is made of it.
package func crossEntropyPerItem(
  logits: Tensor, targets labels: Tensor, labelSmoothing: Double = 0, ignoring: Int32 = -100
) -> Tensor {
  logits.requireReal("crossEntropy")
  labels.requireIntegers("crossEntropy", "labels")
  precondition(
    logits.ndim > 0 && labels.shape == Array(logits.shape.dropLast()), "crossEntropy",
    "logits \(logits.shape) need labels of shape \(Array(logits.shape.dropLast())), got \(labels.shape)")
  let classes = logits.dim(-1)
  let label = labels.unmarked.packed
  let isKept = label .!= Int(ignoring)
  let outside = isKept .&& ((label .< 0) .|| (label .>= classes))
  precondition(
    label.size == 0 || outside.any().item() == 0, "crossEntropy",
    "a label lies outside 0..<\(classes) and is not the ignored \(ignoring)")
  return fused(
    "crossEntropy", [logits],
    reference: { inputs in
      let x = inputs[0]
      let safe = which(isKept, label, label.constant(0)).expandedDimensions(axis: -1)
      let chosen = x.takeAlong(safe, axis: -1).squeezed(axis: -1)
      var loss = logSumExp(x) - chosen * (1 - labelSmoothing)
      if labelSmoothing != 0 { loss = loss - x.mean(axis: -1) * labelSmoothing }
      return which(isKept, loss, x.constant(0))
    },
    fast: { inputs in
      let x = inputs[0].packed
      let (rows, columns) = x.rowsAndColumns
      let loss = Tensor(uninitialized: label.shape, .float32)
      let lse = Tensor(uninitialized: label.shape, .float32)
      let smoothing = Float(labelSmoothing)
      callosum_cross_entropy(
        x.floats32, label.pointer(as: Int32.self), smoothing, ignoring, loss.floats32, lse.floats32,
        rows, columns)
      return (
        loss,
        { g, _ in
          let g = g.packed
          let gx = Tensor(uninitialized: x.shape, .float32)
          callosum_cross_entropy_backward(
            x.floats32, label.pointer(as: Int32.self), smoothing, ignoring, lse.floats32, g.floats32,
            gx.floats32, rows, columns)
          return [gx]
        }
      )
    })
}
