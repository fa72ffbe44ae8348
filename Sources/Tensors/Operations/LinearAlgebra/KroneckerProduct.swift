/// The Kronecker product of a [..., m, n] and b [..., p, q]: [..., m p, n q], every element of a times the
/// whole of b. For its product with vectors see `kroneckerMatmul`.
public func kronecker(_ a: Tensor, _ b: Tensor) -> Tensor {
  precondition(a.ndim > 1 && b.ndim > 1, "kronecker", "needs two matrices, got \(a.shape) and \(b.shape)")
  let product =
    a.expandedDimensions(axis: -1).expandedDimensions(axis: -3)
    * b.expandedDimensions(axis: -2).expandedDimensions(axis: -4)
  return product.reshaped(
    product.shape.dropLast(4) + [a.dim(-2) * b.dim(-2), a.dim(-1) * b.dim(-1)])
}

/// (a ⊗ b) x for vectors x [..., n q], with a [m, n] and b [p, q]: [..., m p], by two small products and
/// without the matrix of m p by n q elements.
public func kroneckerMatmul(_ a: Tensor, _ b: Tensor, _ x: Tensor) -> Tensor {
  precondition(
    a.ndim == 2 && b.ndim == 2 && x.ndim > 0 && x.dim(-1) == a.dim(1) * b.dim(1), "kroneckerMatmul",
    "matrices \(a.shape) and \(b.shape) do not fit vectors \(x.shape)")
  let (m, n, p, q) = (a.dim(0), a.dim(1), b.dim(0), b.dim(1))
  let table = x.reshaped(x.shape.dropLast() + [n, q]), turned = b.transposed()
  // Whichever leaves less to the second product.
  let y =
    m * q * (n + p) <= n * p * (q + m)
    ? matmul(matmul(a, table), turned) : matmul(a, matmul(table, turned))
  return y.reshaped(x.shape.dropLast() + [m * p])
}
