import CallosumTensors

/// Multinomial logistic regression, the linear probe:
///
///     minimise 1/n Σ_i -log softmax(x_i B + c)[label_i] + λ/2 ||B||²
///
/// by Newton's method whose steps are solved by conjugate gradients (Nocedal and Wright 2006, chapter 7) and
/// shortened until the loss falls enough. The loss is strictly convex in B, so the solver leaves no choice:
/// no rate, no order, no random start. λ is scikit-learn's 1 / (n C). Features of very different scales slow
/// it down; standardise them.
public struct LogisticRegression: LinearModel, Sendable {
  /// B [features, classes], float64.
  public let coefficients: Tensor
  /// c, one for each class; they add up to 0.
  public let intercepts: [Double]
  /// The loss at the minimum, with the penalty.
  public let loss: Double
  /// The largest slope of the loss that is left.
  public let slope: Double

  /// - Parameters:
  ///   - x: [points, features].
  ///   - labels: the class of each point.
  ///   - penalty: λ, above 0, so that classes that a plane parts have a minimum too.
  ///   - tolerance: of the largest slope of the loss.
  /// - Throws: `InvalidInput` for labels that are no class, numbers that are not finite, a penalty that is not
  ///   above 0, or no minimum after `steps`.
  public init(
    _ x: Tensor, labels: [Int], classes: Int, penalty: Double, intercept: Bool = true,
    tolerance: Double = 1e-8, steps: Int = 200
  ) throws {
    let x = try x.observedTable("LogisticRegression", "features")
    precondition(
      labels.count == x.dim(0), "LogisticRegression",
      "\(labels.count) labels do not belong to features \(x.shape)")
    try require(
      classes > 1 && !labels.isEmpty && labels.allSatisfy { (0..<classes).contains($0) },
      "logistic regression needs labels from 0 to below \(classes), of at least 2 classes")
    try require(
      penalty > 0 && penalty.isFinite, "the penalty of logistic regression must be above 0, is \(penalty)")
    let problem = Problem(x, labels, classes, penalty, intercept)
    var weights = Tensor.zeros([problem.features.dim(1), classes], dtype: .float64)
    var state = problem.state(weights)
    var slope = abs(state.gradient).max().item()
    for _ in 0..<steps where slope > tolerance {
      let step = problem.newtonStep(state)
      let fall = (step * state.gradient).sum().item()
      var length = 1.0, next = problem.state(weights + step)
      while next.loss > state.loss + 1e-4 * length * fall && length > 1e-10 {
        length /= 2
        next = problem.state(weights + step * length)
      }
      // Rounding allows no more.
      if length <= 1e-10 { break }
      (weights, state) = (weights + step * length, next)
      slope = abs(state.gradient).max().item()
    }
    try require(
      slope <= tolerance,
      "logistic regression found no minimum within \(steps) steps (slope \(slope)); standardise the features")
    let width = x.dim(1)
    coefficients = weights.sliced(axis: 0, to: width)
    intercepts =
      intercept ? weights.sliced(axis: 0, from: width).doubles : [Double](repeating: 0, count: classes)
    (loss, self.slope) = (state.loss, slope)
  }

  /// The logarithms of the classes' probabilities: [points, features] -> [points, classes].
  public func logProbabilities(_ x: Tensor) -> Tensor { logSoftmax(predict(x)) }

  /// The most likely class of each point.
  public func classify(_ x: Tensor) -> [Int] {
    predict(x).chosenFrom("classify", "predictions").argMax(axis: 1).doubles.map { Int($0) }
  }
}

private struct Problem {
  /// [points, features], with a column of ones at the end for the intercept.
  let features: Tensor
  let targets: Tensor
  /// λ for each row of weights [features, 1]; 0 for the intercept.
  let penalties: Tensor

  struct State {
    let loss: Double
    let gradient, probabilities: Tensor
  }

  init(_ x: Tensor, _ labels: [Int], _ classes: Int, _ penalty: Double, _ intercept: Bool) {
    let ones = Tensor.ones([x.dim(0), 1], dtype: .float64)
    features = intercept ? concatenated([x, ones], axis: 1) : x
    targets = Tensor(labels.map(Int32.init)).oneHot(count: classes, dtype: .float64)
    let all = [Double](repeating: penalty, count: x.dim(1)) + (intercept ? [0] : [])
    penalties = Tensor(all, [all.count, 1])
  }

  private var count: Double { Double(features.dim(0)) }

  func state(_ weights: Tensor) -> State {
    let logs = logSoftmax(matmul(features, weights))
    let probabilities = exp(logs)
    let gradient = matmul(features.swappedAxes(0, 1), probabilities - targets) / count + penalties * weights
    let loss = -(logs * targets).sum().item() / count + (penalties * square(weights)).sum().item() / 2
    return State(loss: loss, gradient: gradient, probabilities: probabilities)
  }

  /// Solves H d = -g; tighter as the slope falls, so that the end converges fast.
  func newtonStep(_ state: State) -> Tensor {
    let p = state.probabilities
    let norm = square(state.gradient).sum().item().squareRoot()
    let wanted = (-state.gradient).expandedDimensions(axis: 0)
    let found = conjugateGradient(wanted, tolerance: min(0.1, norm), limit: 10 * state.gradient.size) { d in
      let direction = d.squeezed(axis: 0)
      let change = p * matmul(features, direction)
      let bent = change - p * change.sum(axis: 1, keepDims: true)
      return (matmul(features.swappedAxes(0, 1), bent) / count + penalties * direction)
        .expandedDimensions(axis: 0)
    }
    return found.solution.squeezed(axis: 0)
  }
}
