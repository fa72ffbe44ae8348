/// A matrix of which only some elements are kept, such as the edges of a graph: rows and columns never
/// change, the values are a tensor that gradients reach. Rows follow each other, in each row the columns
/// in order (CSR); the order by columns is worked out once, for the transpose and for derivatives.
public struct SparseMatrix: Sendable {
  let pattern: SparsePattern
  /// The kept elements, [entries]: row by row, of a transposed matrix column by column.
  public let values: Tensor
  /// Whether this is the transpose of what the pattern says.
  let isTransposed: Bool

  public var rows: Int { isTransposed ? pattern.columns : pattern.rows }
  public var columns: Int { isTransposed ? pattern.rows : pattern.columns }
  /// How many elements are kept.
  public var entries: Int { pattern.entries }
  /// The row of each value, int32.
  public var rowIndices: Tensor { isTransposed ? pattern.index : pattern.rowOfEntries }
  /// The column of each value, int32.
  public var columnIndices: Tensor { isTransposed ? pattern.rowOfEntries : pattern.index }

  init(_ pattern: SparsePattern, _ values: Tensor, isTransposed: Bool = false) {
    (self.pattern, self.values, self.isTransposed) = (pattern, values, isTransposed)
  }

  // MARK: Made from

  /// Elements by row and column (int32, [entries], in any order); those that meet are summed.
  ///
  /// - Parameter values: [entries], float32 or float64; ones if nil.
  public init(
    rows rowIndices: Tensor, columns columnIndices: Tensor, values: Tensor? = nil,
    shape: (rows: Int, columns: Int)
  ) {
    let values = values ?? .ones([rowIndices.size]), name: StaticString = "SparseMatrix"
    values.requireReal(name)
    precondition(
      values.ndim == 1 && rowIndices.shape == values.shape && columnIndices.shape == values.shape
        && shape.rows >= 0 && shape.columns >= 0, name,
      "rows \(rowIndices.shape), columns \(columnIndices.shape) and values \(values.shape) must be lists of one "
        + "length, of a matrix \(shape)")
    let row: [Int32] = values.checkedIndices(rowIndices, below: shape.rows, name).asArray()
    let column: [Int32] = values.checkedIndices(columnIndices, below: shape.columns, name).asArray()
    // Stable, so that elements that meet are summed in the order in which they were given.
    let order = ordered(
      ordered(Array(row.indices), by: column, below: shape.columns), by: row, below: shape.rows)
    var index: [Int32] = [], starts = [Int32](repeating: 0, count: shape.rows + 1)
    var places = [Int32](repeating: 0, count: row.count), before = -1
    index.reserveCapacity(row.count)
    for element in order {
      if before < 0 || row[before] != row[element] || column[before] != column[element] {
        index.append(column[element])
        starts[Int(row[element]) + 1] += 1
      }
      places[element] = Int32(index.count - 1)
      before = element
    }
    for row in 0..<shape.rows { starts[row + 1] += starts[row] }
    let pattern = SparsePattern(
      rows: shape.rows, columns: shape.columns, starts: Tensor(starts), index: Tensor(index))
    self.init(pattern, values.segmentSum(Tensor(places), count: index.count))
  }

  /// The elements of a matrix [rows, columns] that are not 0. Gradients reach these alone.
  public init(_ dense: Tensor) {
    dense.requireReal("SparseMatrix")
    precondition(
      dense.ndim == 2 && dense.size <= Int(Int32.max), "SparseMatrix", "needs a matrix, got \(dense.shape)")
    let isKept = (dense.unmarked .!= 0).asType(.float32)
    guard let (pattern, _) = SparsePattern.ofElements(of: isKept, atMost: 1) else {
      preconditionFailure("SparseMatrix", "cannot list the elements of \(dense.shape)")
    }
    let places = pattern.rowOfEntries * dense.dim(1) + pattern.index
    self.init(pattern, dense.flattened().take(places))
  }

  /// The same places with other values, of the same number.
  public func withValues(_ values: Tensor) -> SparseMatrix {
    values.requireReal("SparseMatrix")
    precondition(
      values.shape == [entries], "SparseMatrix", "has \(entries) elements, got values \(values.shape)")
    return SparseMatrix(pattern, values, isTransposed: isTransposed)
  }

  /// The transpose; nothing is copied.
  public func transposed() -> SparseMatrix {
    SparseMatrix(pattern, values, isTransposed: !isTransposed)
  }

  /// With `value` added to every element of the diagonal, kept or not: the loops that graph networks
  /// give to nodes. The matrix must be square.
  public func addingDiagonal(_ value: Double = 1) -> SparseMatrix {
    precondition(rows == columns, "SparseMatrix", "a matrix of \(rows) by \(columns) has no loops")
    let nodes = Tensor.arange(rows)
    return SparseMatrix(
      rows: concatenated([rowIndices, nodes]), columns: concatenated([columnIndices, nodes]),
      values: concatenated([values, .full([rows], value, dtype: values.dtype)]), shape: (rows, columns))
  }

  // MARK: Sums

  /// The sum of each row, [rows]: the degree of each node of a graph.
  public func rowSums() -> Tensor { values.segmentSum(rowIndices, count: rows) }

  /// Every row divided by its sum: what a walk does that follows an edge at random. A row whose sum is
  /// not above 0 becomes zeros.
  public func normalisedRows() -> SparseMatrix {
    let places = rowIndices
    return withValues(values * shares(at: places) { 1 / $0 }.take(places))
  }

  /// D^-1/2 A D^-1/2 with the row sums in D, for square matrices, as graph convolutions use it (Kipf and
  /// Welling 2017, after `addingDiagonal`). A node whose sum is not above 0 gets zeros.
  public func normalisedSymmetrically() -> SparseMatrix {
    precondition(rows == columns, "SparseMatrix", "a matrix of \(rows) by \(columns) has no symmetric form")
    let places = rowIndices, share = shares(at: places) { rsqrt($0) }
    return withValues(values * share.take(places) * share.take(columnIndices))
  }

  /// What `inverse` makes of the row sums that are above 0, and 0 for the others, [rows].
  private func shares(at rowIndices: Tensor, _ inverse: (Tensor) -> Tensor) -> Tensor {
    let sums = values.segmentSum(rowIndices, count: rows), isOpen = .!(sums.unmarked .<= 0)
    return which(isOpen, inverse(which(isOpen, sums, sums.constant(1))), sums.constant(0))
  }

  /// All elements, [rows, columns].
  public func dense() -> Tensor {
    precondition(
      rows * columns <= Int(Int32.max), "SparseMatrix", "\(rows) by \(columns) elements are too many")
    let places = rowIndices * columns + columnIndices
    return values.scatterAdded(at: places, axis: 0, count: rows * columns).reshaped([rows, columns])
  }
}

/// The elements in the order of their keys, stable; time is linear.
private func ordered(_ elements: [Int], by keys: [Int32], below count: Int) -> [Int] {
  var next = [Int](repeating: 0, count: count + 1)
  for element in elements { next[Int(keys[element]) + 1] += 1 }
  for key in 0..<count { next[key + 1] += next[key] }
  var result = elements
  for element in elements {
    let key = Int(keys[element])
    result[next[key]] = element
    next[key] += 1
  }
  return result
}

/// A sparse matrix times x, [..., columns, width] or [columns]: [..., rows, width] or [rows]. Gradients
/// reach the values and x in one walk along the columns, without a transposed copy.
public func matmul(_ a: SparseMatrix, _ x: Tensor) -> Tensor {
  if x.ndim == 1 { return matmul(a, x.expandedDimensions(axis: 1)).squeezed(axis: 1) }
  precondition(
    x.ndim > 1 && x.dim(-2) == a.columns && x.dtype == a.values.dtype, "sparseMatmul",
    "a sparse \(a.values.dtype) matrix of \(a.rows) by \(a.columns) does not fit \(x.dtype) \(x.shape)")
  let pattern = a.pattern, isTransposed = a.isTransposed, rows = a.rows
  return fused(
    "sparseMatmul", [a.values, x],
    reference: { inputs in
      let terms = inputs[1].take(a.columnIndices, axis: -2) * inputs[0].expandedDimensions(axis: 1)
      return terms.scatterAdded(at: a.rowIndices, axis: -2, count: rows)
    },
    fast: { inputs in
      let values = inputs[0].packed, table = inputs[1].packed
      let y = pattern.product(values, table, transposed: isTransposed).product ?? table
      ThreadState.count(multiplyAccumulates: pattern.entries * table.size / max(table.dim(-2), 1))
      return (
        y,
        { g, needsGradient in
          let g = g.packed
          guard needsGradient[1] else {
            let dots = pattern.product(
              values, table, transposed: isTransposed, wantsProduct: false, own: g
            ).dots
            return [dots, nil]
          }
          let (gx, dots) = pattern.product(
            values, g, transposed: !isTransposed, own: needsGradient[0] ? table : nil)
          return [dots, gx]
        }
      )
    })
}
