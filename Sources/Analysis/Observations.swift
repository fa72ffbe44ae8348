import CallosumTensors

extension Tensor {
  /// These numbers in float64, as every method here reads its data. A derivative that would pass through
  /// stops the program: nothing here has one.
  /// - Throws: `InvalidInput` if a number is not finite.
  func observed(_ name: StaticString, _ what: String) throws -> Tensor {
    let numbers = requireConstant(name, what).asType(.float64)
    try require(isFinite(numbers).all().item() != 0, "\(name): \(what) hold numbers that are not finite")
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
