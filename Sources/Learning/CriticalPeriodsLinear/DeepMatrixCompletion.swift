import CallosumNetworks
import CallosumTensors
import Foundation

/// Completing a low-rank matrix by a product of `depth` square matrices, from a part of its entries, with a
/// task that switches (Kleinman et al. 2023, section 4). Gradient descent on half the mean squared error over
/// the observed entries; layers start Gaussian with standard deviation 0.001^(1/depth) / sqrt(size), so that
/// the product is small and descent prefers low rank.
public final class DeepMatrixCompletion: Module {
  public let layers: [CriticalPeriodsLinear.Matrix]

  public init(size: Int, depth: Int, using generator: inout RandomGenerator) {
    let deviation = pow(0.001, 1 / Double(depth)) / Double(size).squareRoot()
    layers = (0..<depth).map { _ in
      CriticalPeriodsLinear.Matrix(generator.normal([size, size], standardDeviation: deviation))
    }
  }

  /// The matrix as it is believed to be.
  public var product: Tensor {
    layers.dropFirst().reduce(layers[0].value) { matmul($1.value, $0) }
  }

  /// A target of a given rank: U Vᵀ / sqrt(rank) with normal U and V, scaled to the Frobenius norm `size`.
  public static func target(size: Int, rank: Int, using generator: inout RandomGenerator) -> Tensor {
    let product = matmul(generator.normal([size, rank]), generator.normal([rank, size]))
    return product * (Double(size) / sqrt(square(product).sum()).item())
  }

  /// Which `count` entries are observed, [size, size] of 0 and 1.
  public static func mask(size: Int, count: Int, using generator: inout RandomGenerator) -> Tensor {
    let chosen = generator.permutation(size * size).sliced(axis: 0, to: count)
    return Tensor.ones([count]).scatterAdded(at: chosen, count: size * size).reshaped(size, size)
  }

  /// `steps` of gradient descent towards `target` on the entries of `mask`; `each` hears of every step.
  public func descend(
    to target: Tensor, mask: Tensor, rate: Double, steps: Int, each: (Int) throws -> Void = { _ in }
  ) rethrows {
    let parameters = parameters(), count = mask.sum().item()
    for step in 0..<steps {
      let (_, gradients) = valueAndGradient(by: parameters) {
        square((product - target) * mask).sum() * (0.5 / count)
      }
      for (one, gradient) in zip(parameters, gradients) { one.value = one.value - gradient * rate }
      try each(step)
    }
  }

  /// Root mean squared error on the entries that `mask` hides.
  public func error(to target: Tensor, hiddenBy mask: Tensor) -> Double {
    let hidden = 1 - mask
    return sqrt(square((product - target) * hidden).sum() / hidden.sum()).item()
  }

  /// Singular values of the product, largest first.
  public var singularValues: [Double] { svd(product).s.doubles }
}
