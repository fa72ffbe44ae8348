import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// An associative memory in fast weights: a matrix S [values, keys] that is written as tokens arrive and
/// read at once. For each token x:
///
///     k = Wk x / |Wk x|,  v = Wv x,  q = Wq x / |Wq x|,  b = sigmoid(Wb x)
///     delta:  S <- decay S + b (v - decay S k) kᵀ      overwrites what k held
///     hebb:   S <- decay S + b v kᵀ                    adds to it
///     y = Wo S q
///
/// Parameters: `key`, `query` [size, width], `value` [size, width], `strength` [1, width] with a bias,
/// `output` [width, size]. The state is `S` [batch, size, size]. Tokens are taken in chunks (`deltaRule`,
/// `linearAttention`).
///
/// Source: Schlag, Irie and Schmidhuber, "Linear Transformers Are Secretly Fast Weight Programmers"
/// (2021), equations 21 to 25; they normalise keys and queries by their sum after a feature map, we by
/// their Euclidean norm, with which a stored value is read back exactly. The Hebbian form is that of Ba,
/// Hinton, Mnih, Leibo and Ionescu, "Using Fast Weights to Attend to the Recent Past" (2016).
public final class AssociativeMemory: Memory {
  public enum Writing: String, Codable, Sendable, CaseIterable {
    case delta, hebb
  }

  public struct Settings: Configuration {
    /// How a token is written.
    public var writing = Writing.delta
    /// Numbers in a key and in a value; 0 for the width of the slot.
    public var size = 0
    /// What is left of the memory after each token, 0 to 1.
    public var decay = 1.0
    public init() {}

    public func validate() throws {
      try require((0...100_000).contains(size), "size must be from 0 to 100000, is \(size)")
      try require((0...1).contains(decay), "decay must be from 0 to 1, is \(decay)")
    }
  }

  public static let card = Card(
    id: "associative-memory", name: "Associative memory", family: .memory,
    paper: Paper(
      "Linear Transformers Are Secretly Fast Weight Programmers",
      by: ["Imanol Schlag", "Kazuki Irie", "Jürgen Schmidhuber"],
      year: 2021, link: "https://arxiv.org/abs/2102.11174"),
    summary: "Keys and values are stored as a sum of outer products in a matrix that every token writes "
      + "and reads. The delta rule first takes away what a key already holds, so that old values can be "
      + "replaced.",
    verification: "exact recall of values under orthonormal keys, replacement by the delta rule, and the "
      + "formula written out")

  public static var trials: [Trial<Settings>] {
    var hebb = Settings()
    hebb.writing = .hebb
    hebb.decay = 0.9
    var small = Settings()
    small.size = 3
    small.decay = 0.8
    return [
      Trial(hebb, in: Slot(width: 5, tokens: 7)), Trial(small, in: Slot(width: 7, outputWidth: 4, tokens: 3)),
    ]
  }

  public let key, query, value, output: Linear
  public let strength: Linear
  private let size: Int
  private let decay: Double
  private let writing: Writing

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    size = settings.size > 0 ? settings.size : slot.width
    decay = settings.decay
    writing = settings.writing
    key = Linear(slot.width, size, bias: false, using: &generator)
    query = Linear(slot.width, size, bias: false, using: &generator)
    value = Linear(slot.width, size, bias: false, using: &generator)
    strength = Linear(slot.width, 1, using: &generator)
    output = Linear(size, slot.outputWidth, bias: false, using: &generator)
  }

  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }

  public func initialState(batch: Int) -> State { State(["S": .zeros([batch, size, size])]) }

  /// `queries` [batch, count, size] as they are, not normalised.
  public func read(_ queries: Tensor, from state: State) -> Tensor {
    matmul(queries, state["S"].swappedAxes(1, 2))
  }

  /// Stores with strength 1, one after the other; keys should have norm 1.
  public func write(keys: Tensor, values: Tensor, to state: State) -> State {
    written(keys, values, .ones([keys.dim(0), keys.dim(1), 1], dtype: keys.dtype), keys, state).state
  }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let (found, after) = written(
      normalised(key(x)), value(x), sigmoid(strength(x)), normalised(query(x)), state)
    return (output(found), after)
  }

  /// What `queries` find, each after its token was stored, [batch, tokens, size]: linear attention of one
  /// head, whose state is S transposed.
  private func written(
    _ keys: Tensor, _ values: Tensor, _ strengths: Tensor, _ queries: Tensor, _ state: State
  ) -> (found: Tensor, state: State) {
    func head(_ x: Tensor) -> Tensor { x.expandedDimensions(axis: 1) }
    // The logarithm of 0 would make NaN of differences; this decay leaves nothing either.
    let logDecay =
      decay == 1
      ? nil : Tensor.full([keys.dim(0), 1, keys.dim(1)], max(log(decay), -1000), dtype: keys.dtype)
    let (q, k, before) = (head(queries), head(keys), head(state["S"].swappedAxes(1, 2)))
    let (found, after) =
      writing == .delta
      ? deltaRule(
        queries: q, keys: k, values: head(values), beta: strengths.swappedAxes(1, 2), logDecay: logDecay,
        scale: 1, initial: before)
      : linearAttention(
        queries: q, keys: k, values: head(values * strengths), logDecay: logDecay, scale: 1, initial: before)
    return (found.squeezed(axis: 1), State(["S": after.squeezed(axis: 1).swappedAxes(1, 2)]))
  }

  /// `forward` token by token, as the formula is written: what it is held against.
  package func reference(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let keys = normalised(key(x)), queries = normalised(query(x))
    let values = value(x), strengths = sigmoid(strength(x))
    var memory = state["S"]
    var found: [Tensor] = []
    for token in 0..<x.dim(1) {
      memory = stored(keys[.all, token], values[.all, token], strengths[.all, token], memory)
      found.append(matmul(memory, queries[.all, token].expandedDimensions(axis: 2)).squeezed(axis: 2))
    }
    return (output(stacked(found, axis: 1)), State(["S": memory]))
  }

  /// The memory after `value` [batch, size] was stored under `key` [batch, size].
  private func stored(_ key: Tensor, _ value: Tensor, _ strength: Tensor, _ memory: Tensor) -> Tensor {
    let kept = decay == 1 ? memory : memory * decay
    var change = value
    if writing == .delta {
      change = change - matmul(kept, key.expandedDimensions(axis: 2)).squeezed(axis: 2)
    }
    change = change * strength
    return kept + change.expandedDimensions(axis: 2) * key.expandedDimensions(axis: 1)
  }

  /// Rows of norm 1; those of norm 0 stay 0.
  private func normalised(_ x: Tensor) -> Tensor {
    x * rsqrt(square(x).sum(axis: -1, keepDims: true) + 1e-12)
  }
}
