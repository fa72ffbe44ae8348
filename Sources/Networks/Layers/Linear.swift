import CallosumTensors

/// y = activation(x wᵀ + b): x [..., inputs] -> y [..., outputs].
///
/// Parameters: `weight` [outputs, inputs], `bias` [outputs]. Both start as `initialiser` says.
public final class Linear: Layer, WeightSetLayer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor?
  let activation: LinearActivation

  public init(
    _ inputs: Int, _ outputs: Int, bias hasBias: Bool = true, activation: LinearActivation = .none,
    initialiser: Initialiser = .fanInUniform, using generator: inout RandomGenerator
  ) {
    weight = initialiser.values([outputs, inputs], fanIn: inputs, fanOut: outputs, using: &generator)
    bias =
      hasBias
      ? Initialiser.fanInUniform.values([outputs], fanIn: inputs, fanOut: outputs, using: &generator) : nil
    self.activation = activation
  }

  public func forward(_ x: Tensor) -> Tensor {
    linear(x, weight: weight, bias: bias, activation: activation)
  }
}
