import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of the derivative functions themselves; the operations' own derivatives are checked by
  /// the conformance suite.
  @Suite struct Derivatives {
    private let x = Tensor([0.5, -1.25, 2, 3.5])

    // MARK: Nesting

    @Test func derivativesOfDerivativesOfACube() {
      let cube = { (x: Tensor) in (x * x * x).sum() }
      let first = gradient(at: x, of: cube)
      let second = gradient(at: x) { gradient(at: $0, of: cube).sum() }
      let third = gradient(at: x) { gradient(at: $0) { gradient(at: $0, of: cube).sum() }.sum() }
      let fourth = gradient(at: x) {
        gradient(at: $0) { gradient(at: $0) { gradient(at: $0, of: cube).sum() }.sum() }.sum()
      }
      expectClose(first, 3 * x * x)
      expectClose(second, 6 * x)
      expectClose(third, Tensor.full([4], 6, dtype: .float64))
      expectClose(fourth, Tensor.zeros(like: x))
    }

    @Test func gradientAsAFunctionComposes() {
      let slope = gradient { sin($0).sum() }
      let curvature = gradient { slope($0).sum() }
      expectClose(slope(x), cos(x))
      expectClose(curvature(x), -sin(x))
    }

    @Test func hessianVectorProducts() {
      let a = Tensor([4.0, 1, -2, 1, 3, 0.5, -2, 0.5, 5], [3, 3])
      let v = Tensor([1.0, -2, 0.5]), x = Tensor([0.3, 0.7, -1.1])
      let quartic = { (x: Tensor) in 0.5 * (x * matmul(a, x)).sum() + pow(x, 4).sum() }
      // By reverse over reverse: the derivative of gradient · v.
      let product = gradient(at: x) { x in (gradient(at: x, of: quartic) * v).sum() }
      expectClose(product, matmul(a, v) + 12 * x * x * v)
      // By the derivative of a pullback by its cotangent: J v of the gradient.
      let zero = Tensor.zeros(like: x)
      let forward = gradient(at: zero) { u in
        let (_, pullback) = valueAndPullback(at: [x]) { [gradient(at: $0[0], of: quartic)] }
        return (pullback([u])[0] * v).sum()
      }
      expectClose(forward, product)
    }

    @Test func innerFunctionsUseOuterVariables() {
      // d/dx [ x² · d/dy (x y³) at y = 2x ] = d/dx [ x² · 12 x³ ] = 60 x⁴
      let result = gradient(at: x) { x in
        let inner = gradient(at: x * 2) { y in (x * y * y * y).sum() }
        return (x * x * inner).sum()
      }
      expectClose(result, 60 * pow(x, 4))
      // The inner derivative is by y alone, even where y is the outer variable itself.
      let same = gradient(at: x) { x in gradient(at: x) { y in (x * y).sum() }.sum() }
      expectClose(same, Tensor.ones(like: x))
    }

    @Test func innerFunctionsThatIgnoreTheirVariable() {
      let result = gradient(at: x) { x in (gradient(at: x) { _ in (x * x).sum() } + x).sum() }
      expectClose(result, Tensor.ones(like: x))
    }

    @Test func innerRecordsOfSeveralStepsAreDifferentiated() {
      // Two steps of gradient descent on a quadratic, differentiated by the learning rate.
      let rate = Tensor(0.1, .float64)
      let (value, slope) = valueAndGradient(at: rate) { rate in
        var w = Tensor([1.0, -2])
        for _ in 0..<2 { w = w - rate * gradient(at: w) { square($0).sum() } }
        return square(w).sum()
      }
      // w (1 - 2r)²: value 5 (1 - 2r)⁴, derivative -40 (1 - 2r)³.
      #expect(abs(value.item() - 5 * 0.4096) < 1e-12)
      #expect(abs(slope.item() + 40 * 0.512) < 1e-12)
    }

    // MARK: Constants

    @Test func stoppedGradients() {
      let result = gradient(at: x) { (stopGradient($0) * $0).sum() }
      expectClose(result, x)
      let unrecorded = gradient(at: x) { x in (withoutRecording { x * x } * x).sum() }
      expectClose(unrecorded, x * x)
    }

    @Test func tensorsOfAnEarlierDerivativeAreConstants() {
      var kept: [Tensor] = []
      _ = gradient(at: x) { x in
        kept = [x, x * x]
        return kept[1].sum()
      }
      let result = gradient(at: x) { ($0 * kept[0] * kept[1]).sum() }
      expectClose(result, x * x * x)
    }

    @Test func unusedInputsGetZeros() {
      let y = Tensor([1.0, 2])
      let (_, gradients) = valueAndGradient(at: [x, y]) { $0[0].sum() }
      expectClose(gradients[1], Tensor.zeros(like: y))
      let (_, pullback) = valueAndPullback(at: [x]) { [$0[0] * 2, y] }
      expectClose(pullback([nil, Tensor.ones(like: y)])[0], Tensor.zeros(like: x))
    }

    // MARK: Accumulation

    @Test func aTensorUsedManyTimes() {
      let result = gradient(at: x) { x in (0..<1000).reduce(x * 0) { sum, _ in sum + x }.sum() }
      expectClose(result, Tensor.full([4], 1000, dtype: .float64))
    }

    @Test func accumulationLeavesOtherTensorsAlone() {
      // The same gradient reaches both inputs of +; adding to one must not change the other.
      let (_, gradients) = valueAndGradient(at: [x, x]) { inputs in
        let sum = inputs[0] + inputs[1]
        return (sum + inputs[0] + inputs[0]).sum()
      }
      expectClose(gradients[0], Tensor.full([4], 3, dtype: .float64))
      expectClose(gradients[1], Tensor.full([4], 1, dtype: .float64))
    }

    @Test func pullbacksCanBeCalledAgain() {
      let (values, pullback) = valueAndPullback(at: [x]) { [exp($0[0]), $0[0] * 3] }
      let g = Tensor([1.0, 2, 3, 4])
      let first = pullback([g, nil])[0], second = pullback([nil, g])[0]
      expectClose(pullback([g, g])[0], first + second)
      expectClose(first, g * values[0])
      expectClose(pullback([nil, nil])[0], Tensor.zeros(like: x))
    }

    @Test func jointResults() {
      let m = Tensor((0..<12).map { Double($0) }, [3, 4])
      // Some of the pieces, in another order, one twice.
      let result = gradient(at: m) { m in
        let parts = m.split(sizes: [1, 2, 1], axis: 1)
        return (parts[2] * parts[0]).sum() + square(parts[2]).sum()
      }
      let first = m.sliced(axis: 1, to: 1), last = m.sliced(axis: 1, from: 3)
      let middle = Tensor.zeros([3, 2], dtype: .float64)
      expectClose(result, concatenated([last, middle, first + last * 2], axis: 1))
      let second = gradient(at: m) { m in
        gradient(at: m) { m in pow(m.split(parts: 2, axis: 1)[1], 3).sum() }.sum()
      }
      expectClose(
        second, concatenated([m.sliced(axis: 1, to: 2) * 0, m.sliced(axis: 1, from: 2) * 6], axis: 1))
    }

    // MARK: Derivatives of one's own

    @Test func ownDerivatives() {
      let straightThrough = { (x: Tensor) in
        withDerivative("straight", at: [x], of: { round($0[0]) }) { g, _, _ in [g] }
      }
      let (value, slope) = valueAndGradient(at: x) { square(straightThrough($0)).sum() }
      #expect(value.item() == 0 + 1 + 4 + 16)
      expectClose(slope, 2 * round(x))
    }

    @Test func ownDerivativesAreDifferentiatedThroughInputsAndResult() {
      let byInput = { (x: Tensor) in
        withDerivative(at: [x], of: { exp($0[0]) }) { g, inputs, _ in [g * exp(inputs[0])] }
      }
      let byResult = { (x: Tensor) in
        withDerivative(at: [x], of: { exp($0[0]) }) { g, _, y in [g * y] }
      }
      for function in [byInput, byResult] {
        expectClose(gradient(at: x) { function($0).sum() }, exp(x))
        expectClose(gradient(at: x) { gradient(at: $0) { function($0).sum() }.sum() }, exp(x))
      }
    }

    @Test func onlyTheRulesOfInputsThatMatterRun() {
      let y = Tensor([1.0, 0.5, -1, 2])
      let product = { (a: Tensor, b: Tensor) in
        withDerivatives(
          at: [a, b], of: { $0[0] * $0[1] },
          [
            { g, inputs in g * inputs[1] },
            { _, _ in preconditionFailure("product", "nobody asked for this gradient") },
          ])
      }
      expectClose(gradient(at: x) { product(square($0), y).sum() }, 2 * x * y)
      expectClose(
        gradient(at: x) { x in gradient(at: x) { product(square($0), y).sum() }.sum() }, 2 * y)
    }

    @Test func checkpointsGiveTheSameGradients() {
      let y = Tensor([1.0, 0.5, -1, 2])
      let body = { (inputs: [Tensor]) in
        let inner = sin(inputs[0] * inputs[1])
        return [exp(inner), inner * inputs[0], inputs[1] * 2]
      }
      let loss = { (results: [Tensor]) in (results[0] * results[1]).sum() }
      let plain = valueAndGradient(at: [x, y]) { loss(body($0)) }
      let saving = valueAndGradient(at: [x, y]) { loss(checkpointed(at: $0, of: body)) }
      #expect(plain.value.item() == saving.value.item())
      for (a, b) in zip(plain.gradients, saving.gradients) { expectClose(a, b) }
      let second = gradient(at: x) { x in
        gradient(at: x) { loss(checkpointed(at: [$0, y], of: body)) }.sum()
      }
      let plainSecond = gradient(at: x) { x in gradient(at: x) { loss(body([$0, y])) }.sum() }
      expectClose(second, plainSecond)
    }
  }
}

func expectClose(
  _ actual: Tensor, _ expected: Tensor, relative: Double = 1e-12,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let allowed = Tolerance(relative: relative, ofLargest: relative, absolute: 1e-15)
  if let problem = Comparison(actual, expected, within: allowed).problem {
    Issue.record("\(problem)", sourceLocation: sourceLocation)
  }
}
