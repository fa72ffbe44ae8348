import CallosumTensors

/// Linear regression with a penalty on the magnitudes of coefficients (Tibshirani 1996), most of which it
/// leaves at 0:
///
///     minimise 1/(2n) ||y - x b - c||² + λ ||b||₁        for each target; the intercept c is free
///
/// by coordinate descent on the products xᵀx / n and xᵀy / n (Friedman, Hastie and Tibshirani 2010), until
/// the conditions of the minimum hold: with g = xᵀ(y - x b - c) / n, |g_j| ≤ λ where b_j = 0 and g_j = λ
/// sign(b_j) elsewhere. λ is scikit-learn's alpha; a loss without the 1/2 has twice our λ.
public struct Lasso: LinearModel, Sendable {
  public let coefficients: Tensor
  public let intercepts: [Double]
  /// λ
  public let penalty: Double
  /// How far the conditions of the minimum are missed at most, in the unit of λ.
  public let violation: Double

  /// - Parameters:
  ///   - x: [points, features]; a feature without variance gets 0.
  ///   - y: [points, targets].
  ///   - tolerance: of the conditions of the minimum, as a share of the least λ that leaves all at 0.
  /// - Throws: `InvalidInput` for fewer than 2 points, numbers that are not finite, a penalty that is not above 0,
  ///   or no minimum after `sweeps` over the features.
  public init(
    _ x: Tensor, _ y: Tensor, penalty: Double, intercept: Bool = true, tolerance: Double = 1e-9,
    sweeps: Int = 100_000
  ) throws {
    let found = try Self.path(
      x, y, penalties: [penalty], intercept: intercept, tolerance: tolerance, sweeps: sweeps)
    self = found[0]
  }

  private init(coefficients: Tensor, intercepts: [Double], penalty: Double, violation: Double) {
    (self.coefficients, self.intercepts) = (coefficients, intercepts)
    (self.penalty, self.violation) = (penalty, violation)
  }

  /// One fit for each penalty in the order given, each going on from the one before: best from large to
  /// small.
  /// - Throws: as the initialiser.
  public static func path(
    _ x: Tensor, _ y: Tensor, penalties: [Double], intercept: Bool = true, tolerance: Double = 1e-9,
    sweeps: Int = 100_000
  ) throws -> [Lasso] {
    let (x, y) = try Centred.observed(x, y, "Lasso")
    try require(
      !penalties.isEmpty && penalties.allSatisfy { $0 > 0 && $0.isFinite },
      "penalties of the lasso must be above 0, are \(penalties)")
    let data = Centred(x, y, intercept: intercept)
    let (features, targets) = (x.dim(1), y.dim(1)), points = Double(x.dim(0))
    let gram = (matmul(data.x.swappedAxes(0, 1), data.x) / points).doubles
    // By target.
    let products = (matmul(data.y.swappedAxes(0, 1), data.x) / points).doubles
    var descents = (0..<targets).map {
      CoordinateDescent(gram: gram, products: Array(products[$0 * features..<($0 + 1) * features]))
    }
    return try penalties.map { penalty in
      for target in descents.indices {
        try descents[target].descend(penalty, tolerance: tolerance, sweeps: sweeps)
      }
      let coefficients = Tensor(descents.flatMap(\.coefficients), [targets, features]).swappedAxes(0, 1)
      return Lasso(
        coefficients: coefficients, intercepts: data.intercepts(coefficients), penalty: penalty,
        violation: descents.map { $0.violation(penalty) }.max() ?? 0)
    }
  }

  /// The least penalty that leaves every coefficient at 0: max |xᵀ(y - ȳ)| / n.
  public static func largestPenalty(_ x: Tensor, _ y: Tensor, intercept: Bool = true) throws -> Double {
    let (x, y) = try Centred.observed(x, y, "Lasso")
    let data = Centred(x, y, intercept: intercept)
    return abs(matmul(data.x.swappedAxes(0, 1), data.y)).max().item() / Double(x.dim(0))
  }
}

/// One target's coefficients, moved one at a time to where the others leave the minimum.
private struct CoordinateDescent {
  /// xᵀx / n and xᵀy / n
  let gram, products: [Double]
  var coefficients: [Double]
  /// What remains of the products: xᵀ(y - x b) / n.
  var rest: [Double]
  private var active: [Int] = []

  init(gram: [Double], products: [Double]) {
    (self.gram, self.products, rest) = (gram, products, products)
    coefficients = [Double](repeating: 0, count: products.count)
  }

  mutating func descend(_ penalty: Double, tolerance: Double, sweeps: Int) throws {
    let limit = tolerance * products.reduce(penalty) { max($0, abs($1)) }
    let all = Array(coefficients.indices)
    var isFull = true
    for _ in 0..<sweeps {
      sweep(isFull ? all : active, penalty)
      // Between full sweeps only coefficients that are not 0 move.
      if isFull { active = all.filter { coefficients[$0] != 0 } }
      let isMet = violation(penalty, of: isFull ? all : active) <= limit
      if isMet && isFull {
        // The moves have gathered rounding; what they add up to is what counts.
        refresh()
        if violation(penalty) <= limit { return }
      }
      isFull = isMet
    }
    throw InvalidInput(
      "the lasso found no minimum within \(sweeps) sweeps; take fewer features or a larger penalty")
  }

  private mutating func sweep(_ features: [Int], _ penalty: Double) {
    let count = coefficients.count
    for j in features where gram[j * count + j] > 0 {
      let curvature = gram[j * count + j]
      let pull = rest[j] + curvature * coefficients[j]
      let next = (pull > penalty ? pull - penalty : pull < -penalty ? pull + penalty : 0) / curvature
      let move = next - coefficients[j]
      if move == 0 { continue }
      coefficients[j] = next
      for i in 0..<count { rest[i] -= move * gram[j * count + i] }
    }
  }

  private mutating func refresh() {
    let count = coefficients.count
    rest = products
    for j in 0..<count where coefficients[j] != 0 {
      for i in 0..<count { rest[i] -= coefficients[j] * gram[j * count + i] }
    }
  }

  func violation(_ penalty: Double, of features: [Int]? = nil) -> Double {
    (features ?? Array(coefficients.indices)).reduce(0) { most, j in
      let at = coefficients[j]
      return max(
        most, at == 0 ? abs(rest[j]) - penalty : abs(rest[j] - (at > 0 ? penalty : -penalty)))
    }
  }
}
