import CallosumKernels

/// The same numbers as `linear`, x wᵀ + b, for an x that is mostly 0, such as spikes: time goes with
/// the share of its elements that are not 0. Where that is more than a quarter, or the result is
/// narrow, a dense product is faster and is what is computed.
///
/// - Parameters:
///   - x: [..., inputs].
///   - w: weight, [outputs, inputs].
///   - b: bias, [outputs].
public func sparseLinear(_ x: Tensor, weight w: Tensor, bias b: Tensor? = nil) -> Tensor {
  require(
    x.ndim > 0 && w.ndim == 2 && x.dim(-1) == w.dim(1), "sparseLinear",
    "axis width must be \(w.shape.last ?? 0), is \(x.shape.last ?? 0); input \(x.shape), weight \(w.shape)")
  guard w.dim(0) >= 32, let list = SparseRows(x, atMost: 0.25) else {
    return linear(x, weight: w, bias: b)
  }
  let outputs = w.dim(0)
  let y = fused(
    "sparseLinear", [x, w],
    reference: { linear($0[0], weight: $0[1]) },
    fast: { inputs in
      let product = list.times(inputs[1].transposed().packed)
      ThreadState.count(multiplyAccumulates: list.entries * outputs)
      return (
        product.reshaped(Array(x.shape.dropLast()) + [outputs]),
        { g, wants in
          [
            wants[0] ? matmul(g, inputs[1]) : nil,
            wants[1]
              ? list.transposedTimes(g.packed.reshaped([list.rows, outputs])).transposed() : nil,
          ]
        }
      )
    })
  return b.map { y + $0 } ?? y
}

/// The elements of a float32 matrix that are not 0, row by row.
private struct SparseRows {
  let rows, columns, entries: Int
  /// int32: entries of row r are starts[r]..<starts[r + 1] of index (their columns) and value.
  let starts, index, value: Tensor

  /// nil if more than the given share of the elements is not 0, or they are not float32.
  init?(_ x: Tensor, atMost share: Double) {
    guard x.dtype == .float32, x.size > 0, x.size <= Int(Int32.max) else { return nil }
    let x = x.packed
    columns = x.dim(-1)
    rows = x.size / columns
    starts = Tensor(uninitialized: [rows + 1], .int32)
    let places = starts.pointer(as: Int32.self), numbers = x.pointer(as: Float.self)
    callosum_sparse_count(rows, columns, numbers, places)
    entries = Int(places[rows])
    guard Double(entries) <= share * Double(x.size) else { return nil }
    index = Tensor(uninitialized: [entries], .int32)
    value = Tensor(uninitialized: [entries], .float32)
    callosum_sparse_list(
      rows, columns, numbers, places, index.pointer(as: Int32.self), value.pointer(as: Float.self))
  }

  /// This matrix times `table`, [columns, width].
  func times(_ table: Tensor) -> Tensor {
    let y = Tensor(uninitialized: [rows, table.dim(1)], .float32)
    callosum_sparse_rows(
      rows, table.dim(1), starts.pointer(as: Int32.self), index.pointer(as: Int32.self),
      value.pointer(as: Float.self), table.pointer(as: Float.self), false, y.pointer(as: Float.self))
    return y
  }

  /// Its transpose times `table`, [rows, width]. The rows are taken in blocks, so that the part of
  /// the table that is being summed stays in the second cache.
  func transposedTimes(_ table: Tensor) -> Tensor {
    let block = 1024, blocks = (rows + block - 1) / block
    let turnedStarts = Tensor(uninitialized: [blocks * columns + 1], .int32)
    let turnedIndex = Tensor(uninitialized: [entries], .int32)
    let turnedValue = Tensor(uninitialized: [entries], .float32)
    callosum_sparse_transpose(
      rows, columns, block, starts.pointer(as: Int32.self), index.pointer(as: Int32.self),
      value.pointer(as: Float.self), turnedStarts.pointer(as: Int32.self),
      turnedIndex.pointer(as: Int32.self), turnedValue.pointer(as: Float.self))
    let y = Tensor(uninitialized: [columns, table.dim(1)], .float32)
    for at in 0..<blocks {
      callosum_sparse_rows(
        columns, table.dim(1), turnedStarts.pointer(as: Int32.self) + at * columns,
        turnedIndex.pointer(as: Int32.self), turnedValue.pointer(as: Float.self),
        table.pointer(as: Float.self), at > 0, y.pointer(as: Float.self))
    }
    return y
  }
}
