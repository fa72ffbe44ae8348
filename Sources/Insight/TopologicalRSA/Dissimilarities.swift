import CallosumTensors

/// How different two codes are.
public enum Dissimilarity: String, Codable, Sendable, CaseIterable {
  /// The Euclidean distance.
  case euclidean
  /// 1 minus Pearson's correlation over the units; NaN where a code has no variance, as
  /// everywhere.
  case correlation
}

/// The dissimilarity of each pair of items i < j, in the order (0, 1), (0, 2), ..., (1, 2), ...:
/// codes [..., items, width] -> [..., items (items - 1) / 2].
public func dissimilarities(_ codes: Tensor, by kind: Dissimilarity) -> Tensor {
  precondition(
    codes.ndim >= 2 && codes.dim(-2) > 1, "dissimilarities",
    "needs codes [..., items, width] of at least 2 items, got \(codes.shape)")
  let items = codes.dim(-2), pairs = itemPairs(items)
  if kind == .correlation {
    var codes = codes
    codes = codes - codes.moments(axes: [-1]).mean
    codes = codes / norm(codes, axis: -1, keepDims: true)
    // All products of two codes are one matrix product.
    let products = matmul(codes, codes.swappedAxes(-2, -1))
    let places = Tensor(pairs.map { Int32($0.0 * items + $0.1) })
    return 1 - products.reshaped(codes.shape.dropLast(2) + [items * items]).take(places, axis: -1)
  }
  let first = Tensor(pairs.map { Int32($0.0) }), second = Tensor(pairs.map { Int32($0.1) })
  return norm(codes.take(first, axis: -2) - codes.take(second, axis: -2), axis: -1)
}

/// The pairs i < j of a number of items, row by row.
public func itemPairs(_ items: Int) -> [(Int, Int)] {
  (0..<items).flatMap { i in (i + 1..<max(items, i + 1)).map { (i, $0) } }
}

/// How many items have so many pairs, or nil if no number does.
func itemCount(pairs: Int) -> Int? {
  let count = Int(((1 + 8 * Double(pairs)).squareRoot() + 1) / 2)
  return count * (count - 1) / 2 == pairs ? count : nil
}

/// The symmetric matrix of a value for each pair, with zeros on the diagonal.
public func squareForm(_ values: [Double]) -> [[Double]] {
  guard let items = itemCount(pairs: values.count) else {
    preconditionFailure("squareForm", "\(values.count) values are not the pairs of any number of items")
  }
  var matrix = [[Double]](repeating: [Double](repeating: 0, count: items), count: items)
  for ((i, j), value) in zip(itemPairs(items), values) { (matrix[i][j], matrix[j][i]) = (value, value) }
  return matrix
}

/// The length of the shortest path between each two nodes of an undirected graph (Floyd 1962, Warshall
/// 1962); `edges` is symmetric and holds infinity where there is no edge.
public func shortestPaths(_ edges: [[Double]]) -> [[Double]] {
  let count = edges.count
  var lengths = edges.flatMap { $0 }
  lengths.withUnsafeMutableBufferPointer { lengths in
    guard let start = lengths.baseAddress else { return }
    for node in 0..<count { lengths[node * count + node] = 0 }
    for through in 0..<count {
      let onwards = start + through * count
      for from in 0..<count {
        let row = start + from * count, there = row[through]
        guard there < .infinity else { continue }
        for to in 0..<count {
          row[to] = min(row[to], there + onwards[to])
        }
      }
    }
  }
  return (0..<count).map { Array(lengths[$0 * count..<($0 + 1) * count]) }
}
