import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Products with Jacobians and Hessians of functions of several inputs, and lists of tensors as vectors.
  @Suite struct DerivativeProducts {
    private let names = ["x", "w", "b"]

    private func values(_ all: [Tensor]) -> [Tensor] {
      let y = linear(all[0], weight: all[1], bias: all[2], activation: .gelu)
      return [layerNorm(y), matmul(softmax(y), all[1])]
    }

    private func loss(_ all: [Tensor]) -> Tensor {
      let found = values(all)
      return (square(found[0]) * sigmoid(found[0])).mean() + logSumExp(found[1]).sum()
    }

    // MARK: Against torch.func

    @Test(arguments: [DType.float32, .float64]) func productsFollowPyTorch(_ type: DType) throws {
      let golden = try Golden.tensors("derivatives")
      let inputs = names.map { golden[$0].asType(type) },
        along = names.map { golden["along.\($0)"].asType(type) }
      let allowed = type == .float32 ? Tolerance(relative: 1e-5, ofLargest: 2e-6) : Tolerance(relative: 2e-7)
      func compare(_ actual: Tensor, _ name: String) {
        let wrong = Comparison(actual.asType(.float32), golden[name], within: allowed).problem
        #expect(wrong == nil, "\(name), \(type)")
      }
      let (found, tangents) = valueAndTangent(at: inputs, along: along, of: values)
      let (_, pullback) = valueAndPullback(at: inputs, of: values)
      let pulled = pullback((0..<2).map { golden["cotangent.\($0)"].asType(type) })
      for i in 0..<2 {
        compare(found[i], "value.\(i)")
        compare(tangents[i], "tangent.\(i)")
      }
      for (i, product) in hessianVectorProduct(at: inputs, along, of: loss).enumerated() {
        compare(pulled[i], "pulled.\(names[i])")
        compare(product, "hessian.\(names[i])")
      }
    }

    // MARK: Laws

    @Test func hessiansOfQuadratics() {
      // ½ zᵀ A z over two tensors of different shapes, z their elements in a row.
      let root = Tensor((0..<25).map { Double($0 * 7 % 11) / 5 - 1 }, [5, 5])
      let a = root + root.transposed()
      let x = Tensor([0.3, -1, 2, 0.7], [2, 2]), y = Tensor([1.5])
      let v = Tensor([1, -0.5, 0, 2.0], [2, 2]), u = Tensor([-3.0])
      let form = { (all: [Tensor]) in
        let z = flattened(all)
        return 0.5 * (z * matmul(a, z)).sum()
      }
      expectClose(
        flattened(hessianVectorProduct(at: [x, y], [v, u], of: form)), matmul(a, flattened([v, u])))
      expectClose(
        valueAndGradient(at: [x, y], of: form).gradients[0].reshaped(4),
        matmul(a, flattened([x, y])).sliced(axis: 0, from: 0, to: 4))
      // Third derivatives: of a cube, Σ z³, the product is 6 z v, and its derivative by z along w is 6 w v.
      let cube = { (all: [Tensor]) in pow(flattened(all), 3).sum() }
      let slope = gradient(at: x) { x in
        hessianVectorProduct(at: [x, y], [v, u], of: cube)[0].sum()
      }
      expectClose(slope, 6 * v)
      #expect(hessianVectorProduct(at: [], [], of: { _ in Tensor(1 as Float) }).isEmpty)
    }

    // MARK: Lists as vectors

    @Test func listsAreVectors() {
      let parts = [
        Tensor([1.0, 2, 3, 4, 5, 6], [2, 3]).transposed(), Tensor(7, .float64), .zeros([0], dtype: .float64),
      ]
      let vector = flattened(parts)
      #expect(vector.doubles == [1, 4, 2, 5, 3, 6, 7])
      let back = unflattened(vector, like: parts)
      #expect(back.map(\.shape) == [[3, 2], [], [0]] && back.map(\.doubles) == parts.map(\.doubles))
      let named = ["b": parts[0], "a": parts[1]]
      #expect(flattened(named).doubles == [7, 1, 4, 2, 5, 3, 6])
      #expect(unflattened(flattened(named), like: named).mapValues(\.doubles) == named.mapValues(\.doubles))
      #expect(dot(parts, parts).item() == 140 && norm(of: parts) == 140.0.squareRoot())
      // Derivatives pass both ways, twice.
      let problem = finiteDifferenceProblem(
        at: Array(parts.prefix(2)),
        gradients: valueAndGradient(at: Array(parts.prefix(2)), of: roundTrip).gradients,
        cotangent: Tensor(1, .float64), of: roundTrip)
      #expect(problem == nil)
      let second = hessianVectorProduct(at: Array(parts.prefix(2)), Array(parts.prefix(2)), of: roundTrip)
      // Of degree four: H z = 3 g.
      let first = valueAndGradient(at: Array(parts.prefix(2)), of: roundTrip).gradients
      for (a, b) in zip(second, first) { expectClose(a, 3 * b) }
    }

    private func roundTrip(_ parts: [Tensor]) -> Tensor {
      let back = unflattened(square(flattened(parts)), like: parts)
      return dot(back, back)
    }

    // MARK: Several results with one rule

    @Test func replacedDerivativesOfSeveralResults() {
      let x = Tensor([0.5, -1.25, 2]), y = Tensor([1.0, 3, -0.5])
      // Sum and product, whose rule is told by both results: also where only one is used.
      func both(_ all: [Tensor]) -> [Tensor] {
        withDerivative("both", at: all, of: { [exp($0[0]) * $0[1], exp($0[0])] }) {
          gradients, inputs, results in
          let byFirst = gradients[0].map { [$0 * results[0], $0 * results[1]] }
          let bySecond = gradients[1].map { $0 * results[1] }
          return [
            byFirst.map { first in bySecond.map { first[0] + $0 } ?? first[0] } ?? bySecond, byFirst?[1],
          ]
        }
      }
      func plain(_ all: [Tensor]) -> [Tensor] { [exp(all[0]) * all[1], exp(all[0])] }
      for use in [{ $0[0].sum() }, { $0[1].sum() }, { ($0[0] * square($0[1])).sum() }]
        as [([Tensor]) -> Tensor]
      {
        let expected = valueAndGradient(at: [x, y]) { use(plain($0)) }
        let found = valueAndGradient(at: [x, y]) { use(both($0)) }
        #expect(found.value.item() == expected.value.item())
        for (a, b) in zip(found.gradients, expected.gradients) { expectClose(a, b) }
        let v = [y, x]
        let curved = hessianVectorProduct(at: [x, y], v) { use(both($0)) }
        for (a, b) in zip(curved, hessianVectorProduct(at: [x, y], v) { use(plain($0)) }) {
          expectClose(a, b)
        }
      }
      // nil for an input: no gradient.
      let none = valueAndGradient(at: [x, y]) {
        withDerivative(at: $0, of: { [$0[0] * $0[1], $0[0]] }) { _, _, _ in [nil, nil] }[0].sum()
      }
      #expect(none.gradients.allSatisfy { $0.doubles == [0, 0, 0] })
    }
  }
}
