import CallosumTensors

// What is not a number never becomes one: a method that learns from data (a regression, clusters, an embedding,
// a filter, a test) throws where a number of the data is not finite; a statistic of plain numbers (a mean,
// median, rank, correlation) is NaN where one of them is; a choice (the nearest centroid, the likeliest
// class), which has no such answer, stops the program as a mistake.

extension Tensor {
  /// These numbers in float64, as every method here reads its data. A derivative that would pass through
  /// stops the program: nothing here has one.
  /// - Throws: `InvalidInput` if a number is not finite.
  func observed(_ name: StaticString, _ what: String) throws -> Tensor {
    let numbers = requireConstant(name, what).asType(.float64)
    try require(isFinite(numbers).all().item() != 0, "\(name): \(what) hold numbers that are not finite")
    return numbers
  }

  /// The same for a choice, which can neither be NaN nor throw.
  func chosenFrom(_ name: StaticString, _ what: String) -> Tensor {
    let numbers = requireConstant(name, what).asType(.float64)
    precondition(isFinite(numbers).all().item() != 0, name, "\(what) hold numbers that are not finite")
    return numbers
  }

  /// The same of a table [points, width].
  func observedTable(_ name: StaticString, _ what: String) throws -> Tensor {
    precondition(ndim == 2, name, "needs \(what) [points, width], got shape \(shape)")
    return try observed(name, what)
  }

  /// The same of signals [..., time].
  func observedSignal(_ name: StaticString) throws -> Tensor {
    precondition(ndim > 0, name, "needs signals [..., time], got a single number")
    return try observed(name, "signals")
  }

  /// Along the last axis, one after the other, what `change` makes of each row; all results have one length.
  func mappedRows(_ change: ([Double]) -> [Double]) -> Tensor {
    let length = dim(-1), values = doubles
    let count = shape.dropLast().reduce(1, *)
    var results: [Double] = []
    for row in 0..<count { results += change(Array(values[row * length..<(row + 1) * length])) }
    let made = count == 0 ? change([Double](repeating: 0, count: length)).count : results.count / count
    return Tensor(results, shape.dropLast() + [made])
  }
}
