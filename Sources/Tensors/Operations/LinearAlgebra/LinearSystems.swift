import CallosumKernels

// Systems of linear equations and functions of square matrices: the last two axes; leading axes are a
// batch. Float32 or float64. What Factorisations.swift says of matrices without a result and of those that
// are not finite holds here too.

/// X with A X = B, for square matrices A [..., n, n] and B [..., n, k]; batches broadcast. A B of one
/// axis is one vector, and so is the result for each A.
public func solve(_ a: Tensor, _ b: Tensor) -> Tensor {
  asColumns(a, b, "solve") { b in
    let (a, b) = system(a, b, "solve")
    let lu = Factors(of: a)
    requireResults(lu.status, a, "solve", wrong: singular)
    return solved(a, b, lu, transposed: false)
  }
}

/// `solve`, with a status of each matrix in place of a mistake.
/// - Returns: X, NaN where A is singular, and int32 [...]: 0, or which pivot is 0, counted from 1.
public func solveEx(_ a: Tensor, _ b: Tensor) -> (x: Tensor, info: Tensor) {
  var info = Tensor.zeros([0], dtype: .int32)
  let x = asColumns(a, b, "solveEx") { b in
    let (a, b) = system(a, b, "solveEx")
    let lu = Factors(of: a)
    info = Tensor(lu.status, a.batch)
    return solved(a, b, lu, transposed: false)
  }
  return (x, info)
}

private func system(_ a: Tensor, _ b: Tensor, _ name: StaticString) -> (Tensor, Tensor) {
  a.requireMatrices(name, square: true)
  requireFit(a, b, name, rows: a.dim(-1))
  return inOneBatch(a, b, name)
}

/// X with A X = B, or with `transposed` Aᵀ X = B, for triangular matrices A [..., n, n], whose other
/// triangle is not read, and B [..., n, k]; batches broadcast. A B of one axis is one vector.
public func triangularSolve(_ a: Tensor, _ b: Tensor, upper: Bool, transposed: Bool = false) -> Tensor {
  asColumns(a, b, "triangularSolve") { b in
    a.requireMatrices("triangularSolve", square: true)
    requireFit(a, b, "triangularSolve", rows: a.dim(-1))
    let (a, b) = inOneBatch(a, b, "triangularSolve")
    let x = b.ownCopy
    if x.size > 0 {
      let matrices = a.packed
      let status = overBatch(x.batch, results: [x]) {
        callosum_triangular_solve(
          x.dtype.kernel, x.batch.elementCount, x.dim(-2), x.dim(-1), upper, transposed, matrices.pointer,
          x.pointer, $0)
      }
      requireResults(status, a, "triangularSolve") { "is singular: entry \($0 - 1) of its diagonal is 0" }
    }
    return x.recorded(
      "triangularSolve", from: [a, b],
      byResult: { g, x in
        let gb = triangularSolve(a, g, upper: upper, transposed: !transposed)
        let ga = -matmul(transposed ? x : gb, (transposed ? gb : x).matrixTranspose)
        return [upper ? ga.triu() : ga.tril(), gb]
      })
  }
}

/// The inverse of square matrices [..., n, n]. To multiply by it, `solve` is faster and more accurate.
public func inverse(_ x: Tensor) -> Tensor {
  let (y, status) = inverted(x, "inverse")
  requireResults(status, x, "inverse", wrong: singular)
  return y
}

/// `inverse`, with a status of each matrix in place of a mistake.
/// - Returns: the inverse, NaN where there is none, and int32 [...]: 0, or which pivot is 0, counted from 1.
public func inverseEx(_ x: Tensor) -> (inverse: Tensor, info: Tensor) {
  let (y, status) = inverted(x, "inverseEx")
  return (y, Tensor(status, x.batch))
}

private func inverted(_ x: Tensor, _ name: StaticString) -> (inverse: Tensor, status: [Int32]) {
  x.requireMatrices(name, square: true)
  let lu = Factors(of: x)
  var status = lu.status
  if x.size > 0 {
    status = overBatch(x.batch, results: [lu.factors]) {
      callosum_lu_inverse(
        x.dtype.kernel, x.batch.elementCount, x.dim(-1), lu.factors.pointer,
        lu.pivots.pointer(as: Int32.self), $0)
    }
  }
  let y = lu.factors.recorded(
    name, from: x, byResult: { g, y in -matmul(matmul(y.matrixTranspose, g), y.matrixTranspose) })
  return (y, status)
}

/// The determinants [...] of square matrices [..., n, n]. The derivative needs regular ones.
public func determinant(_ x: Tensor) -> Tensor {
  x.requireMatrices("determinant", square: true)
  let lu = Factors(of: x)
  return (lu.factors.diagonals.product(axis: -1) * lu.signOfExchanges)
    .recorded("determinant", from: x, byResult: { g, y in perMatrix(g * y) * inverse(x).matrixTranspose })
}

/// The sign of the determinant and the logarithm of its magnitude, [...] each, for square matrices
/// [..., n, n]: 0 and minus infinity where the matrix is singular, where there is no derivative.
public func logDeterminant(_ x: Tensor) -> (sign: Tensor, logMagnitude: Tensor) {
  x.requireMatrices("logDeterminant", square: true)
  let lu = Factors(of: x)
  let diagonals = lu.factors.diagonals
  let magnitude = log(abs(diagonals)).sum(axis: -1)
    .recorded("logDeterminant", from: x) { perMatrix($0) * inverse(x).matrixTranspose }
  return (sign(diagonals).product(axis: -1) * lu.signOfExchanges, magnitude)
}

/// The X for which the columns of A X - B are shortest, and the shortest such X where there are several:
/// for A [..., m, n] of full rank and B [..., m, k]. A B of one axis is one vector.
public func leastSquares(_ a: Tensor, _ b: Tensor) -> Tensor {
  asColumns(a, b, "leastSquares") { b in
    a.requireMatrices("leastSquares")
    requireFit(a, b, "leastSquares", rows: a.dim(-2))
    let isTall = a.dim(-2) >= a.dim(-1)
    let (q, r) = qr(isTall ? a : a.matrixTranspose)
    requireFullRank(r, count: max(a.dim(-1), a.dim(-2)))
    return isTall
      ? triangularSolve(r, matmul(q.matrixTranspose, b), upper: true)
      : matmul(q, triangularSolve(r, b, upper: true, transposed: true))
  }
}

/// The Moore-Penrose inverse [..., n, m] of matrices [..., m, n]. Singular values below `tolerance` times
/// the largest count as 0 (nil: the rounding error of the type, times the larger of m and n). The
/// derivative is the one among matrices of the same rank.
public func pseudoInverse(_ x: Tensor, tolerance: Double? = nil) -> Tensor {
  x.requireMatrices("pseudoInverse")
  let (m, n) = (x.dim(-2), x.dim(-1))
  if x.size == 0 { return .zeros(x.batch + [n, m], dtype: x.dtype) }
  let (u, s, vt) = svd(x.unmarked)
  let bound = s.max(axis: -1, keepDims: true) * (tolerance ?? Double(max(m, n)) * roundingError(x.dtype))
  let counts = s .> bound
  let inverse = which(counts, 1 / which(counts, s, s.constant(1)), s.constant(0))
  let result = matmul(vt.matrixTranspose * inverse.expandedDimensions(axis: -2), u.matrixTranspose)
  return result.recorded(
    "pseudoInverse", from: x,
    byResult: { g, p in
      let (pt, gt) = (p.matrixTranspose, g.matrixTranspose)
      let outsideRows = matmul(gt, p) - matmul(x, matmul(p, matmul(gt, p)))
      let outsideColumns = matmul(p, gt) - matmul(matmul(matmul(p, gt), p), x)
      return matmul(outsideRows, pt) + matmul(pt, outsideColumns) - matmul(matmul(pt, g), pt)
    })
}

// MARK: Pieces

/// The triangular factors of the transposes of square matrices, with the row exchanges they took.
private struct Factors {
  let factors: Tensor, pivots: Tensor
  /// Of each matrix: 0, or which pivot is 0, counted from 1.
  let status: [Int32]

  init(of x: Tensor) {
    let factors = x.ownCopy, pivots = Tensor(uninitialized: x.batch + [x.dim(-1)], .int32)
    (self.factors, self.pivots) = (factors, pivots)
    guard x.size > 0 else {
      status = [Int32](repeating: 0, count: x.batch.elementCount)
      return
    }
    // What a singular matrix has of factors is of use for its determinant.
    status = overBatch(x.batch, results: []) {
      callosum_lu(
        x.dtype.kernel, x.batch.elementCount, x.dim(-1), factors.pointer, pivots.pointer(as: Int32.self), $0)
    }
  }

  /// -1 for each matrix whose rows were exchanged an odd number of times, else 1.
  var signOfExchanges: Tensor {
    let count = pivots.dim(-1)
    let exchanged = pivots .!= Tensor.arange(count) + 1
    let odd = exchanged.asType(.int32).sum(axis: -1) % 2
    return 1 - odd.asType(factors.dtype) * 2
  }
}

private func singular(_ pivot: Int) -> String { "is singular: pivot \(pivot - 1) is 0" }

/// X with A X = B or Aᵀ X = B, all of one batch, from the factors of A; NaN where it is singular.
private func solved(_ a: Tensor, _ b: Tensor, _ lu: Factors, transposed: Bool) -> Tensor {
  // LAPACK wants the columns of B one after the other.
  let columns = b.matrixTranspose.ownCopy
  if columns.size > 0 {
    _ = overBatch(b.batch, finite: lu.status.map { $0 == 0 }, results: [columns]) {
      callosum_lu_solve(
        b.dtype.kernel, b.batch.elementCount, b.dim(-2), b.dim(-1), transposed, lu.factors.pointer,
        lu.pivots.pointer(as: Int32.self), columns.pointer, $0)
    }
  }
  return columns.matrixTranspose.recorded(
    "solve", from: [a, b],
    byResult: { g, x in
      let gb = solved(a, g, lu, transposed: !transposed)
      return [-matmul(transposed ? x : gb, (transposed ? gb : x).matrixTranspose), gb]
    })
}

/// Lets `body` see a vector B as one column, and gives back vectors for it.
private func asColumns(
  _ a: Tensor, _ b: Tensor, _ name: StaticString, _ body: (Tensor) -> Tensor
) -> Tensor {
  precondition(b.ndim > 0, name, "the right side needs an axis at least")
  return b.ndim == 1 ? body(b.expandedDimensions(axis: 1)).squeezed(axis: -1) : body(b)
}

private func requireFit(_ a: Tensor, _ b: Tensor, _ name: StaticString, rows: Int) {
  a.requireSameType(b, name)
  precondition(
    b.dim(-2) == rows, name,
    "matrices of shape \(a.shape) need \(rows) rows on the right side, got \(b.shape)")
}

private func inOneBatch(_ a: Tensor, _ b: Tensor, _ name: StaticString) -> (Tensor, Tensor) {
  let batch = broadcastShape(a.batch, b.batch, name)
  return (
    a.broadcast(to: batch + [a.dim(-2), a.dim(-1)]), b.broadcast(to: batch + [b.dim(-2), b.dim(-1)])
  )
}

/// Numbers, one for each matrix, so that they broadcast over its elements.
private func perMatrix(_ x: Tensor) -> Tensor { x.expandedDimensions(axis: -1).expandedDimensions(axis: -1) }

private func roundingError(_ type: DType) -> Double {
  type == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
}

private func requireFullRank(_ r: Tensor, count: Int) {
  guard r.size > 0 else { return }
  let diagonal = abs(r.unmarked.diagonals)
  let bound = diagonal.max(axis: -1, keepDims: true) * (Double(count) * roundingError(r.dtype))
  requireOfEachMatrix(
    (diagonal .> bound).all(axes: [-1]), "leastSquares", "has not full rank; use pseudoInverse")
}
