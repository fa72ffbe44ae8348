import CallosumTensors
import CallosumTestSupport

// Linear algebra with golden files. The signs of vectors are arbitrary: factorisations show their values
// and a product in which the signs cancel.

extension Operation {
  private static func algebra(
    _ name: String, cancelling: [String: Tolerance] = [:], constants: Set<String> = [],
    _ call: @escaping @Sendable (Inputs, Arguments) -> Tensor
  ) -> Operation {
    // Small condition numbers multiply the rounding error.
    Operation(
      name, constants: constants, tolerance: Tolerance(relative: 1e-5, ofLargest: 1e-5, absolute: 1e-6),
      cancelling: cancelling, call)
  }

  private static func transposed(_ x: Tensor) -> Tensor { x.swappedAxes(-1, -2) }

  private static func side(_ a: Tensor, _ b: Tensor) -> Tensor {
    concatenated([a.flattened(start: -2), b.flattened(start: -2)], axis: -1)
  }

  static let linearAlgebra: [Operation] = [
    algebra("qr") { x, _ in
      let (q, r) = qr(x["x"])
      return side(q, r)
    },
    algebra("svd") { x, _ in
      let (u, s, vt) = svd(x["x"])
      let row = s.expandedDimensions(axis: -2)
      return side(row, matmul(u * sin(row), vt))
    },
    algebra("singularValues") { x, _ in singularValues(x["x"]) },
    algebra("eigh") { x, _ in
      let (w, v) = eigh(x["x"] * 0.5 + transposed(x["x"]) * 0.5)
      let row = w.expandedDimensions(axis: -2)
      return side(row, matmul(v * sin(row), transposed(v)))
    },
    algebra("cholesky") { x, _ in
      let a = x["x"]
      return cholesky(matmul(a, transposed(a)) + 0.5 * Tensor.eye(a.dim(-1), dtype: a.dtype))
    },
    algebra("inverse") { x, _ in inverse(x["x"]) },
    algebra("determinant") { x, _ in determinant(x["x"]) },
    algebra("logDeterminant") { x, _ in
      let (sign, magnitude) = logDeterminant(x["x"])
      return stacked([sign, magnitude], axis: -1)
    },
    algebra("solve") { x, _ in solve(x["a"], x["b"]) },
    algebra("triangularSolve") { x, a in
      triangularSolve(x["a"], x["b"], upper: a.bool("upper"), transposed: a.bool("transposed"))
    },
    algebra("leastSquares") { x, _ in leastSquares(x["a"], x["b"]) },
    algebra("pseudoInverse") { x, _ in pseudoInverse(x["x"]) },
    algebra("matrixExponential") { x, _ in matrixExponential(x["x"]) },
  ]
}
