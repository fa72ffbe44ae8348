/// Derivatives of functions with many results, by several passes over one record.

/// The Jacobian of `function` at `x`: the derivative of each element of the result by each element of x.
///
/// - Parameter rows: the elements of the result to differentiate (places in row-major order); nil for
///   all of them.
/// - Returns: result shape + x shape; with `rows`, [rows] + x shape. One backward pass for each row.
public func jacobian(at x: Tensor, rows: [Int]? = nil, of function: (Tensor) throws -> Tensor) rethrows
  -> Tensor
{
  let (values, pullback) = try valueAndPullback(at: [x]) { [try function($0[0])] }
  let y = values[0], count = y.size
  let found = (rows ?? Array(0..<count)).map { row in
    precondition(
      row >= 0 && row < count, "jacobian", "row \(row) does not lie in 0..<\(count), result \(y.shape)")
    return pullback([oneHot(row, y.shape, x.dtype)])[0]
  }
  if found.isEmpty { return .zeros((rows == nil ? y.shape : [0]) + x.shape, dtype: x.dtype) }
  return rows == nil ? stacked(found).reshaped(y.shape + x.shape) : stacked(found)
}

/// The Jacobian for each item of a batch, where `function` maps x [batch, ...] to y [batch, ...] and
/// treats items apart (this is not checked): [batch] + item of y + item of x. One forward pass, and one
/// backward pass over the whole batch for each element of an item of y.
public func batchJacobian(at x: Tensor, of function: (Tensor) throws -> Tensor) rethrows -> Tensor {
  let (values, pullback) = try valueAndPullback(at: [x]) { [try function($0[0])] }
  let y = values[0]
  precondition(
    x.ndim > 0 && y.ndim > 0 && x.dim(0) == y.dim(0), "batchJacobian",
    "input \(x.shape) and result \(y.shape) must share their first axis")
  let item = Array(y.shape.dropFirst()), inner = Array(x.shape.dropFirst())
  let found = (0..<item.elementCount).map { element in
    pullback([oneHot(element, item, x.dtype).broadcast(to: y.shape)])[0]
  }
  if found.isEmpty { return .zeros([x.dim(0)] + item + inner, dtype: x.dtype) }
  return stacked(found, axis: 1).reshaped([x.dim(0)] + item + inner)
}

/// The values of `function` at `inputs` and how they change along `tangents` (the Jacobian times a
/// vector), by differentiating a pullback.
public func valueAndTangent(
  at inputs: [Tensor], along tangents: [Tensor], of function: ([Tensor]) throws -> [Tensor]
) rethrows -> (values: [Tensor], tangents: [Tensor]) {
  precondition(
    inputs.count == tangents.count && zip(inputs, tangents).allSatisfy { $0.shape == $1.shape },
    "valueAndTangent",
    "inputs of shapes \(inputs.map(\.shape)) do not fit tangents of shapes \(tangents.map(\.shape))")
  let (values, pullback) = try valueAndPullback(at: inputs, of: function)
  // The pullback u -> uᵀ J is linear in u: its own pullback at any u, here 0, sends v to J v.
  let (_, twice) = valueAndPullback(at: values.map { .zeros(like: $0) }) { pullback($0) }
  return (values, twice(tangents))
}

/// The Hessian of `function` (one number) over all `inputs` together, times `vectors`: how the gradient
/// changes along them, by differentiating gradient · vectors.
public func hessianVectorProduct(
  at inputs: [Tensor], _ vectors: [Tensor], of function: ([Tensor]) throws -> Tensor
) rethrows -> [Tensor] {
  precondition(
    inputs.map(\.shape) == vectors.map(\.shape), "hessianVectorProduct",
    "vectors of shapes \(vectors.map(\.shape)) do not fit inputs of shapes \(inputs.map(\.shape))")
  if inputs.isEmpty { return [] }
  return try valueAndGradient(at: inputs) { inputs in
    dot(try valueAndGradient(at: inputs, of: function).gradients, vectors)
  }.gradients
}

/// The Hessian of `function` (one number) at `x` times `vector`.
public func hessianVectorProduct(
  at x: Tensor, _ vector: Tensor, of function: (Tensor) throws -> Tensor
) rethrows -> Tensor {
  try hessianVectorProduct(at: [x], [vector]) { try function($0[0]) }[0]
}

/// 1 at one place of `shape` in row-major order.
private func oneHot(_ place: Int, _ shape: [Int], _ dtype: DType) -> Tensor {
  (Tensor.arange(shape.elementCount) .== place).asType(dtype).reshaped(shape)
}
