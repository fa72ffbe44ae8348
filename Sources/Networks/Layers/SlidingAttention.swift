import CallosumTensors

/// Causal softmax attention in which each token sees itself and the `window` - 1 tokens before it, and a
/// prefix that belongs to no time: the attention of Titans, whose queries, keys and values pass a short
/// depthwise convolution. Positions are not encoded otherwise. Cost grows linearly with the number of tokens,
/// see ``slidingWindowAttention(queries:keys:values:window:prefix:)``.
///
/// Parameters: `projection.weight` [3 width, width] (rows: queries, keys, values), `convolution.weight`
/// [3 width, kernel, 1], `output.weight` [width, width]. State: `keys` and `values` [batch, window - 1,
/// width], `seen` [batch] (how many of them are there), `tail` [batch, kernel - 1, 3 width].
public final class SlidingAttention: StatefulLayer {
  public let projection, output: Linear
  public let convolution: Conv1d?
  private let width, heads, window, kernel: Int

  public init(
    _ width: Int, heads: Int, window: Int, kernel: Int = 4, using generator: inout RandomGenerator
  ) {
    precondition(
      heads > 0 && width % heads == 0 && window > 1 && kernel > 0, "SlidingAttention",
      "needs a width \(width) that divides into \(heads) heads, a window \(window) above 1 and a kernel "
        + "\(kernel) above 0")
    (self.width, self.heads, self.window, self.kernel) = (width, heads, window, kernel)
    projection = Linear(width, 3 * width, bias: false, using: &generator)
    convolution =
      kernel > 1
      ? Conv1d(3 * width, 3 * width, kernel: kernel, groups: 3 * width, bias: false, using: &generator) : nil
    output = Linear(width, width, bias: false, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    let type = projection.weight.dtype
    let past = Tensor.zeros([batch, window - 1, width], dtype: type)
    var state = State(["keys": past, "values": past, "seen": .zeros([batch])])
    if kernel > 1 { state["tail"] = .zeros([batch, kernel - 1, 3 * width], dtype: type) }
    return state
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    attend(x, prefix: nil, state)
  }

  /// `prefix` [1 or batch, count, width] is seen by every token.
  public func attend(_ x: Tensor, prefix: Tensor?, _ state: State) -> (output: Tensor, state: State) {
    let ownPrefix = prefix.flatMap { $0.dim(0) == 1 ? nil : $0 }
    let (outputs, after) = state.byCount(
      "seen", in: 0...window - 1, "SlidingAttention", [x] + (ownPrefix.map { [$0] } ?? [])
    ) { inputs, state, seen in
      let prefix = ownPrefix == nil ? prefix : inputs[1]
      let (y, after) = attend(inputs[0], prefix: prefix, state, seen: seen)
      return ([y], after)
    }
    return (outputs[0], after)
  }

  /// The same for rows of which all have `seen` as many tokens.
  private func attend(
    _ x: Tensor, prefix: Tensor?, _ state: State, seen: Int
  ) -> (output: Tensor, state: State) {
    var state = state
    let new = x.dim(1), past = window - 1
    let (q, k, v) = projected(x, &state)
    let keys = concatenated([state["keys"], k], axis: 1)
    let values = concatenated([state["values"], v], axis: 1)
    state["keys"] = keys.sliced(axis: 1, from: new)
    state["values"] = values.sliced(axis: 1, from: new)
    state["seen"] = .full(state["seen"].shape, Double(min(seen + new, past)), dtype: state["seen"].dtype)
    let y = slidingWindowAttention(
      queries: heads(q), keys: heads(keys.sliced(axis: 1, from: past - seen)),
      values: heads(values.sliced(axis: 1, from: past - seen)), window: window,
      prefix: prefix.map {
        let (_, k, v) = parts(projection($0))
        return (heads(k), heads(v))
      })
    return (joined(y), state)
  }

  /// Tokens of one segment, each of which sees itself, what came before it in the segment, as much of
  /// `recalled` (one vector for each token), and `prefix`. The first of them is token number `place` of
  /// the segment, from 0; `keys`, `values`, `recalledKeys` and `recalledValues` [batch, segment, width] of
  /// the state hold those before.
  public func attendInSegment(
    _ x: Tensor, recalled: Tensor, prefix: Tensor?, place: Int, segment: Int, _ state: State
  ) -> (output: Tensor, state: State) {
    var state = state
    let (q, k, v) = projected(x, &state)
    let (_, recalledK, recalledV) = parts(projection(recalled))
    var all: [String: Tensor] = [:]
    for (name, new) in [
      ("keys", k), ("values", v), ("recalledKeys", recalledK), ("recalledValues", recalledV),
    ] {
      let whole = concatenated([state[name].sliced(axis: 1, to: place), new], axis: 1)
      all[name] = whole
      state[name] = whole.padded([(0, 0), (0, segment - whole.dim(1)), (0, 0)])
    }
    func both(_ name: String, _ recalledName: String) -> Tensor {
      concatenated([recalledName, name].compactMap { all[$0] }, axis: 1)
    }
    // Key number j of each half is seen by the queries from j on, and the prefix by all.
    let (_, prefixK, prefixV) = parts(projection(prefix ?? x.sliced(axis: 1, to: 0)))
    func whole(_ first: Tensor, _ rest: Tensor) -> Tensor {
      heads(concatenated([first.broadcast(to: [x.dim(0)] + first.shape.dropFirst()), rest], axis: 1))
    }
    let key = Tensor.arange(place + x.dim(1)),
      query = (Tensor.arange(x.dim(1)) + place).reshaped(-1, 1)
    let half = key .<= query
    let always = Tensor.full([x.dim(1), prefixK.dim(1)], 1, dtype: .bool)
    let y = scaledDotProductAttention(
      queries: heads(q), keys: whole(prefixK, both("keys", "recalledKeys")),
      values: whole(prefixV, both("values", "recalledValues")),
      mask: concatenated([always, half, half], axis: 1))
    return (joined(y), state)
  }

  /// The state of ``attendInSegment(_:recalled:prefix:place:segment:_:)`` before the first token.
  public func segmentState(batch: Int, segment: Int) -> State {
    var state = initialState(batch: batch)
    let empty = Tensor.zeros([batch, segment, width], dtype: projection.weight.dtype)
    for name in ["keys", "values", "recalledKeys", "recalledValues"] { state[name] = empty }
    return State(state.tensors.filter { $0.key != "seen" })
  }

  // MARK: Parts

  private func parts(_ x: Tensor) -> (Tensor, Tensor, Tensor) {
    let thirds = x.split(parts: 3, axis: 2)
    return (thirds[0], thirds[1], thirds[2])
  }

  private func projected(_ x: Tensor, _ state: inout State) -> (Tensor, Tensor, Tensor) {
    let plain = projection(x)
    guard let convolution else { return parts(plain) }
    let history = concatenated([state["tail"], plain], axis: 1)
    state["tail"] = history.sliced(axis: 1, from: history.dim(1) - kernel + 1)
    return parts(convolution(history))
  }

  /// [batch, count, width] -> [batch, heads, count, width / heads]
  private func heads(_ x: Tensor) -> Tensor {
    x.reshaped(x.dim(0), x.dim(1), heads, width / heads).transposed(0, 2, 1, 3)
  }

  /// [batch, heads, count, width / heads] -> the layer's output [batch, count, width]
  private func joined(_ y: Tensor) -> Tensor {
    output(y.transposed(0, 2, 1, 3).reshaped(y.dim(0), y.dim(2), width))
  }
}
