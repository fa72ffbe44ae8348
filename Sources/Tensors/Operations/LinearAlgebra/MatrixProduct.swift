import CallosumKernels

/// The matrix product over the last two axes; leading axes broadcast. A tensor of one axis counts
/// as a row on the left and as a column on the right, and loses that axis again in the result.
/// Transposed operands are read in place.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
  precondition(
    a.ndim > 0 && b.ndim > 0, "matmul", "shapes \(a.shape) and \(b.shape): each needs an axis at least")
  let inner = (a.dim(-1), b.dim(b.ndim == 1 ? -1 : -2))
  precondition(
    inner.0 == inner.1, "matmul",
    "inner axes do not fit: shapes \(a.shape) and \(b.shape) have \(inner.0) and \(inner.1)")
  if b.ndim == 1 { return matmul(a, b.expandedDimensions(axis: 1)).squeezed(axis: -1) }
  if a.ndim == 1 { return matmul(a.expandedDimensions(axis: 0), b).squeezed(axis: -2) }
  if a.dtype != b.dtype || !a.dtype.isFloatingPoint { realType(of: [a, b], "matmul") }
  if b.ndim == 2 && a.ndim > 2, let rows = a.rows {
    // One tall product instead of many small ones.
    return matmul(rows, b).reshaped(Array(a.shape.dropLast()) + [b.dim(1)])
  }
  return productOfBatches(a, b).recorded("matmul", from: [a, b]) { g, needsGradient in
    [
      needsGradient[0] ? matmul(g, b.swappedAxes(-1, -2)).summed(to: a.shape) : nil,
      needsGradient[1] ? matmul(a.swappedAxes(-1, -2), g).summed(to: b.shape) : nil,
    ]
  }
}

extension Tensor {
  /// All leading axes as one, if that needs no copy.
  fileprivate var rows: Tensor? {
    let target = [-1, dim(-1)]
    guard dim(-1) > 0, size > 0 else { return nil }
    if isContiguous { return reshaped(target) }
    return viewStrides(shape, strides, as: [size / dim(-1), dim(-1)]) == nil ? nil : reshaped(target)
  }

  /// Whether a matrix product can read the last two axes in place: transposed or not, and the
  /// leading dimension.
  fileprivate var matrixLayout: (transposed: Bool, leading: Int)? {
    let (rows, columns) = (dim(-2), dim(-1))
    let (rowStride, columnStride) = (strides[ndim - 2], strides[ndim - 1])
    if (columnStride == 1 || columns == 1) && (rowStride >= columns || rows == 1) && rowStride >= 0 {
      return (false, Swift.max(rowStride, columns))
    }
    if (rowStride == 1 || rows == 1) && columnStride >= rows { return (true, columnStride) }
    return nil
  }
}

/// The products of all pairs of matrices, not recorded.
private func productOfBatches(_ a: Tensor, _ b: Tensor) -> Tensor {
  let batch = broadcastShape(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)), "matmul")
  let (m, n, k) = (a.dim(-2), b.dim(-1), a.dim(-1))
  let shape = batch + [m, n]
  if k == 0 || shape.elementCount == 0 { return .zeros(shape, dtype: a.dtype) }
  let result = Tensor(uninitialized: shape, a.dtype)
  let count = batch.elementCount
  ThreadState.count(multiplyAccumulates: count * m * n * k)

  // Products too small for a library call to pay; what is left goes to the library one by one.
  let isSmall = a.dtype == .float32 && m * n * k <= 64 * 64 * 64
  if isSmall, let stepA = batchStep(a, batch), let stepB = batchStep(b, batch) {
    callosum_small_product(
      count, m, n, k, a.pointer(as: Float.self), stepA,
      a.strides[a.ndim - 2], a.strides[a.ndim - 1], b.pointer(as: Float.self), stepB,
      b.strides[b.ndim - 2], b.strides[b.ndim - 1], result.pointer(as: Float.self))
    return result
  }
  let a = a.matrixLayout == nil ? a.packed : a.unmarked
  let b = b.matrixLayout == nil ? b.packed : b.unmarked
  guard let layoutA = a.matrixLayout, let layoutB = b.matrixLayout else {
    preconditionFailure("matmul", "shapes \(a.shape) and \(b.shape) have no layout that the library reads")
  }
  let offsetsA = matrixOffsets(a, batch), offsetsB = matrixOffsets(b, batch)
  for at in 0..<count {
    let status: Int32
    if a.dtype == .float32 {
      status = callosum_gemm_float(
        layoutA.transposed, layoutB.transposed, m, n, k, 1, a.pointer(as: Float.self) + offsetsA[at],
        layoutA.leading, b.pointer(as: Float.self) + offsetsB[at], layoutB.leading, 0,
        result.pointer(as: Float.self) + at * m * n, n)
    } else {
      status = callosum_gemm_double(
        layoutA.transposed, layoutB.transposed, m, n, k, 1, a.pointer(as: Double.self) + offsetsA[at],
        layoutA.leading, b.pointer(as: Double.self) + offsetsB[at], layoutB.leading, 0,
        result.pointer(as: Double.self) + at * m * n, n)
    }
    precondition(status == 0, "matmul", "the library failed with status \(status)")
  }
  return result
}

/// The one stride between the matrices of a batch, if there is one.
private func batchStep(_ x: Tensor, _ batch: [Int]) -> Int? {
  let leading = Array(x.shape.dropLast(2))
  let strides = broadcastStrides(leading, Array(x.strides.dropLast(2)), to: batch)
  return viewStrides(batch, strides, as: [batch.elementCount])?[0]
}

/// Where each matrix of a batch begins, in elements from the first.
private func matrixOffsets(_ x: Tensor, _ batch: [Int]) -> [Int] {
  let strides = broadcastStrides(
    Array(x.shape.dropLast(2)), Array(x.strides.dropLast(2)), to: batch)
  var offsets = [0]
  for (size, stride) in zip(batch, strides) {
    offsets = offsets.flatMap { base in (0..<size).map { base + $0 * stride } }
  }
  return offsets
}

// MARK: Linear maps

/// What follows a linear map in the same pass over the memory.
public enum LinearActivation: String, Codable, Sendable {
  case none, relu, gelu
}

/// activation(x wᵀ + b), for x [..., inputs], w [outputs, inputs], b [outputs]; or, with as many sets
/// of weights as x has slices, x [sets, ..., inputs], w [sets, outputs, inputs], b [sets, outputs].
public func linear(
  _ x: Tensor, weight w: Tensor, bias b: Tensor? = nil, activation: LinearActivation = .none
) -> Tensor {
  precondition(
    x.ndim > 0 && (w.ndim == 2 || w.ndim == 3) && x.dim(-1) == w.dim(-1), "linear",
    "axis width must be \(w.shape.last ?? 0), is \(x.shape.last ?? 0); input \(x.shape), weight \(w.shape)")
  let sets = w.ndim == 3 ? w.dim(0) : nil
  if let sets {
    precondition(
      x.ndim > 1 && x.dim(0) == sets, "linear",
      "input \(x.shape) must have \(sets) slices, one for each set of weights \(w.shape)")
  }
  if let b {
    precondition(
      b.shape.elementsEqual(w.shape.dropLast()), "linear",
      "bias has shape \(b.shape), weight \(w.shape) asks for \(Array(w.shape.dropLast()))")
  }
  let outputs = w.dim(-2), leading = Array(x.shape.dropLast())
  /// [rows, width], or [sets, rows, width].
  func rows(_ x: Tensor, _ width: Int) -> Tensor {
    let count = leading.elementCount
    guard let sets else { return x.reshaped([count, width]) }
    return x.reshaped([sets, count / max(sets, 1), width])
  }
  /// Rows as columns, the shorter way where there are no sets.
  func turned(_ x: Tensor) -> Tensor { sets == nil ? x.transposed() : x.swappedAxes(1, 2) }
  return fused(
    "linear", b.map { [x, w, $0] } ?? [x, w],
    reference: { inputs in
      let input = sets == nil ? inputs[0] : rows(inputs[0], w.dim(-1))
      var y = matmul(input, turned(inputs[1]))
      if inputs.count > 2 { y = y + (sets == nil ? inputs[2] : inputs[2].expandedDimensions(axis: 1)) }
      if sets != nil { y = y.reshaped(leading + [outputs]) }
      switch activation {
      case .none: return y
      case .relu: return relu(y)
      case .gelu: return gelu(y)
      }
    },
    fast: { inputs in
      let input = rows(inputs[0], w.dim(-1))
      let sum = productOfBatches(input, turned(inputs[1]))
      let count = input.dim(-2)
      var y = sum
      let bias = inputs.count > 2 ? inputs[2].packed : nil
      /// Calls `body` with the places of a set's first row and first bias.
      func eachSet(_ body: (_ row: Int, _ bias: Int) -> Void) {
        for set in 0..<(sets ?? 1) { body(set * count * outputs, set * outputs) }
      }
      switch activation {
      case .none:
        if let bias = bias?.pointer(as: Float.self) {
          let sum = sum.pointer(as: Float.self)
          eachSet { callosum_bias(sum + $0, bias + $1, sum + $0, count, outputs) }
        }
      case .relu:
        let bias = bias ?? .zeros([(sets ?? 1) * outputs])
        eachSet {
          let sum = sum.pointer(as: Float.self) + $0
          callosum_bias_relu(sum, bias.pointer(as: Float.self) + $1, sum, count, outputs)
        }
      case .gelu:
        y = Tensor(uninitialized: sum.shape, .float32)
        let bias = bias ?? .zeros([(sets ?? 1) * outputs])
        eachSet {
          callosum_bias_gelu(
            sum.pointer(as: Float.self) + $0, bias.pointer(as: Float.self) + $1,
            y.pointer(as: Float.self) + $0, count, outputs)
        }
      }
      // Without an activation the sums are not needed again, and must not be kept.
      let shape = sum.shape, kept = activation == .none ? nil : sum
      return (
        y.reshaped(leading + [outputs]),
        { g, needsGradient in
          var gradient = g.reshaped(shape).packed
          let gb =
            inputs.count > 2 && needsGradient[2] ? Tensor(uninitialized: inputs[2].shape, .float32) : nil
          let sums = gb?.pointer(as: Float.self)
          if let sum = kept {
            let inner = Tensor(uninitialized: shape, .float32)
            let backward =
              activation == .gelu ? callosum_bias_gelu_backward : callosum_bias_relu_backward
            eachSet { row, bias in
              backward(
                sum.pointer(as: Float.self) + row, gradient.pointer(as: Float.self) + row,
                inner.pointer(as: Float.self) + row, sums.map { $0 + bias }, count, outputs)
            }
            gradient = inner
          } else if let sums {
            eachSet { callosum_column_sum(gradient.pointer(as: Float.self) + $0, sums + $1, count, outputs) }
          }
          let gx = needsGradient[0] ? productOfBatches(gradient, inputs[1]).reshaped(inputs[0].shape) : nil
          let gw = needsGradient[1] ? productOfBatches(turned(gradient), input) : nil
          return inputs.count > 2 ? [gx, gw, gb] : [gx, gw]
        }
      )
    })
}
