import CallosumTensors

/// How a parameter starts.
public enum Initialiser: Codable, Sendable, Equatable {
  case constant(Double)
  /// Uniform in ±bound.
  case uniform(bound: Double)
  case normal(standardDeviation: Double)
  /// Normal, redrawn beyond two standard deviations.
  case truncatedNormal(standardDeviation: Double)
  /// Uniform in ±gain sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010).
  case xavierUniform(gain: Double = 1)
  /// Normal of standard deviation gain sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010).
  case xavierNormal(gain: Double = 1)
  /// Uniform in ±gain sqrt(3 / fanIn) (He et al. 2015; their gain is sqrt(2), for ReLU).
  case kaimingUniform(gain: Double = 2.0.squareRoot())
  /// Normal of standard deviation gain / sqrt(fanIn) (He et al. 2015).
  case kaimingNormal(gain: Double = 2.0.squareRoot())
  /// Uniform in ±1 / sqrt(fanIn): what PyTorch gives linear and convolutional layers.
  case fanInUniform
  /// Orthonormal rows or columns, whichever are fewer, times gain, of the weight as a matrix of its
  /// first axis and all others (Saxe et al. 2014).
  case orthogonal(gain: Double = 1)

  /// Initial values. `fanIn` and `fanOut` are the numbers of connections into and out of a unit.
  public func values(
    _ shape: [Int], fanIn: Int, fanOut: Int, using generator: inout RandomGenerator
  ) -> Tensor {
    let (fanIn, fanOut) = (Double(max(fanIn, 1)), Double(max(fanOut, 1)))
    func uniform(_ bound: Double) -> Tensor { generator.uniform(shape, low: -bound, high: bound) }
    func normal(_ deviation: Double) -> Tensor {
      generator.normal(shape, standardDeviation: deviation)
    }
    return switch self {
    case .constant(let value): .full(shape, value)
    case .uniform(let bound): uniform(bound)
    case .normal(let deviation): normal(deviation)
    case .truncatedNormal(let deviation):
      generator.truncatedNormal(shape, standardDeviation: deviation)
    case .xavierUniform(let gain): uniform(gain * (6 / (fanIn + fanOut)).squareRoot())
    case .xavierNormal(let gain): normal(gain * (2 / (fanIn + fanOut)).squareRoot())
    case .kaimingUniform(let gain): uniform(gain * (3 / fanIn).squareRoot())
    case .kaimingNormal(let gain): normal(gain / fanIn.squareRoot())
    case .fanInUniform: uniform(1 / fanIn.squareRoot())
    case .orthogonal(let gain):
      generator.orthogonal([shape.first ?? 1, Array(shape.dropFirst()).elementCount], gain: gain)
        .reshaped(shape)
    }
  }
}
