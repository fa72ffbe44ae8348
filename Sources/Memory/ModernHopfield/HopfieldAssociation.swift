import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The association that the layers of Ramsauer et al. 2020 share (equation 10): for state patterns R, stored
/// patterns Y and the heads h,
///
///     Z_h = softmax(beta R' W_Q,h (Y' W_K,h)ᵀ) Y'' W_V,h,   output = [Z_1 ... Z_H] W_O,
///
/// where R', Y' and Y'' are R, Y and Y again, layer-normalised with weights of their own; values may come from
/// other patterns than keys, one for one (the authors' pattern projection). More than one
/// update repeats q <- softmax(beta q kᵀ) k in the space of the heads before values are read. A head stops
/// when its softmax weights change by less than `tolerance` (Euclidean norm over queries and patterns), each
/// row of a batch for itself; the authors' code stops a head for the whole batch at once.
///
/// Parameters: `query`, `key`, `value` [heads headWidth, width], `output` [outputWidth, heads headWidth],
/// biases, and `stateNorm`, `storedNorm`, `valueNorm` [width]; with `learnedBeta`, `beta` [heads].
public final class HopfieldAssociation: Module {
  public struct Settings: Configuration {
    /// Heads, each an association in a space of its own.
    public var heads = 1
    /// Numbers per head in the space of the association; 0 divides the width among the heads.
    public var headWidth = 0
    /// Inverse temperature: small finds the mean of many patterns, large a single one; 0 means
    /// 1 / sqrt(headWidth).
    public var beta = 0.0
    /// Whether each head learns its own beta, which then starts from `beta`.
    public var learnedBeta = false
    /// Updates of the state patterns, at most.
    public var updates = 1
    /// Change of the softmax weights below which a head stops; 0 makes all updates.
    public var tolerance = 1e-4
    /// Whether patterns pass a layer norm first.
    public var normalised = true
    /// Whether the linear maps add a bias.
    public var bias = true
    /// Share of the associations that training leaves out, from 0 to below 1.
    public var dropout = 0.0
    public init() {}

    public func validate() throws {
      for (name, value, least) in [("heads", heads, 1), ("headWidth", headWidth, 0), ("updates", updates, 1)]
      {
        try require((least...100_000).contains(value), "\(name) must be at least \(least), is \(value)")
      }
      try require(beta >= 0 && beta.isFinite, "beta must be at least 0, is \(beta)")
      try require(tolerance >= 0, "tolerance must be at least 0, is \(tolerance)")
      try require(dropout >= 0 && dropout < 1, "dropout must be in 0..<1, is \(dropout)")
    }
  }

  public let stateNorm, storedNorm, valueNorm: LayerNorm?
  public let query, key, value, output: Linear
  /// One for each head, where they are learned.
  @Parameter public var beta: Tensor?
  /// What shifts all keys adds the same to all scores of a query, which one softmax does not see.
  let withoutGradient: [String: String]
  private let settings: Settings
  private let dropout: Dropout
  private let headWidth: Int
  private let fixedBeta: Double

  /// Starts as the authors' code does: weights normal with standard deviation 0.02, biases 0.
  public init(
    _ settings: Settings, width: Int, outputWidth: Int, part: String,
    using generator: inout RandomGenerator
  ) throws {
    try require(
      settings.headWidth > 0 || width % settings.heads == 0,
      "\(part): width \(width) does not divide into \(settings.heads) heads; set headWidth")
    self.settings = settings
    dropout = Dropout(settings.dropout)
    let constant = "adds the same to all scores of a query"
    withoutGradient =
      settings.updates == 1
      ? ["association.key.bias": constant, "association.storedNorm.bias": constant] : [:]
    headWidth = settings.headWidth > 0 ? settings.headWidth : width / settings.heads
    fixedBeta = settings.beta > 0 ? settings.beta : 1 / Double(headWidth).squareRoot()
    beta = settings.learnedBeta ? .full([settings.heads], fixedBeta) : nil
    let inner = settings.heads * headWidth
    func map(_ inputs: Int, _ outputs: Int) -> Linear {
      let linear = Linear(
        inputs, outputs, bias: settings.bias, initialiser: .normal(standardDeviation: 0.02),
        using: &generator)
      if settings.bias { linear.bias = .zeros([outputs]) }
      return linear
    }
    query = map(width, inner)
    key = map(width, inner)
    value = map(width, inner)
    output = map(inner, outputWidth)
    func norm() -> LayerNorm? { settings.normalised ? LayerNorm(width) : nil }
    (stateNorm, storedNorm, valueNorm) = (norm(), norm(), norm())
  }

  /// What `states` [batch, queries, width] retrieve from `stored` [batch, patterns, width]: [batch, queries,
  /// outputWidth].
  ///
  /// - Parameters:
  ///   - values: what is read where a pattern fits, [batch, patterns, width]; the stored patterns if nil.
  ///   - mask: which patterns there are (bool, [batch, patterns]); what the others hold, NaN too, reaches nobody.
  ///   - associationMask: which patterns a state may find (bool, [batch, queries, patterns]).
  public func callAsFunction(
    _ states: Tensor, _ stored: Tensor, values: Tensor? = nil, mask: Tensor? = nil,
    associationMask: Tensor? = nil
  ) -> Tensor {
    running {
      precondition(
        states.ndim == 3 && stored.ndim == 3 && states.dim(0) == stored.dim(0), "HopfieldAssociation",
        "needs states and stored patterns [batch, count, width], got \(states.shape) and \(stored.shape)")
      let patterns = Array(stored.shape.dropLast())
      func check(_ what: String, _ shape: [Int]?, _ expected: [Int]) {
        precondition(
          shape == nil || shape == expected, "HopfieldAssociation",
          "\(what) must be \(expected), is \(shape ?? [])")
      }
      check("values", values?.shape, stored.shape)
      check("the mask", mask?.shape, patterns)
      check("the association mask", associationMask?.shape, [states.dim(0), states.dim(1), patterns[1]])
      func there(_ x: Tensor) -> Tensor {
        mask.map { which($0.expandedDimensions(axis: 2), x, x.constant(0)) } ?? x
      }
      let isStored = mask?.expandedDimensions(axis: 1).expandedDimensions(axis: 1)
      let mayFind = associationMask?.expandedDimensions(axis: 1)
      let seen = isStored.flatMap { there in mayFind.map { there .&& $0 } } ?? isStored ?? mayFind
      let stored = there(stored), values = values.map(there) ?? stored
      let k = heads(key(storedNorm?(stored) ?? stored))
      let v = heads(value(valueNorm?(values) ?? values))
      let q = settled(heads(query(stateNorm?(states) ?? states)), k, seen)
      let retrieved = attention(q, k, v, seen)
      return output(retrieved.transposed(0, 2, 1, 3).flattened(start: 2))
    }
  }

  /// [batch, count, heads headWidth] -> [batch, heads, count, headWidth]
  private func heads(_ x: Tensor) -> Tensor {
    x.reshaped(x.dim(0), x.dim(1), settings.heads, headWidth).transposed(0, 2, 1, 3)
  }

  /// The states after all updates but the last, which reads values instead.
  private func settled(_ start: Tensor, _ k: Tensor, _ seen: Tensor?) -> Tensor {
    guard settings.updates > 1 else { return start }
    var q = start
    var before: Tensor?
    for _ in 1..<settings.updates {
      let weights = associations(q, k, seen)
      var isMoving: Tensor?
      if settings.tolerance > 0, let before {
        let change = stopGradient(weights - before)
        isMoving = sqrt(square(change).sum(axes: [2, 3], keepDims: true)) .> settings.tolerance
        if isMoving?.any().item() == 0 { break }
      }
      let next = matmul(weights, k)
      q = isMoving.map { which($0, next, q) } ?? next
      before = weights
    }
    return q
  }

  /// Queries times the learned beta of their head, and what is left to multiply scores by.
  private func sharpened(_ q: Tensor) -> Tensor { beta.map { q * $0.reshaped(1, -1, 1, 1) } ?? q }
  private var scale: Double { settings.learnedBeta ? 1 : fixedBeta }

  private func associations(_ q: Tensor, _ k: Tensor, _ seen: Tensor?) -> Tensor {
    attentionWeights(queries: sharpened(q), keys: k, scale: scale, mask: seen)
  }

  private func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ seen: Tensor?) -> Tensor {
    if settings.dropout > 0, TrainingPass.current != nil {
      return matmul(dropout(associations(q, k, seen)), v)
    }
    return scaledDotProductAttention(queries: sharpened(q), keys: k, values: v, scale: scale, mask: seen)
  }
}
