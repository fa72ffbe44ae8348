import CallosumTensors

/// How the weights [outputs, inputs] of a tract start.
public enum TractWeights: String, Codable, Sendable, CaseIterable {
  /// Uniform in ±1 / sqrt(inputs): the default.
  case fanInUniform
  case xavierUniform, xavierNormal
  /// For units that rectify.
  case kaimingUniform, kaimingNormal
  /// Orthonormal rows, or columns where there are fewer of them.
  case orthogonal
  /// Unit by unit, cut off or filled up with zeros.
  case identity
  case zeros

  func values(
    inputs: Int, outputs: Int, gain: Double = 1, using generator: inout RandomGenerator
  ) -> Tensor {
    func drawn(_ initialiser: Initialiser) -> Tensor {
      initialiser.values([outputs, inputs], fanIn: inputs, fanOut: outputs, using: &generator)
    }
    let weights =
      switch self {
      case .fanInUniform: drawn(.fanInUniform)
      case .xavierUniform: drawn(.xavierUniform())
      case .xavierNormal: drawn(.xavierNormal())
      case .kaimingUniform: drawn(.kaimingUniform())
      case .kaimingNormal: drawn(.kaimingNormal())
      case .orthogonal: orthogonal(outputs, inputs, using: &generator)
      case .identity:
        Tensor.eye(max(outputs, inputs)).sliced([0..<outputs, 0..<inputs]).contiguous()
      case .zeros: Tensor.zeros([outputs, inputs])
      }
    return gain == 1 ? weights : weights * gain
  }

  /// Uniform over all such matrices: the signs of R's diagonal are taken out of Q (Mezzadri 2007).
  private func orthogonal(
    _ outputs: Int, _ inputs: Int, using generator: inout RandomGenerator
  ) -> Tensor {
    let isWide = outputs < inputs
    let tall = generator.normal(isWide ? [inputs, outputs] : [outputs, inputs])
    let (q, r) = qr(tall)
    let columns = tall.dim(1)
    let diagonal = (r.sliced([0..<columns, 0..<columns]) * Tensor.eye(columns)).sum(axis: 0)
    let fixed =
      q.sliced(axis: 1, to: columns) * which(diagonal .< 0, Tensor(-1, .float32), Tensor(1, .float32))
    return (isWide ? fixed.swappedAxes(0, 1) : fixed).contiguous()
  }
}

/// The weights of a tract that leads from one region to another: y = W x, [batch, tokens, inputs] ->
/// [batch, tokens, outputs]. Parameter: `weight` [outputs, inputs].
public final class Projection: Layer {
  @Parameter public var weight: Tensor

  public init(
    _ inputs: Int, _ outputs: Int, weights: TractWeights = .fanInUniform, gain: Double = 1,
    using generator: inout RandomGenerator
  ) {
    weight = weights.values(inputs: inputs, outputs: outputs, gain: gain, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { linear(x, weight: weight) }
}
