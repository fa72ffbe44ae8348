import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of linear algebra; values and derivatives are checked by the conformance suite.
  @Suite struct LinearAlgebra {
    private static let shapes = [
      [1, 1], [4, 4], [9, 4], [4, 9], [33, 33], [3, 5, 5], [2, 3, 6, 2], [2, 100, 70], [0, 4], [2, 0, 3],
    ]
    private static let types: [DType] = [.float32, .float64]

    private func random(_ shape: [Int], _ type: DType, seed: UInt64 = 1) -> Tensor {
      var generator = RandomGenerator(seed: seed)
      return generator.normal(shape).asType(type)
    }

    private func transposed(_ x: Tensor) -> Tensor { x.swappedAxes(-1, -2) }

    private func expectNear(
      _ a: Tensor, _ b: Tensor, scale: Double = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let allowed = (a.dtype == .float32 ? 2e-5 : 1e-12) * scale
      let tolerance = Tolerance(relative: 0, ofLargest: allowed, absolute: allowed)
      if let problem = Comparison(a, b, within: tolerance).problem {
        Issue.record("\(problem)", sourceLocation: sourceLocation)
      }
    }

    private func expectIdentity(_ x: Tensor, sourceLocation: SourceLocation = #_sourceLocation) {
      let n = x.dim(-1)
      expectNear(
        x, Tensor.eye(n, dtype: x.dtype).broadcast(to: x.shape), scale: 5, sourceLocation: sourceLocation)
    }

    @Test(arguments: shapes, types) func factorsMultiplyToTheMatrix(_ shape: [Int], _ type: DType) {
      let a = random(shape, type)
      let (q, r) = qr(a)
      expectNear(matmul(q, r), a)
      expectIdentity(matmul(transposed(q), q))
      expectNear(r, r.triu())
      let (u, s, vt) = svd(a)
      expectNear(matmul(u * s.expandedDimensions(axis: -2), vt), a, scale: 2)
      expectIdentity(matmul(transposed(u), u))
      expectIdentity(matmul(vt, transposed(vt)))
      expectNear(s, singularValues(a))
      #expect(
        zip(s.doubles, s.doubles.dropFirst()).enumerated().allSatisfy { at, pair in
          (at + 1) % max(s.dim(-1), 1) == 0 || pair.0 >= pair.1
        })
      expectNear(matmul(matmul(a, pseudoInverse(a)), a), a, scale: 5)
    }

    @Test(arguments: [[1, 1], [5, 5], [3, 8, 8], [2, 64, 64], [0, 0]], types)
    func symmetricMatrices(_ shape: [Int], _ type: DType) {
      let a = random(shape, type)
      let symmetric = a + transposed(a)
      let (w, v) = eigh(symmetric)
      expectNear(matmul(v * w.expandedDimensions(axis: -2), transposed(v)), symmetric, scale: 2)
      expectIdentity(matmul(transposed(v), v))
      expectNear(w, eigvalsh(symmetric))
      let positive = matmul(a, transposed(a)) + Tensor.eye(a.dim(-1), dtype: type)
      let l = cholesky(positive)
      expectNear(matmul(l, transposed(l)), positive)
      expectNear(logDeterminant(positive).logMagnitude, 2 * log(diagonals(l)).sum(axis: -1), scale: 5)
    }

    private func diagonals(_ x: Tensor) -> Tensor {
      (x * Tensor.eye(x.dim(-1), dtype: x.dtype)).sum(axis: -1)
    }

    @Test(arguments: [[1, 1], [5, 5], [3, 8, 8], [2, 64, 64], [0, 0]], types)
    func systems(_ shape: [Int], _ type: DType) {
      let n = shape.last ?? 0
      let a = random(shape, type) * 0.2 + 2 * Tensor.eye(n, dtype: type)
      let x = random(Array(shape.dropLast()) + [3], type, seed: 2)
      expectNear(solve(a, matmul(a, x)), x, scale: 5)
      expectNear(leastSquares(a, matmul(a, x)), x, scale: 10)
      expectIdentity(matmul(a, inverse(a)))
      for upper in [false, true] {
        let triangle = upper ? a.triu() : a.tril()
        expectNear(triangularSolve(a, matmul(triangle, x), upper: upper), x, scale: 5)
        expectNear(
          triangularSolve(a, matmul(transposed(triangle), x), upper: upper, transposed: true), x, scale: 5)
      }
      let b = random(shape, type, seed: 3)
      expectNear(determinant(matmul(a, b)), determinant(a) * determinant(b), scale: 20)
      let (sign, magnitude) = logDeterminant(b)
      if n <= 8 { expectNear(sign * exp(magnitude), determinant(b), scale: 20) }
      expectIdentity(matmul(matrixExponential(b * 0.3), matrixExponential(b * -0.3)))
    }

    @Test func residualsOfLeastSquaresAreOrthogonal() {
      let a = random([12, 4], .float64), b = random([12, 3], .float64, seed: 2)
      let x = leastSquares(a, b)
      expectNear(matmul(transposed(a), matmul(a, x) - b), .zeros([4, 3], dtype: .float64))
      let shortest = leastSquares(transposed(a), b.sliced(axis: 0, to: 4))
      expectNear(shortest, matmul(pseudoInverse(transposed(a)), b.sliced(axis: 0, to: 4)), scale: 10)
    }

    @Test func theRankOfAPseudoInverse() {
      let a = random([6, 2], .float64), b = random([2, 5], .float64, seed: 2)
      let product = matmul(a, b)
      expectNear(pseudoInverse(product), matmul(pseudoInverse(b), pseudoInverse(a)), scale: 10)
    }

    @Test func equalSingularValuesHaveFiniteGradients() {
      // ||A||² by singular values: the derivative 2 A does not tell equal values apart.
      let a = Tensor.eye(4, dtype: .float64) * 3
      expectNear(gradient(at: a) { square(svd($0).s).sum() }, a * 2)
      expectNear(gradient(at: a) { square(eigh($0).values).sum() }, a * 2)
    }

    // MARK: Matrices without a result

    /// Status as PyTorch's linalg.*_ex have it; what it leaves as it comes is NaN here.
    @Test(arguments: types) func statusOfEachMatrix(_ type: DType) {
      func matrices(_ values: [Double]) -> Tensor { Tensor(values, [values.count / 4, 2, 2]).asType(type) }
      let (l, order) = choleskyEx(matrices([4, 2, 2, 3, 1, 2, 2, 1, .nan, 0, 0, 1, 2, 0, 0, -1]))
      #expect(order.dtype == .int32 && order.asArray(Int32.self) == [0, 2, 1, 2])
      expectNear(l[0], matrices([2, 0, 1, 2.squareRoot()])[0])
      for at in 1..<4 { #expect(l[at].doubles.filter { !$0.isNaN } == [0]) }

      let a = stacked([.ones([3, 3], dtype: type), .eye(3, dtype: type) * 2])
      let (inverse, pivot) = inverseEx(a)
      #expect(pivot.asArray(Int32.self) == [2, 0])
      #expect(inverse[0].doubles.allSatisfy { $0.isNaN })
      #expect(inverse[1].doubles == [0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5])
      let (x, zero) = solveEx(a, .ones([3], dtype: type))
      #expect(zero.asArray(Int32.self) == [2, 0])
      #expect(x[0].doubles.allSatisfy { $0.isNaN } && x[1].doubles == [0.5, 0.5, 0.5])

      // One matrix has a status without axes; a derivative goes through those that have a result.
      #expect(choleskyEx(.eye(2, dtype: type)).info.shape == [])
      let slope = gradient(at: a) { solveEx($0, .ones([3], dtype: type)).x[1].sum() }
      #expect(slope[1].doubles == [Double](repeating: -0.25, count: 9))
    }

    /// One matrix with NaN or infinity: its results are NaN, those of the others what they are alone.
    @Test(arguments: types, [Double.nan, .infinity]) func numbersThatAreNotFinite(
      _ type: DType, _ number: Double
    ) {
      let operations: [(String, (Tensor) -> [Tensor])] = [
        ("qr", { [qr($0).q, qr($0).r] }), ("svd", { [svd($0).u, svd($0).s, svd($0).vt] }),
        ("singularValues", { [singularValues($0)] }), ("eigh", { [eigh($0).values, eigh($0).vectors] }),
        ("eigvalsh", { [eigvalsh($0)] }), ("inverse", { [inverse($0)] }),
        ("matrixExponential", { [matrixExponential($0)] }), ("pseudoInverse", { [pseudoInverse($0)] }),
      ]
      let good = random([4, 4], type), identity = Tensor.eye(4, dtype: type)
      var values = good.doubles
      values[5] = number
      let bad = Tensor(values, [4, 4]).asType(type)
      for (name, operation) in operations {
        let together = operation(stacked([good, bad, identity]))
        for (one, all) in zip(operation(good), together) { expectNear(all[0], one, scale: 20) }
        for all in together {
          // The inverse of what grows without bound may tend to 0.
          if number.isNaN || name != "inverse" { #expect(all[1].doubles.contains { $0.isNaN }, "\(name)") }
          #expect(all[2].doubles.allSatisfy { $0.isFinite }, "\(name)")
        }
      }
    }
  }
}
