import CallosumTensors

/// Causal softmax attention in which each query sees the `window` keys that end with its own, and a prefix that
/// all see. Queries are taken in blocks, each with the keys that it can see, so that time and memory grow
/// linearly with the number of tokens.
///
/// What is not finite in a key or value makes NaN of the queries that see it, and leaves every bit of the others
/// as it is.
///
/// - Parameters:
///   - q: queries [batch, heads, tokens, width].
///   - k, v: keys and values [batch, heads, past + tokens, width], of which the first `past`, up to window - 1,
///     belong to tokens before the first query.
///   - prefix: keys and values [batch, heads, count, width].
/// - Returns: [batch, heads, tokens, width of the values].
public func slidingWindowAttention(
  queries q: Tensor, keys k: Tensor, values v: Tensor, window: Int,
  prefix: (keys: Tensor, values: Tensor)? = nil
) -> Tensor {
  let (past, tokens) = requireWindow(q, k, v, window)
  // A block sees its own keys and those of up to window - 1 tokens before it, which are at most a block's.
  let size = max(window, 32)
  func block(_ q: Tensor, _ k: Tensor, _ v: Tensor, firstKey: Int) -> Tensor {
    func copies(_ x: Tensor) -> Tensor {
      let copies = q.dim(0) / x.dim(0)
      return x.expandedDimensions(axis: 1).broadcast(to: [x.dim(0), copies] + x.shape.dropFirst())
        .reshaped([q.dim(0)] + x.shape.dropFirst())
    }
    return scaledDotProductAttention(
      queries: q, keys: prefix.map { concatenated([copies($0.keys), k], axis: 2) } ?? k,
      values: prefix.map { concatenated([copies($0.values), v], axis: 2) } ?? v,
      mask: windowMask(q.dim(2), k.dim(2), firstKey: firstKey, window, always: prefix?.keys.dim(2) ?? 0))
  }
  let first = min(tokens, size)
  let start = block(
    q.sliced(axis: 2, to: first), k.sliced(axis: 2, to: past + first), v.sliced(axis: 2, to: past + first),
    firstKey: -past)
  if first == tokens { return start }

  let blocks = (tokens - first + size - 1) / size, (batch, heads) = (q.dim(0), q.dim(1))
  let gap = blocks * size - (tokens - first)
  /// Rows from `from` on, in windows `size` apart: [batch * blocks, heads, rows, width].
  func cut(_ x: Tensor, from: Int, rows: Int) -> Tensor {
    x.sliced(axis: 2, from: from).padded([(0, 0), (0, 0), (0, gap), (0, 0)])
      .slidingWindows(axis: 2, size: rows, step: size).transposed(0, 2, 1, 4, 3)
      .reshaped(batch * blocks, heads, rows, x.dim(3))
  }
  let (keys, before) = (size + window - 1, past + size - window + 1)
  let rest = block(
    cut(q, from: first, rows: size), cut(k, from: before, rows: keys), cut(v, from: before, rows: keys),
    firstKey: 1 - window
  )
  .reshaped(batch, blocks, heads, size, v.dim(3)).transposed(0, 2, 1, 3, 4)
  .reshaped(batch, heads, blocks * size, v.dim(3)).sliced(axis: 2, to: tokens - first)
  return concatenated([start, rest], axis: 2)
}

/// ``slidingWindowAttention(queries:keys:values:window:prefix:)`` with one mask for all queries and keys: what
/// the blocks are held against.
package func slidingWindowAttentionReference(
  queries q: Tensor, keys k: Tensor, values v: Tensor, window: Int,
  prefix: (keys: Tensor, values: Tensor)? = nil
) -> Tensor {
  let (past, tokens) = requireWindow(q, k, v, window)
  let always = prefix?.keys.dim(2) ?? 0
  return scaledDotProductAttention(
    queries: q, keys: prefix.map { concatenated([$0.keys, k], axis: 2) } ?? k,
    values: prefix.map { concatenated([$0.values, v], axis: 2) } ?? v,
    mask: windowMask(tokens, past + tokens, firstKey: -past, window, always: always))
}

private func requireWindow(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ window: Int) -> (past: Int, tokens: Int) {
  let past = q.ndim == 4 && k.ndim == 4 ? k.dim(2) - q.dim(2) : -1
  precondition(
    window > 0 && past >= 0 && past < window && v.ndim == 4 && v.dim(2) == k.dim(2), "slidingWindowAttention",
    "queries \(q.shape) need as many keys and values and up to \(window - 1) before them, got \(k.shape) and \(v.shape)"
  )
  return (past, q.dim(2))
}

/// Who sees whom, [queries, always + keys]: the first `always` keys, and of the others, which are numbers
/// `firstKey` and on, the `window` that end with the query's own number.
private func windowMask(_ queries: Int, _ keys: Int, firstKey: Int, _ window: Int, always: Int) -> Tensor {
  let query = Tensor.arange(queries).reshaped(-1, 1)
  let distance = query - (Tensor.arange(keys) + firstKey)
  let near = (distance .>= 0) .&& (distance .< window)
  return always == 0 ? near : concatenated([.full([queries, always], 1, dtype: .bool), near], axis: 1)
}
