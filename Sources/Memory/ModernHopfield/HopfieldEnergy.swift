import CallosumTensors
import Foundation

/// The theory of continuous modern Hopfield networks (Ramsauer et al. 2020, section 2) for stored patterns
/// X = (x_1 ... x_N) of dimension d and the inverse temperature beta, in float64, whatever the type of what is
/// given.
///
/// Energy (equation 2): E(xi) = -lse(beta, Xᵀ xi) + xi·xi / 2 + log(N) / beta + M² / 2 with
/// lse(beta, z) = log(sum exp(beta z)) / beta and M = max |x_i|. The update (equation 3)
/// xi <- X softmax(beta Xᵀ xi) never raises it.
public struct HopfieldEnergy {
  /// [patterns, dimension]
  public let patterns: Tensor
  public let beta: Double
  /// M, the largest norm of a pattern.
  public let largestNorm: Double
  private let count: Int

  /// - Parameter patterns: [patterns, dimension], at least two.
  public init(_ patterns: Tensor, beta: Double) {
    precondition(
      patterns.ndim == 2 && patterns.dim(0) > 1, "HopfieldEnergy",
      "needs [patterns, dimension] with at least two patterns, got \(patterns.shape)")
    precondition(beta > 0, "HopfieldEnergy", "beta must be above 0, is \(beta)")
    self.patterns = patterns.asType(.float64)
    self.beta = beta
    count = patterns.dim(0)
    largestNorm = norm(self.patterns, axis: 1).max().item()
  }

  /// beta Xᵀ xi for `states` [count, dimension]: [count, patterns].
  private func scores(_ states: Tensor) -> Tensor {
    matmul(states.asType(.float64), patterns.swappedAxes(0, 1)) * beta
  }

  /// The energy of each of `states` [count, dimension]: [count].
  public func energy(_ states: Tensor) -> Tensor {
    let constant = log(Double(count)) / beta + largestNorm * largestNorm / 2
    let squares = square(states.asType(.float64)).sum(axis: 1)
    return squares / 2 - logSumExp(scores(states), axis: 1) / beta + constant
  }

  /// One update of each of `states` [count, dimension].
  public func updated(_ states: Tensor) -> Tensor { matmul(softmax(scores(states)), patterns) }

  /// Updates until no state moves by more than `tolerance`.
  public func fixedPoint(from states: Tensor, tolerance: Double = 1e-12, steps: Int = 1000) -> Tensor {
    var states = states.asType(.float64)
    for _ in 0..<steps {
      let next = updated(states)
      let moved = abs(next - states).max().item()
      states = next
      if moved <= tolerance { break }
    }
    return states
  }

  /// D_i = min over j of x_i·x_i - x_i·x_j, how well pattern i is separated from the others (equation 5):
  /// [patterns].
  public var separation: Tensor {
    // In blocks: the products of 10,000 patterns are 800 MB.
    let blocks = stride(from: 0, to: count, by: 1000).map { start in
      let own = Array(Int32(start)..<Int32(min(start + 1000, count)))
      let some = patterns.take(Tensor(own))
      let isOwn = Tensor(own).oneHot(count: count, dtype: .float64) .> 0
      let products = matmul(some, patterns.swappedAxes(0, 1))
      let others = which(isOwn, Tensor(-.infinity, .float64), products)
      return square(some).sum(axis: 1) - others.max(axis: 1)
    }
    return concatenated(blocks, axis: 0)
  }

  /// The separation from which theorem 4 speaks of a pattern:
  /// 2 / (beta N) + log(2 (N - 1) N beta M²) / beta.
  public var neededSeparation: Double {
    let n = Double(count)
    return 2 / (beta * n) + log(2 * (n - 1) * n * beta * largestNorm * largestNorm) / beta
  }

  /// The bound on |updated(xi) - x_i*| of theorem 4, x_i* the fixed point near pattern i:
  /// 2 (N - 1) exp(-beta (D_i - 2 max(|xi - x_i|, |x_i* - x_i|) M)) M.
  public func retrievalBound(separation: Double, farthest: Double) -> Double {
    2 * Double(count - 1) * exp(-beta * (separation - 2 * farthest * largestNorm)) * largestNorm
  }
}
