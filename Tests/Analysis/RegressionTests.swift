import CallosumAnalysis
import CallosumTensors
import CallosumTestSupport
import Testing

/// scikit-learn and SciPy: Tests/Fixtures/analysis.py.
@Suite struct RegressionTests {
  private func golden(_ name: String) throws -> (
    all: [String: Tensor], x: Tensor, y: Tensor, alphas: [Double]
  ) {
    let file = try Golden.tensors("analysis/regression"), group = file.group("\(name).")
    return (
      group, try tensor(group, "x"), try tensor(group, "y"), try tensor(file.group(""), "alphas").doubles
    )
  }

  // MARK: Ridge

  @Test(arguments: ["tall", "square", "wide"], ["free", "through"])
  func ridgeAgrees(_ name: String, _ form: String) throws {
    let (golden, x, y, alphas) = try golden(name)
    let hasIntercept = form == "free"
    let model = try RidgeRegression(
      x, y, penalties: alphas.prefix(y.dim(1)).map { $0 * 3 }, intercept: hasIntercept)
    expectClose(model.coefficients, try tensor(golden, "\(form).ridge"), 1e-9)
    expectClose(model.intercepts, try tensor(golden, "\(form).intercepts").doubles, 1e-9)

    let errors = try RidgeRegression.errors(x, y, penalties: alphas, intercept: hasIntercept)
    expectClose(errors, try tensor(golden, "\(form).leftOut"), 1e-8)
    let chosen = try RidgeRegression(x, y, choosingFrom: alphas, intercept: hasIntercept)
    #expect(chosen.penalties == (try tensor(golden, "\(form).chosen").doubles))
  }

  @Test(arguments: ["tall", "square", "wide"]) func nestedRidgeAgrees(_ name: String) throws {
    let (golden, x, y, alphas) = try golden(name)
    let folds = try tensor(golden, "folds").integers
    #expect(folds == contiguousFolds(x.dim(0), count: 4))
    let errors = try RidgeRegression.errors(x, y, penalties: alphas, folds: folds)
    expectClose(errors, try tensor(golden, "foldErrors"), 1e-9)
    let nested = try NestedRidge(x, y, choosingFrom: alphas, folds: folds)
    #expect(nested.penalties.flatMap { $0 } == (try tensor(golden, "nestedChosen").doubles))
    expectClose(nested.predictions, try tensor(golden, "nested"), 1e-9)
    // Folds need not lie in order.
    let order = (0..<x.dim(0)).map { ($0 * 5 + 2) % x.dim(0) }
    if Set(order).count == order.count {
      let index = Tensor(order.map(Int32.init))
      let mixed = try NestedRidge(
        x.take(index), y.take(index), choosingFrom: alphas, folds: order.map { folds[$0] })
      expectClose(mixed.predictions, nested.predictions.take(index), 1e-9)
      expectClose(mixed.rSquared, nested.rSquared, 1e-9)
    }
  }

  /// Leaving each point out by hand gives what the closed form gives, and both forms of the solution agree.
  @Test func ridgeFollowsItsLaws() throws {
    var random = RandomGenerator(seed: 1)
    for (points, features) in [(9, 4), (6, 11)] {
      let x = random.normal([points, features], dtype: .float64)
      let y = random.normal([points, 2], dtype: .float64)
      let closed = try RidgeRegression.errors(x, y, penalties: [0.5, 4])
      let byHand = try RidgeRegression.errors(x, y, penalties: [0.5, 4], folds: Array(0..<points))
      expectClose(closed, byHand, 1e-9)
      // The slope of the loss is 0.
      let model = try RidgeRegression(x, y, penalties: [0.7])
      let slope = matmul(x.swappedAxes(0, 1), y - model.predict(x)) - model.coefficients * 0.7
      #expect(abs(slope).max().item() < 1e-10)
      // Without penalty: least squares, or the shortest of all that fit.
      let free = try RidgeRegression(x, y, penalties: [0], intercept: false)
      expectClose(free.coefficients, matmul(pseudoInverse(x), y), 1e-8)
    }
    // Scores: all explained, and a constant column.
    let y = Tensor([1.0, 5, 2, 5, 4, 5], [3, 2])
    #expect(rSquared(of: y, by: y) == [1, 0])
  }

  @Test func ridgeNamesMistakes() {
    let x = Tensor.ones([3, 2]), y = Tensor.ones([3, 1])
    #expect(throws: InvalidInput("penalties of ridge regression must be at least 0, are [-1.0]")) {
      try RidgeRegression(x, y, penalties: [-1])
    }
    #expect(throws: InvalidInput("NestedRidge needs at least 3 folds, got 2")) {
      try NestedRidge(x, y, choosingFrom: [1], folds: [0, 0, 1])
    }
    #expect(throws: InvalidInput("RidgeRegression: features hold numbers that are not finite")) {
      try RidgeRegression(x / 0, y, penalties: [1])
    }
  }

  @Test func shapesThatDoNotFitStop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try RidgeRegression(Tensor.ones([3, 2]), Tensor.ones([4, 1]), penalties: [1])
    }
    let told = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(told.contains("RidgeRegression: features [3, 2] and targets [4, 1] are not of the same points"))
  }

  // MARK: Lasso

  @Test(arguments: ["tall", "square", "wide"]) func lassoAgrees(_ name: String) throws {
    let (golden, x, y, _) = try golden(name)
    let penalties = try tensor(golden, "lassoPenalties").doubles
    let path = try Lasso.path(x, y, penalties: penalties)
    expectClose(stacked(path.map(\.coefficients)), try tensor(golden, "lasso"), 1e-5)
    for (model, penalty) in zip(path, penalties) {
      let alone = try Lasso(x, y, penalty: penalty)
      expectClose(alone.coefficients, model.coefficients, 1e-6)
      try expectMinimum(model, x, y)
    }
    let largest = try Lasso.largestPenalty(x, y)
    let none = try Lasso(x, y, penalty: largest * (1 + 1e-9))
    #expect(none.coefficients.doubles.allSatisfy { $0 == 0 })
    #expect(try Lasso(x, y, penalty: largest * 0.99).coefficients.doubles.contains { $0 != 0 })
  }

  /// The conditions of Karush, Kuhn and Tucker, from the data and not from what the solver keeps.
  private func expectMinimum(_ model: Lasso, _ x: Tensor, _ y: Tensor) throws {
    let centred = x - x.mean(axis: 0, keepDims: true)
    let rest = y - model.predict(x)
    #expect(abs(rest.mean(axis: 0)).max().item() < 1e-9 * (1 + abs(y).max().item()))
    let slopes = (matmul(centred.swappedAxes(0, 1), rest) / Double(x.dim(0))).doubles
    let limit = 1e-7 * (slopes.map { abs($0) }.max() ?? 0)
    for (slope, at) in zip(slopes, model.coefficients.doubles) {
      if at == 0 {
        #expect(abs(slope) <= model.penalty + limit)
      } else {
        #expect(abs(slope - (at > 0 ? model.penalty : -model.penalty)) <= limit)
      }
    }
    #expect(model.violation <= limit)
  }

  @Test func lassoNamesMistakes() {
    let x = Tensor([1.0, 2, 4], [3, 1])
    #expect(throws: InvalidInput("penalties of the lasso must be above 0, are [0.0]")) {
      try Lasso(x, x, penalty: 0)
    }
    var random = RandomGenerator(seed: 5)
    let wide = random.normal([6, 9], dtype: .float64), y = random.normal([6, 1], dtype: .float64)
    #expect(throws: InvalidInput.self) { try Lasso(wide, y, penalty: 1e-6, sweeps: 3) }
    // A feature that never changes is left out.
    let model = try? Lasso(
      concatenated([x, Tensor.ones([3, 1], dtype: .float64)], axis: 1), x, penalty: 0.1)
    #expect(model?.coefficients.doubles.last == 0)
  }

  // MARK: Logistic regression

  @Test(arguments: ["tall", "square", "wide"]) func logisticRegressionAgrees(_ name: String) throws {
    let (golden, x, _, _) = try golden(name)
    let labels = try tensor(golden, "labels").integers
    let classes = (labels.max() ?? 0) + 1
    let model = try LogisticRegression(x, labels: labels, classes: classes, penalty: 0.05, tolerance: 1e-11)
    expectClose(model.coefficients, try tensor(golden, "logistic"), 1e-6)
    expectClose(model.intercepts, try tensor(golden, "logisticIntercepts").doubles, 1e-6)
    #expect(abs(model.intercepts.reduce(0, +)) < 1e-9)
    // Its slope by the engine's own derivative.
    let weights = model.coefficients
    let slope = gradient(at: weights) { weights in
      crossEntropyLoss(matmul(x, weights) + Tensor(model.intercepts), labels) + 0.025 * square(weights).sum()
    }
    #expect(abs(slope).max().item() < 1e-10)
    let likely = model.logProbabilities(x)
    #expect(likely.argMax(axis: 1).integers == model.classify(x))
    expectClose(exp(likely).sum(axis: 1), Tensor.ones([x.dim(0)], dtype: .float64), 1e-12)
  }

  private func crossEntropyLoss(_ logits: Tensor, _ labels: [Int]) -> Tensor {
    let hot = Tensor(labels.map(Int32.init)).oneHot(count: logits.dim(1), dtype: .float64)
    return -(logSoftmax(logits) * hot).sum() / Double(labels.count)
  }

  @Test func logisticRegressionNamesMistakes() {
    let x = Tensor([1.0, 2, 4], [3, 1])
    #expect(
      throws: InvalidInput("logistic regression needs labels from 0 to below 2, of at least 2 classes")
    ) { try LogisticRegression(x, labels: [0, 1, 2], classes: 2, penalty: 1) }
    #expect(throws: InvalidInput("the penalty of logistic regression must be above 0, is 0.0")) {
      try LogisticRegression(x, labels: [0, 1, 1], classes: 2, penalty: 0)
    }
    #expect(throws: InvalidInput.self) {
      try LogisticRegression(x, labels: [0, 1, 1], classes: 2, penalty: 0.1, steps: 1)
    }
  }

  // MARK: Partial least squares

  @Test(arguments: ["tall", "square", "wide"], [false, true])
  func partialLeastSquaresAgree(_ name: String, _ scales: Bool) throws {
    let (golden, x, y, _) = try golden(name)
    let model = try PLSRegression(x, y, components: 3, scales: scales)
    let key = scales ? "plsScaled" : "pls"
    expectClose(model.coefficients, try tensor(golden, key), 1e-8)
    expectClose(model.predict(x), try tensor(golden, "\(key)Predictions"), 1e-8)
    // Scores of different components share nothing.
    if !scales {
      let scores = matmul(x - x.mean(axis: 0, keepDims: true), model.rotations)
      let shared = matmul(scores.swappedAxes(0, 1), scores)
      let beside = shared - shared * Tensor.eye(3, dtype: .float64)
      #expect(abs(beside).max().item() < 1e-9 * abs(shared).max().item())
    }
  }

  /// With all components it is least squares; what is explained already needs no more of them.
  @Test func partialLeastSquaresEnd() throws {
    var random = RandomGenerator(seed: 2)
    let x = random.normal([12, 4], dtype: .float64), y = random.normal([12, 3], dtype: .float64)
    let all = try PLSRegression(x, y, components: 4)
    expectClose(all.coefficients, try RidgeRegression(x, y, penalties: [0]).coefficients, 1e-9)
    let line = x.sliced(axis: 1, to: 1) * 2 + 1
    let found = try PLSRegression(x, line, components: 4)
    expectClose(found.predict(x), line, 1e-9)
    let nothing = try PLSRegression(x, Tensor.ones([12, 2], dtype: .float64), components: 2)
    #expect(nothing.rotations.shape == [4, 0] && nothing.intercepts == [1, 1])
    #expect(throws: InvalidInput.self) { try PLSRegression(x, y, components: 5) }
  }

  // MARK: Non-negative least squares

  @Test(arguments: ["tall", "square", "wide"]) func nonNegativeLeastSquaresAgree(_ name: String) throws {
    let (golden, x, y, _) = try golden(name)
    let target = y.sliced(axis: 1, to: 1).doubles
    let found = try nonNegativeLeastSquares(x, target)
    let residual = try tensor(golden, "residual").item()
    #expect(abs(found.residual - residual) < 1e-9)
    #expect(found.x.allSatisfy { $0 >= 0 })
    // The slope is 0 where an entry is free, and points below 0 where it is not.
    let rest = Tensor(target, [target.count, 1]) - matmul(x, Tensor(found.x, [found.x.count, 1]))
    for (slope, at) in zip(matmul(x.swappedAxes(0, 1), rest).doubles, found.x) {
      #expect(at > 0 ? abs(slope) < 1e-8 : slope < 1e-8)
    }
    if name != "wide" { expectClose(found.x, try tensor(golden, "nonNegative").doubles, 1e-9) }
  }

  @Test func nonNegativeLeastSquaresTakesTwins() throws {
    let a = Tensor([1.0, 1, 0, 2, 2, 0, 0, 0, -1], [3, 3])
    let found = try nonNegativeLeastSquares(a, [1, 2, 3])
    #expect(abs(found.residual - 3) < 1e-12 && abs(found.x[0] + found.x[1] - 1) < 1e-12 && found.x[2] == 0)
  }
}
