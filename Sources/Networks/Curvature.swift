import CallosumTensors

/// Looking at the curvature of a loss over the parameters of a network. The loss runs several times,
/// inside one `training(using:)` with the same random numbers, and leaves no traces: batch normalisation
/// keeps its averages, `reading` sees nothing.

/// How the Hessian is multiplied with a vector.
public enum HessianProduct: Sendable {
  /// By differentiating the gradient.
  case exact
  /// (g(w + d v) - g(w - d v)) / 2d for the gradient g, with d = step |w| / |v| (|w| counts as 1 where it
  /// is 0): two gradients, for what has no second derivative.
  case centralDifferences(step: Double = 1e-3)
}

/// The Hessian of `loss` (one number) over all `parameters` together, times `vectors`.
public func hessianVectorProduct(
  by parameters: [NamedParameter], _ vectors: [Tensor], method: HessianProduct = .exact,
  of loss: () throws -> Tensor
) rethrows -> [Tensor] {
  let values = parameters.map(\.value)
  precondition(
    values.map(\.shape) == vectors.map(\.shape), "hessianVectorProduct",
    "vectors of shapes \(vectors.map(\.shape)) do not fit parameters of shapes \(values.map(\.shape))")
  let state = ThreadState.current, start = state.surroundings
  switch method {
  case .exact:
    return try state.again(in: start) {
      try hessianVectorProduct(at: values, vectors) { leaves in
        try exchanging(parameters, for: leaves, restoring: values, loss)
      }
    }
  case .centralDifferences(let step):
    precondition(step > 0, "hessianVectorProduct", "the step must be above 0, is \(step)")
    let (size, length) = (norm(of: values), norm(of: vectors))
    guard length > 0 else { return vectors }
    let distance = step * (size > 0 ? size : 1) / length
    let found = try [distance, -distance].map { factor in
      try withParameters(parameters, movedBy: vectors, times: factor) {
        try state.again(in: start) { try valueAndGradient(by: parameters, of: loss).gradients }
      }
    }
    return zip(found[0], found[1]).map { ($0 - $1) / (2 * distance) }
  }
}

/// The eigenvalue of the Hessian of `loss` that is largest in magnitude, and its eigenvector of length 1
/// (one tensor for each parameter), by power iteration from a random direction. The value is the
/// Rayleigh quotient of the last iteration; its error shrinks with (|λ₂| / |λ₁|)^2 each time.
public func largestHessianEigenvalue(
  by parameters: [NamedParameter], iterations: Int = 20, method: HessianProduct = .exact,
  using generator: inout RandomGenerator, of loss: () throws -> Tensor
) rethrows -> (value: Double, vector: [Tensor]) {
  precondition(
    iterations > 0 && !parameters.isEmpty, "largestHessianEigenvalue",
    "needs parameters and an iteration, got \(parameters.count) and \(iterations)")
  var vector = parameters.map { generator.normal($0.value.shape, dtype: $0.value.dtype) }
  var value = 0.0
  var length = norm(of: vector)
  for _ in 0..<iterations {
    vector = vector.map { $0 / length }
    let product = try hessianVectorProduct(by: parameters, vector, method: method, of: loss)
    value = dot(vector, product).item()
    length = norm(of: product)
    guard length > 0 else { return (value, vector) }
    vector = product
  }
  return (value, vector.map { $0 / length })
}
