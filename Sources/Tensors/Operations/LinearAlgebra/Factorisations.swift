import CallosumKernels

// Factorisations of matrices, the last two axes; leading axes are a batch. By LAPACK, in float32 or
// float64. Derivatives follow M. Giles, "An extended collection of matrix derivative results" (2008),
// and J. Townsend, "Differentiating the singular value decomposition" (2016). A matrix that has no such
// factorisation is a mistake of data: the program stops and says which matrix of the batch it is, or, in the
// forms that end in Ex (as PyTorch's linalg.*_ex), gives NaN for it and its status. A matrix that holds NaN or
// infinity gives NaN, and the others of its batch what they give alone.

extension Tensor {
  /// Whether this is a matrix or a batch of matrices of a type that LAPACK knows; stops otherwise.
  func requireMatrices(_ name: StaticString, square: Bool = false) {
    requireReal(name)
    precondition(ndim >= 2, name, "needs at least 2 axes, got shape \(shape)")
    precondition(!square || dim(-1) == dim(-2), name, "needs square matrices, got shape \(shape)")
  }

  /// The same values in memory of its own, which LAPACK may overwrite.
  var ownCopy: Tensor {
    let result = Tensor(uninitialized: shape, dtype)
    callosum_copy(Int32(dtype.size), Int32(ndim), shape, pointer, strides, result.pointer)
    return result
  }

  /// The leading axes: the batch.
  var batch: [Int] { Array(shape.dropLast(2)) }

  /// Rows and columns exchanged.
  var matrixTranspose: Tensor { swappedAxes(-1, -2) }

  /// The diagonals of square matrices, as a view.
  var diagonals: Tensor {
    let n = dim(-1)
    return reshaped(batch + [n * n]).sliced(axis: -1, by: n + 1)
  }
}

/// Runs a LAPACK routine over a batch of matrices, and writes NaN to `results`, which are contiguous, for
/// those that are not finite and those that have no result.
/// - Returns: the status of each finite matrix, 0 where all is well; that of the others where they have one.
func overBatch(
  _ batch: [Int], finite isFinite: [Bool]? = nil, results: [Tensor],
  _ routine: (UnsafeMutablePointer<Int32>) -> Void
) -> [Int32] {
  let count = batch.elementCount
  var status = [Int32](repeating: 0, count: count)
  status.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { routine(base) } }
  for at in 0..<count where status[at] != 0 || isFinite?[at] == false {
    for result in results { result.spoil(at, of: count) }
  }
  return status
}

extension Tensor {
  /// Writes NaN to part `index` of `count` equal ones of fresh memory.
  fileprivate func spoil(_ index: Int, of count: Int) {
    let part = size / count
    if dtype == .float64 {
      (pointer(as: Double.self) + index * part).update(repeating: .nan, count: part)
    } else {
      (pointer(as: Float.self) + index * part).update(repeating: .nan, count: part)
    }
  }

  /// Whether each matrix of the batch is finite; nil if all are.
  var finiteMatrices: [Bool]? {
    let isFinite = isFinite(unmarked).all(axes: [-2, -1]).asArray(Bool.self)
    return isFinite.allSatisfy { $0 } ? nil : isFinite
  }
}

/// Stops if a matrix of the batch, being finite, has a status; `wrong` says what a positive one means.
func requireResults(
  _ status: [Int32], _ x: Tensor, _ name: StaticString, wrong: (Int) -> String
) {
  guard status.contains(where: { $0 != 0 }) else { return }
  let isFinite = x.finiteMatrices
  for (at, one) in status.enumerated() where one != 0 && isFinite?[at] != false {
    let problem = one > 0 ? wrong(Int(one)) : "has no result (LAPACK's status \(one))"
    preconditionFailure(name, "\(matrixName(at, x.batch)) \(problem)")
  }
}

/// Matrix number `at` of a batch, in words.
private func matrixName(_ at: Int, _ batch: [Int]) -> String {
  if batch.isEmpty { return "the matrix" }
  var place: [Int] = []
  var rest = at
  for size in batch.reversed() {
    place.insert(rest % size, at: 0)
    rest /= size
  }
  return "matrix \(place) of the batch \(batch)"
}

/// Stops where `holds`, of the shape of the batch, is false, and says of which matrix that is so.
func requireOfEachMatrix(_ holds: Tensor, _ name: StaticString, _ problem: String) {
  guard let at = holds.asArray(Bool.self).firstIndex(of: false) else { return }
  preconditionFailure(name, "\(matrixName(at, holds.shape)) \(problem)")
}

// MARK: QR

/// A = Q R for matrices [..., m, n]: Q [..., m, k] with orthonormal columns, R [..., k, n] upper
/// triangular, k the smaller of m and n. The derivative needs the first k columns independent.
public func qr(_ x: Tensor) -> (q: Tensor, r: Tensor) {
  x.requireMatrices("qr")
  let (m, n) = (x.dim(-2), x.dim(-1))
  if m < n {
    // The first m columns decide Q; the others follow from it.
    let parts = x.split(sizes: [m, n - m], axis: -1)
    let (q, r) = qr(parts[0])
    return (q, concatenated([r, matmul(q.matrixTranspose, parts[1])], axis: -1))
  }
  let q = Tensor(uninitialized: x.shape, x.dtype)
  let a = x.ownCopy
  if x.size > 0 {
    let status = overBatch(x.batch, finite: x.finiteMatrices, results: [a, q]) {
      callosum_qr(x.dtype.kernel, x.batch.elementCount, m, n, a.pointer, q.pointer, $0)
    }
    requireResults(status, x, "qr") { _ in "has no factorisation" }
  }
  let r = a.sliced(axis: -2, to: n).triu()
  let results = Tensor.recorded(
    "qr", results: [q, r], from: [x],
    byResults: { gradients, results in
      let (q, r) = (results[0], results[1])
      var inner = Tensor.zeros(like: r)
      if let gr = gradients[1] { inner = inner + matmul(r, gr.matrixTranspose) }
      if let gq = gradients[0] { inner = inner - matmul(gq.matrixTranspose, q) }
      // The symmetric matrix with this lower triangle.
      var outer = matmul(q, inner.tril() + inner.tril(k: -1).matrixTranspose)
      if let gq = gradients[0] { outer = outer + gq }
      return [triangularSolve(r, outer.matrixTranspose, upper: true).matrixTranspose]
    })
  return (results[0], results[1])
}

// MARK: Singular values

/// A = U diag(S) Vᵀ for matrices [..., m, n]: U [..., m, k], S [..., k] descending, Vᵀ [..., k, n], k the
/// smaller of m and n. The signs of singular vectors are arbitrary, and so their derivative is defined
/// only for functions that do not depend on them; singular values that such a function tells apart must
/// be distinct.
public func svd(_ x: Tensor) -> (u: Tensor, s: Tensor, vt: Tensor) {
  x.requireMatrices("svd")
  let (m, n) = (x.dim(-2), x.dim(-1))
  let k = min(m, n)
  let u = Tensor(uninitialized: x.batch + [m, k], x.dtype)
  let s = Tensor(uninitialized: x.batch + [k], x.dtype)
  let vt = Tensor(uninitialized: x.batch + [k, n], x.dtype)
  decompose(x, u, s, vt)
  let results = Tensor.recorded(
    "svd", results: [u, s, vt], from: [x],
    byResults: { gradients, results in
      [svdGradient(gradients[0], gradients[1], gradients[2], u: results[0], s: results[1], vt: results[2])]
    })
  return (results[0], results[1], results[2])
}

/// The singular values [..., k] of matrices [..., m, n], descending; k is the smaller of m and n.
public func singularValues(_ x: Tensor) -> Tensor {
  // The derivative needs the vectors.
  if let tape = ThreadState.current.tape, tape.index(of: x) >= 0 { return svd(x).s }
  x.requireMatrices("singularValues")
  let s = Tensor(uninitialized: x.batch + [min(x.dim(-2), x.dim(-1))], x.dtype)
  decompose(x, nil, s, nil)
  return s
}

private func decompose(_ x: Tensor, _ u: Tensor?, _ s: Tensor, _ vt: Tensor?) {
  guard x.size > 0 else { return }
  let (a, isFinite) = iterable(x)
  let status = overBatch(x.batch, finite: isFinite, results: [u, s, vt].compactMap { $0 }) {
    callosum_svd(
      x.dtype.kernel, x.batch.elementCount, x.dim(-2), x.dim(-1), a.pointer, u?.pointer, s.pointer,
      vt?.pointer, $0)
  }
  requireResults(status, x, "svd") { "did not converge (LAPACK's status \($0))" }
}

/// A copy that LAPACK may overwrite, with zeros for the matrices that are not finite, at which iterations
/// would not end well; and which those are.
private func iterable(_ x: Tensor) -> (copy: Tensor, isFinite: [Bool]?) {
  guard let isFinite = x.finiteMatrices else { return (x.ownCopy, nil) }
  return (which(Tensor(isFinite, x.batch + [1, 1]), x.unmarked, x.constant(0)).packed.ownCopy, isFinite)
}

private func svdGradient(
  _ gu: Tensor?, _ gs: Tensor?, _ gvt: Tensor?, u: Tensor, s: Tensor, vt: Tensor
) -> Tensor {
  let (m, n, k) = (u.dim(-2), vt.dim(-1), s.dim(-1))
  let row = s.expandedDimensions(axis: -2), column = s.expandedDimensions(axis: -1)
  // 1 / (s_j² - s_i²), 0 on the diagonal and between equal values.
  let gaps = reciprocalOrZero((row - column) * (row + column))
  let inverse = reciprocalOrZero(s)
  var middle = Tensor.zeros(s.shape + [k], dtype: s.dtype)
  if let gs { middle = middle + gs.expandedDimensions(axis: -1) * .eye(k, dtype: s.dtype) }
  if let gu {
    let turn = gaps * matmul(u.matrixTranspose, gu)
    middle = middle + (turn + turn.matrixTranspose) * row
  }
  if let gvt {
    let turn = gaps * matmul(vt, gvt.matrixTranspose)
    middle = middle + column * (turn + turn.matrixTranspose)
  }
  var g = matmul(matmul(u, middle), vt)
  // What leaves the spaces that U and V span.
  if let gu, m > k {
    let outside = gu - matmul(u, matmul(u.matrixTranspose, gu))
    g = g + matmul(outside * inverse.expandedDimensions(axis: -2), vt)
  }
  if let gvt, n > k {
    let outside = gvt - matmul(matmul(gvt, vt.matrixTranspose), vt)
    g = g + matmul(u, outside * inverse.expandedDimensions(axis: -1))
  }
  return g
}

/// 1 / x, and 0 where x is 0.
private func reciprocalOrZero(_ x: Tensor) -> Tensor {
  let isZero = x .== 0
  return which(isZero, x.constant(0), 1 / which(isZero, x.constant(1), x))
}

// MARK: Symmetric eigenvalues

/// A = V diag(w) Vᵀ for symmetric matrices [..., n, n]: eigenvalues w [..., n] ascending, and eigenvectors
/// as the columns of V [..., n, n]. Only the lower triangle is read; the derivative is the symmetric one.
/// What `svd` says of signs and of equal values holds here too.
public func eigh(_ x: Tensor) -> (values: Tensor, vectors: Tensor) {
  x.requireMatrices("eigh", square: true)
  let (w, rows) = eigenvalues(x, vectors: true)
  let results = Tensor.recorded(
    "eigh", results: [w, rows.matrixTranspose], from: [x],
    byResults: { gradients, results in
      let (w, v) = (results[0], results[1])
      var middle = Tensor.zeros(v.shape, dtype: v.dtype)
      if let gw = gradients[0] {
        middle = middle + gw.expandedDimensions(axis: -1) * .eye(w.dim(-1), dtype: w.dtype)
      }
      if let gv = gradients[1] {
        let gaps = reciprocalOrZero(w.expandedDimensions(axis: -2) - w.expandedDimensions(axis: -1))
        middle = middle + gaps * matmul(v.matrixTranspose, gv)
      }
      return [symmetric(matmul(matmul(v, middle), v.matrixTranspose))]
    })
  return (results[0], results[1])
}

/// The eigenvalues [..., n] of symmetric matrices [..., n, n], ascending; see `eigh`.
public func eigvalsh(_ x: Tensor) -> Tensor {
  // The derivative needs the vectors.
  if let tape = ThreadState.current.tape, tape.index(of: x) >= 0 { return eigh(x).values }
  x.requireMatrices("eigvalsh", square: true)
  return eigenvalues(x, vectors: false).values
}

private func eigenvalues(_ x: Tensor, vectors: Bool) -> (values: Tensor, rows: Tensor) {
  let n = x.dim(-1)
  let w = Tensor(uninitialized: x.batch + [n], x.dtype)
  guard x.size > 0 else { return (w, x.ownCopy) }
  let (a, isFinite) = iterable(x)
  let status = overBatch(x.batch, finite: isFinite, results: [a, w]) {
    callosum_eigh(x.dtype.kernel, x.batch.elementCount, n, vectors, a.pointer, w.pointer, $0)
  }
  requireResults(status, x, "eigh") { "did not converge (LAPACK's status \($0))" }
  return (w, a)
}

/// (A + Aᵀ) / 2
private func symmetric(_ x: Tensor) -> Tensor { (x + x.matrixTranspose) * 0.5 }

// MARK: Cholesky

/// The lower triangular L with A = L Lᵀ, for symmetric positive definite matrices [..., n, n]. Only the
/// lower triangle is read; the derivative is the symmetric one.
public func cholesky(_ x: Tensor) -> Tensor {
  let (l, status) = factored(x, "cholesky")
  requireResults(status, x, "cholesky") {
    "is not positive definite: its leading minor of order \($0) is not"
  }
  return l
}

/// `cholesky`, with a status of each matrix in place of a mistake.
/// - Returns: L, NaN where there is none, and int32 [...]: 0, or the order of the first leading minor that is
///   not positive definite.
public func choleskyEx(_ x: Tensor) -> (l: Tensor, info: Tensor) {
  let (l, status) = factored(x, "choleskyEx")
  return (l, Tensor(status, x.batch))
}

private func factored(_ x: Tensor, _ name: StaticString) -> (l: Tensor, status: [Int32]) {
  x.requireMatrices(name, square: true)
  let n = x.dim(-1)
  let a = x.ownCopy
  var status = [Int32](repeating: 0, count: x.batch.elementCount)
  if x.size > 0 {
    status = overBatch(x.batch, results: [a]) {
      callosum_cholesky(x.dtype.kernel, x.batch.elementCount, n, a.pointer, $0)
    }
  }
  let l = a.tril().recorded(
    name, from: x,
    byResult: { g, l in
      let product = matmul(l.matrixTranspose, g)
      let half = product.tril() - product * Tensor.eye(n, dtype: g.dtype) * 0.5
      let left = triangularSolve(l, half, upper: false, transposed: true)
      return symmetric(triangularSolve(l, left.matrixTranspose, upper: false, transposed: true))
    })
  return (l, status)
}
