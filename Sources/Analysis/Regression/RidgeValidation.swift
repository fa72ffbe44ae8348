import CallosumTensors

extension RidgeRegression {
  /// The penalty of each target chosen by the squared error on points held out, then fitted to all of them.
  ///
  /// - Parameters:
  ///   - x: [points, features].
  ///   - y: [points, targets].
  ///   - candidates: the penalties to choose from; of equal ones the first is taken.
  ///   - folds: the fold of each point; each is held out in turn. If nil every point is, in closed form: its
  ///     error is (y - ŷ) / (1 - h), h being the diagonal of the matrix that turns y into ŷ (Allen 1974).
  /// - Throws: `InvalidInput` for fewer than 2 points or folds, numbers that are not finite, or penalties below 0.
  public init(
    _ x: Tensor, _ y: Tensor, choosingFrom candidates: [Double], folds: [Int]? = nil, intercept: Bool = true
  ) throws {
    let (x, y) = try Centred.observed(x, y, "RidgeRegression")
    try Self.check(candidates)
    let data = Centred(x, y, intercept: intercept), spectrum = RidgeSpectrum(data.x)
    let errors =
      try folds.map { try Self.errors(x, y, candidates, folds: $0, intercept) }
      ?? Self.leaveOneOut(data, spectrum, candidates, intercept)
    self.init(data, spectrum, errors.argMin(axis: 0).doubles.map { candidates[Int($0)] })
  }

  /// The mean squared error of each target on points held out, for each penalty: [penalties, targets].
  /// Infinite where leaving a point out leaves nothing that determines it.
  public static func errors(
    _ x: Tensor, _ y: Tensor, penalties: [Double], folds: [Int]? = nil, intercept: Bool = true
  ) throws -> Tensor {
    let (x, y) = try Centred.observed(x, y, "RidgeRegression")
    try check(penalties)
    if let folds { return try errors(x, y, penalties, folds: folds, intercept) }
    let data = Centred(x, y, intercept: intercept)
    return leaveOneOut(data, RidgeSpectrum(data.x), penalties, intercept)
  }

  private static func errors(
    _ x: Tensor, _ y: Tensor, _ penalties: [Double], folds: [Int], _ intercept: Bool
  ) throws -> Tensor {
    let splits = try Splits(folds, points: x.dim(0), "RidgeRegression")
    var sums = Tensor.zeros([penalties.count, y.dim(1)], dtype: .float64)
    for (known, heldOut) in splits.all {
      let data = Centred(x.rows(known), y.rows(known), intercept: intercept)
      let spectrum = RidgeSpectrum(data.x)
      let scores = matmul(x.rows(heldOut) - data.xMean, spectrum.basis)
      let targets = matmul(spectrum.u.swappedAxes(0, 1), data.y)
      let rest = y.rows(heldOut) - data.yMean
      sums =
        sums
        + stacked(
          penalties.map { square(rest - matmul(scores, spectrum.shrinkage([$0]) * targets)).sum(axis: 0) })
    }
    return sums / Double(x.dim(0))
  }

  private static func leaveOneOut(
    _ data: Centred, _ spectrum: RidgeSpectrum, _ penalties: [Double], _ intercept: Bool
  ) -> Tensor {
    let targets = matmul(spectrum.u.swappedAxes(0, 1), data.y)
    return stacked(
      penalties.map { penalty in
        let kept = spectrum.squares.expandedDimensions(axis: 1) * spectrum.shrinkage([penalty])
        let leverage =
          matmul(square(spectrum.u), kept) + (intercept ? 1 / Double(data.x.dim(0)) : 0)
        let rest = data.y - matmul(spectrum.u, kept * targets)
        let isOpen = (1 - leverage) .> 1e-10
        let errors = rest / which(isOpen, 1 - leverage, Tensor(1, .float64))
        return which(isOpen, square(errors), Tensor(.infinity, .float64)).mean(axis: 0)
      })
  }
}

/// Predictions of points that had no part in what made them: each fold in turn is predicted by a regression
/// of the others, which choose the penalty of each target among themselves, one of them held out after the
/// other (nested cross-validation; Cawley and Talbot 2010 say why choosing on the same points flatters).
public struct NestedRidge: Sendable {
  /// [points, targets]
  public let predictions: Tensor
  /// The penalties chosen without each fold, by fold and target.
  public let penalties: [[Double]]
  /// R² of each target over all points.
  public let rSquared: [Double]

  /// - Parameters:
  ///   - x: [points, features].
  ///   - y: [points, targets].
  ///   - folds: the fold of each point, at least 3 of them; points that belong together (of one recording,
  ///     one stretch of time) should share one.
  /// - Throws: `InvalidInput` for fewer than 3 folds, numbers that are not finite, or penalties below 0.
  public init(
    _ x: Tensor, _ y: Tensor, choosingFrom candidates: [Double], folds: [Int], intercept: Bool = true
  ) throws {
    let (x, y) = try Centred.observed(x, y, "NestedRidge")
    let splits = try Splits(folds, points: x.dim(0), "NestedRidge")
    try require(splits.all.count > 2, "NestedRidge needs at least 3 folds, got \(splits.all.count)")
    var parts: [Tensor] = [], chosen: [[Double]] = []
    for (known, heldOut) in splits.all {
      let model = try RidgeRegression(
        x.rows(known), y.rows(known), choosingFrom: candidates, folds: known.map { folds[$0] },
        intercept: intercept)
      parts.append(model.predict(x.rows(heldOut)))
      chosen.append(model.penalties)
    }
    // Back into the order of the points.
    let order = splits.all.flatMap(\.heldOut)
    var place = [Int](repeating: 0, count: order.count)
    for (at, point) in order.enumerated() { place[point] = at }
    predictions = concatenated(parts).rows(place)
    penalties = chosen
    rSquared = CallosumAnalysis.rSquared(of: y, by: predictions)
  }
}
