import CallosumTensors
import Foundation

/// Points placed in few dimensions such that neighbours stay neighbours: t-distributed stochastic neighbour
/// embedding (van der Maaten and Hinton 2008), exact, n² work and memory a step.
///
///     p_j|i ∝ exp(-β_i |x_i - x_j|²), entropy log perplexity by β_i;  p_ij = (p_j|i + p_i|j) / 2n
///     q_ij ∝ 1 / (1 + |y_i - y_j|²)
///     dC/dy_i = 4 Σ_j (p_ij - q_ij)(y_i - y_j) / (1 + |y_i - y_j|²),    C = KL(p || q)
///
/// by gradient descent with momentum and a gain for each coordinate, p being exaggerated in the first steps.
/// The schedule and its numbers are scikit-learn's, whose exact method this is.
public struct TSNE: Sendable {
  public struct Settings: Sendable {
    public var perplexity = 30.0
    /// What p is multiplied by in the first `exaggeratedSteps`.
    public var exaggeration = 12.0
    public var exaggeratedSteps = 250
    public var steps = 1000
    /// Nil for n / exaggeration / 4, at least 50 (Belkina et al. 2019).
    public var learningRate: Double?
    /// While p is exaggerated, and after.
    public var momenta = (first: 0.5, later: 0.8)
    public init() {}
  }

  /// [points, dimensions], float64.
  public let embedding: Tensor
  /// KL(p || q) at the end.
  public let divergence: Double
  /// KL(p || q), without exaggeration, before every fiftieth step and at the end.
  public let history: [Double]

  /// - Parameters:
  ///   - points: [points, width].
  ///   - start: [points, dimensions]; small numbers, such as the first two principal components with
  ///     deviation 1e-4.
  /// - Throws: `InvalidInput` for fewer than 3 points, a perplexity that is not from 1 to below the points,
  ///   numbers that are not finite, or settings that make no sense.
  public init(_ points: Tensor, from start: Tensor, settings: Settings = Settings()) throws {
    let start = try start.observedTable("TSNE", "starts")
    precondition(
      points.ndim == 2 && start.dim(0) == points.dim(0), "TSNE",
      "start \(start.shape) and points \(points.shape) do not fit")
    try require(
      settings.steps >= 0 && settings.exaggeratedSteps >= 0 && settings.exaggeration > 0
        && settings.learningRate.map { $0 > 0 } ?? true,
      "t-SNE needs steps of at least 0, and an exaggeration and a learning rate above 0")
    let joint = try Self.jointProbabilities(points, perplexity: settings.perplexity)
    let count = Double(points.dim(0))
    let rate = settings.learningRate ?? max(count / settings.exaggeration / 4, 50)
    var y = start, update = Tensor.zeros(like: start), gains = Tensor.ones(like: start)
    var history: [Double] = []
    for step in 0..<settings.steps {
      let isFirst = step < settings.exaggeratedSteps
      if step == settings.exaggeratedSteps {
        (update, gains) = (.zeros(like: start), .ones(like: start))
      }
      let p = isFirst ? joint * settings.exaggeration : joint
      let slope = Self.divergence(p, y).gradient
      // Against the slope: faster where the direction stays, slower where it turns.
      let stays = (update * slope) .< 0
      gains = maximum(which(stays, gains + 0.2, gains * 0.8), 0.01)
      let momentum = isFirst ? settings.momenta.first : settings.momenta.later
      if step % 50 == 0 { history.append(Self.divergence(joint, y).value) }
      update = update * momentum - gains * slope * rate
      y = y + update
    }
    embedding = y
    divergence = Self.divergence(joint, y).value
    self.history = history + [divergence]
  }

  /// p [points, points]: symmetric, sums to 1, zeros on the diagonal.
  /// - Throws: `InvalidInput` for fewer than 3 points or a perplexity that is not from 1 to below the points.
  public static func jointProbabilities(_ points: Tensor, perplexity: Double) throws -> Tensor {
    let points = try points.observedTable("TSNE", "points")
    let count = points.dim(0)
    try require(
      count > 2 && perplexity >= 1 && perplexity < Double(count),
      "t-SNE of \(count) points needs at least 3, and a perplexity from 1 to below their number, not \(perplexity)"
    )
    let distances = squaredDistances(points, points).doubles
    var table = [Double](repeating: 0, count: count * count)
    for i in 0..<count {
      let row = neighbours(of: i, Array(distances[i * count..<(i + 1) * count]), log(perplexity))
      for j in 0..<count {
        table[i * count + j] += row[j]
        table[j * count + i] += row[j]
      }
    }
    let sum = max(table.reduce(0, +), Double.ulpOfOne)
    for i in 0..<count {
      for j in 0..<count where i != j { table[i * count + j] = max(table[i * count + j] / sum, .ulpOfOne) }
    }
    return Tensor(table, [count, count])
  }

  /// p_j|i with the β for which the entropy is as wanted, by bisection.
  private static func neighbours(of i: Int, _ distances: [Double], _ wanted: Double) -> [Double] {
    var (beta, low, high) = (1.0, 0.0, Double.infinity)
    // Distances count from the nearest, which changes no share and lets no sum vanish.
    let nearest = distances.indices.reduce(Double.infinity) { $1 == i ? $0 : min($0, distances[$1]) }
    var shares = distances
    for _ in 0..<200 {
      var sum = 0.0, mean = 0.0
      for j in distances.indices {
        shares[j] = j == i ? 0 : exp(-beta * (distances[j] - nearest))
        sum += shares[j]
        mean += shares[j] * (distances[j] - nearest)
      }
      let entropy = log(sum) + beta * mean / sum
      for j in distances.indices { shares[j] /= sum }
      if abs(entropy - wanted) < 1e-12 { break }
      if entropy > wanted {
        low = beta
        beta = high.isFinite ? (low + high) / 2 : beta * 2
      } else {
        high = beta
        beta = (low + high) / 2
      }
      if high - low <= 1e-15 * high { break }
    }
    return shares
  }

  /// KL(p || q) of an embedding y [points, dimensions], and its gradient.
  public static func divergence(_ p: Tensor, _ y: Tensor) -> (value: Double, gradient: Tensor) {
    precondition(
      y.ndim == 2 && p.shape == [y.dim(0), y.dim(0)], "TSNE",
      "probabilities \(p.shape) and embedding \(y.shape) do not fit")
    let beside = 1 - Tensor.eye(y.dim(0), dtype: .float64)
    let closeness = beside / (1 + squaredDistances(y, y))
    let q = maximum(closeness / closeness.sum(), Double.ulpOfOne)
    let pull = (p - q) * closeness
    let gradient = (y * pull.sum(axis: 1, keepDims: true) - matmul(pull, y)) * 4
    let value = (p * log(maximum(p, Double.ulpOfOne) / q) * beside).sum().item()
    return (value, gradient)
  }
}
