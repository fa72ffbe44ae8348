import CallosumKernels
import Synchronization

/// Where the elements of a sparse matrix lie, row by row, and the same by columns, which is worked out when
/// it is first needed. The products of `SparseMatrix` and of `sparseLinear` walk along these lists.
final class SparsePattern: Sendable {
  let rows, columns: Int
  /// int32: entries of row r are starts[r]..<starts[r + 1] of index, their columns.
  let starts, index: Tensor
  private let byColumns = Mutex<ByColumns?>(nil)

  var entries: Int { index.size }

  /// The lists of blocks of rows turned, and which entry of the lists by row each of theirs is.
  private struct ByColumns: Sendable {
    let block: Int
    let starts, index, order: Tensor
  }

  init(rows: Int, columns: Int, starts: Tensor, index: Tensor) {
    (self.rows, self.columns, self.starts, self.index) = (rows, columns, starts, index)
  }

  /// The elements of a float32 matrix [..., columns] that are not 0, and their values; nil if they are
  /// more than the given share.
  static func ofElements(of x: Tensor, atMost share: Double) -> (pattern: SparsePattern, values: Tensor)? {
    let x = x.packed, columns = x.dim(-1)
    let rows = columns == 0 ? Array(x.shape.dropLast()).elementCount : x.size / columns
    let starts = Tensor(uninitialized: [rows + 1], .int32)
    let places = starts.pointer(as: Int32.self), numbers = x.pointer(as: Float.self)
    callosum_sparse_count(rows, columns, numbers, places)
    let entries = Int(places[rows])
    guard Double(entries) <= share * Double(x.size) else { return nil }
    let index = Tensor(uninitialized: [entries], .int32)
    let values = Tensor(uninitialized: [entries], .float32)
    callosum_sparse_list(
      rows, columns, numbers, places, index.pointer(as: Int32.self), values.pointer(as: Float.self))
    return (SparsePattern(rows: rows, columns: columns, starts: starts, index: index), values)
  }

  /// The row of each entry, int32.
  var rowOfEntries: Tensor {
    let result = Tensor(uninitialized: [entries], .int32)
    let places = result.pointer(as: Int32.self), starts = starts.pointer(as: Int32.self)
    for row in 0..<rows {
      for entry in Int(starts[row])..<Int(starts[row + 1]) { places[entry] = Int32(row) }
    }
    return result
  }

  // MARK: Products

  /// The matrix with these values (contiguous float32), or its transpose, times `table`
  /// [..., columns or rows, width], contiguous too. With `own`, of the product's shape, also the inner
  /// product of own's and the table's row for each entry, in the order of the values.
  func product(
    _ values: Tensor, _ table: Tensor, transposed: Bool, wantsProduct: Bool = true, own: Tensor? = nil
  ) -> (product: Tensor?, dots: Tensor?) {
    let width = table.dim(-1), count = transposed ? columns : rows
    let y = wantsProduct ? Tensor(uninitialized: table.shape.dropLast(2) + [count, width], .float32) : nil
    // Where there is no element there is nothing to write.
    let dots = own.map { $0.size == 0 ? Tensor.zeros([entries]) : Tensor(uninitialized: [entries], .float32) }
    var matrix = callosum_sparse(
      rows: count, width: width, batch: Array(table.shape.dropLast(2)).elementCount,
      table_rows: transposed ? rows : columns, starts: starts.pointer(as: Int32.self),
      index: index.pointer(as: Int32.self), order: nil, value: values.pointer(as: Float.self))
    func walk(adds: Bool) {
      callosum_sparse_product(&matrix, table.floats32, adds, y?.floats32, own?.floats32, dots?.floats32)
    }
    if !transposed {
      walk(adds: false)
      return (y, dots)
    }
    let lists = turned()
    matrix.index = UnsafePointer(lists.index.pointer(as: Int32.self))
    matrix.order = UnsafePointer(lists.order.pointer(as: Int32.self))
    for block in 0..<max((rows + lists.block - 1) / lists.block, 1) {
      matrix.starts = UnsafePointer(lists.starts.pointer(as: Int32.self) + block * columns)
      walk(adds: block > 0)
    }
    return (y, dots)
  }

  /// The rows are taken in blocks, so that the part of the table that is being summed stays in the second
  /// cache; of a thin matrix in larger ones, as each block passes over the whole result.
  private func turned() -> ByColumns {
    if let known = byColumns.withLock({ $0 }) { return known }
    // Without the lock, which nobody could open again if there were no memory. Two threads may both make it.
    let perEntry = 4 * rows * columns / max(entries, 1)
    let block = min(max(1024, perEntry), max(rows, 1))
    let blocks = max((rows + block - 1) / block, 1)
    let lists = ByColumns(
      block: block, starts: .zeros([blocks * columns + 1], dtype: .int32),
      index: Tensor(uninitialized: [entries], .int32), order: Tensor(uninitialized: [entries], .int32))
    callosum_sparse_transpose(
      rows, columns, block, starts.pointer(as: Int32.self), index.pointer(as: Int32.self),
      lists.starts.pointer(as: Int32.self), lists.index.pointer(as: Int32.self),
      lists.order.pointer(as: Int32.self))
    byColumns.withLock { $0 = lists }
    return lists
  }
}
