import CallosumTensors

// What every operation with a golden file must pass. Each check returns what is wrong, a line each.

extension Operation {
  /// Values and gradients of all cases against the golden file, under each setting.
  public func goldenProblems(_ dtype: DType, under settings: [Setting]) throws -> [String] {
    var problems: [String] = []
    for one in try Golden.cases(of: name) {
      let problem = Problem(self, one, dtype)
      for setting in settings {
        let (output, gradients) = setting.run { problem.solve() }
        // Where numbers are ordinary, rounding errors are those of the largest numbers involved;
        // cases without gradients hold special numbers, which say nothing of each other.
        var allowed =
          dtype == .float64
          ? Tolerance(relative: 2e-7, absolute: 1e-12) : cancelling[one.name] ?? tolerance
        if one.cotangent == nil {
          allowed = Tolerance(relative: allowed.relative, absolute: tolerance.absolute)
        }
        allowed.absolute += 3e-45  // The last bit of the smallest numbers.
        func compare(_ what: String, _ actual: Tensor, _ expected: Tensor) {
          let rounded = actual.dtype == .float64 ? actual.asType(.float32) : actual
          guard let wrong = Comparison(rounded, expected, within: allowed).problem else { return }
          problems.append("\(one.name), \(dtype), \(setting): \(what) \(wrong)")
        }
        compare("output", output, one.output)
        for (name, gradient) in gradients {
          guard let expected = one.gradients[name] else { continue }
          compare("gradient of \(name)", gradient, expected)
        }
      }
    }
    return problems
  }

  /// Gradients against central differences.
  public func finiteDifferenceProblems() throws -> [String] {
    try Golden.cases(of: name).compactMap { one in
      guard let cotangent = one.cotangent, !kinks.contains(one.name), one.size <= 20_000 else { return nil }
      let problem = Problem(self, one, .float64)
      let gradients = problem.solve().gradients
      return finiteDifferenceProblem(
        at: problem.inputs, gradients: problem.names.map { gradients[$0] },
        cotangent: cotangent.asType(.float64), of: problem.function
      ).map { "\(one.name): \($0)" }
    }
  }

  /// Derivatives of gradients, by every input and by the cotangent: against central differences in
  /// float64, and in float32 against those in float64.
  public func secondDerivativeProblems() throws -> [String] {
    try Golden.cases(of: name).flatMap { one -> [String] in
      guard let cotangent = one.cotangent, !kinks.contains(one.name), one.size <= 600 else { return [] }
      let exact = Problem(self, one, .float64)
      let inputs = exact.inputs + [cotangent.asType(.float64)]
      let gradients = exact.gradientsOfGradients(at: inputs)
      let numeric = finiteDifferenceProblem(
        at: inputs, gradients: gradients, cotangent: Tensor(1, .float64), elements: 40,
        of: exact.weightedGradients)
      var problems = numeric.map { ["\(one.name): second derivative, \($0)"] } ?? []
      if cancelling[one.name] != nil { return problems }
      let fast = Problem(self, one, .float32)
      let found = fast.gradientsOfGradients(at: fast.inputs + [cotangent])
      let largest = gradients.compactMap { $0?.doubles }.joined().reduce(0) { max($0, $1.magnitude) }
      let allowed = Tolerance(relative: 1e-5, absolute: 1e-5 * largest)
      for (which, pair) in zip(found, gradients).enumerated() {
        guard let float = pair.0, let double = pair.1,
          let wrong = Comparison(float.asType(.float64), double, within: allowed).problem
        else { continue }
        problems.append("\(one.name): second derivative by input \(which) in float32 \(wrong)")
      }
      return problems
    }
  }
}

extension GoldenCase {
  /// Numbers in all inputs and the output.
  fileprivate var size: Int { inputs.values.reduce(output.size) { $0 + $1.size } }
}

extension Operation {
  /// Whether a case of the golden file has gradients.
  public func hasDerivative() throws -> Bool {
    try Golden.cases(of: name).contains { $0.cotangent != nil }
  }

  /// Asks for the derivative of the first case, which an operation without one must refuse.
  public func askForDerivative() throws {
    guard let one = try Golden.cases(of: name).first else { return }
    let names = one.inputs.keys.sorted()
    let (values, pullback) = valueAndPullback(at: names.compactMap { one.inputs[$0] }) { inputs in
      [call(Inputs(Dictionary(uniqueKeysWithValues: zip(names, inputs))), one.arguments)]
    }
    _ = pullback([.ones(like: values[0])])
  }
}

/// A case, ready to be computed in one floating-point type.
private struct Problem {
  let operation: Operation
  let golden: GoldenCase
  /// The names of all inputs in order, and the inputs laid out in memory as the case asks.
  let names: [String]
  let inputs: [Tensor]
  /// Positions of the inputs to differentiate by.
  let variables: [Int]

  init(_ operation: Operation, _ golden: GoldenCase, _ dtype: DType) {
    self.operation = operation
    self.golden = golden
    let names = golden.inputs.keys.sorted()
    let inputs = names.compactMap { name in
      golden.inputs[name].map {
        ($0.dtype == .float32 ? $0.asType(dtype) : $0).laidOut(golden.layouts[name] ?? "contiguous")
      }
    }
    variables = names.indices.filter {
      inputs[$0].dtype.isFloatingPoint && !operation.constants.contains(names[$0])
    }
    (self.names, self.inputs) = (names, inputs)
  }

  /// The operation on all inputs.
  func function(_ all: [Tensor]) -> Tensor {
    operation.call(
      Inputs(Dictionary(uniqueKeysWithValues: zip(names, all))), golden.arguments)
  }

  private func pullback(at all: [Tensor]) -> (output: Tensor, pullback: (Tensor) -> [Tensor]) {
    let (values, pullback) = valueAndPullback(at: variables.map { all[$0] }) { chosen in
      var all = all
      for (position, tensor) in zip(variables, chosen) { all[position] = tensor }
      return [function(all)]
    }
    return (values[0], { pullback([$0]) })
  }

  /// The output and, where the case has them, the gradients by name.
  func solve() -> (output: Tensor, gradients: [String: Tensor]) {
    guard let cotangent = golden.cotangent else { return (function(inputs), [:]) }
    let (output, pullback) = pullback(at: inputs)
    let gradients = pullback(cotangent.asType(output.dtype))
    return (
      output, Dictionary(uniqueKeysWithValues: zip(variables.map { names[$0] }, gradients))
    )
  }

  /// A fixed weighted sum of all gradients, given all inputs and the cotangent.
  func weightedGradients(_ all: [Tensor]) -> Tensor {
    let gradients = pullback(at: Array(all.dropLast())).pullback(all[all.count - 1])
    var sum = Tensor(0, gradients.first?.dtype ?? .float64)
    for (which, gradient) in gradients.enumerated() {
      let weights = cos(Tensor.arange(gradient.size, dtype: .float64) * 1.7 + Double(which))
      sum += (gradient * weights.asType(gradient.dtype).reshaped(gradient.shape)).sum()
    }
    return sum
  }

  /// The gradients of `weightedGradients`, nil for constants.
  func gradientsOfGradients(at all: [Tensor]) -> [Tensor?] {
    let positions = variables + [all.count - 1]
    let (_, gradients) = valueAndGradient(at: positions.map { all[$0] }) { chosen in
      var moved = all
      for (position, tensor) in zip(positions, chosen) { moved[position] = tensor }
      return weightedGradients(moved)
    }
    var result = [Tensor?](repeating: nil, count: all.count)
    for (position, gradient) in zip(positions, gradients) { result[position] = gradient }
    return result
  }
}
