import CallosumTensors

/// A table of vectors: indices [...] (int32) -> [..., width]. Parameter: `weight` [count, width],
/// standard normal at the start.
public final class Embedding: WeightSetLayer {
  @Parameter public var weight: Tensor

  public init(
    _ count: Int, _ width: Int, initialiser: Initialiser = .normal(standardDeviation: 1),
    using generator: inout RandomGenerator
  ) {
    weight = initialiser.values([count, width], fanIn: count, fanOut: width, using: &generator)
  }

  public func callAsFunction(_ indices: Tensor) -> Tensor {
    running { weight.ndim > 2 ? taken(indices, fromSets: weight) : weight.take(indices) }
  }
}

/// Two linear maps with GELU between them: [..., width] -> [..., width].
/// Parameters: `up.weight` [hidden, width], `up.bias`, `down.weight` [width, hidden], `down.bias`.
public final class MLP: Layer {
  public let up: Linear
  public let down: Linear

  public init(
    _ width: Int, hidden: Int, outputs: Int? = nil, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    up = Linear(width, hidden, activation: .gelu, initialiser: initialiser, using: &generator)
    down = Linear(hidden, outputs ?? width, initialiser: initialiser, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { down(up(x)) }
}

/// A gated feed-forward network (Shazeer 2020, SwiGLU): down(silu(gate(x)) * up(x)), [..., width] -> same
/// shape, without biases. Parameters: `gate.weight`, `up.weight` [hidden, width], `down.weight` [width,
/// hidden]. Signal: `inner` [..., hidden], what `down` gets.
public final class SwiGLU: Layer {
  public let gate, up, down: Linear

  public init(
    _ width: Int, hidden: Int, initialiser: Initialiser = .fanInUniform,
    using generator: inout RandomGenerator
  ) {
    gate = Linear(width, hidden, bias: false, initialiser: initialiser, using: &generator)
    up = Linear(width, hidden, bias: false, initialiser: initialiser, using: &generator)
    down = Linear(hidden, width, bias: false, initialiser: initialiser, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { down(signal("inner", silu(gate(x)) * up(x))) }
}

/// In training, sets each element to 0 with probability `rate` and scales up the others
/// (Srivastava et al. 2014); in evaluation, nothing.
public final class Dropout: Layer {
  private let rate: Double
  public init(_ rate: Double) { self.rate = rate }

  public func forward(_ x: Tensor) -> Tensor {
    guard let pass = TrainingPass.current else { return x }
    return dropout(x, rate: rate, using: &pass.generator)
  }
}

/// A function without parameters as a layer.
public final class Lambda: Layer {
  private let function: (Tensor) -> Tensor
  public init(_ function: @escaping (Tensor) -> Tensor) { self.function = function }
  public func forward(_ x: Tensor) -> Tensor { function(x) }
}

/// Layers one after the other.
public final class Sequential: Layer {
  public let layers: [any Layer]
  public init(_ layers: any Layer...) { self.layers = layers }
  public init(_ layers: [any Layer]) { self.layers = layers }
  public func forward(_ x: Tensor) -> Tensor { layers.reduce(x) { $1($0) } }
}
