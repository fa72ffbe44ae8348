import Foundation

// Classical numerical methods over tensors: steps of ordinary differential equations, conjugate gradients,
// Gauss's quadrature. Derivatives pass through their operations.

/// x after a step of Euler's method for dx/dt = f(t, x).
public func eulerStep(
  _ x: Tensor, at time: Double = 0, step: Double, _ f: (_ time: Double, _ x: Tensor) throws -> Tensor
) rethrows -> Tensor {
  x + (try f(time, x)) * step
}

/// x after a step of the classical Runge-Kutta method of fourth order for dx/dt = f(t, x).
public func rungeKuttaStep(
  _ x: Tensor, at time: Double = 0, step: Double, _ f: (_ time: Double, _ x: Tensor) throws -> Tensor
) rethrows -> Tensor {
  let k1 = try f(time, x)
  let k2 = try f(time + step / 2, x + k1 * (step / 2))
  let k3 = try f(time + step / 2, x + k2 * (step / 2))
  let k4 = try f(time + step, x + k3 * step)
  return x + (k1 + (k2 + k3) * 2 + k4) * (step / 6)
}

/// Solves A x = b by conjugate gradients, A being given by what it does to a vector: symmetric, positive
/// definite, linear. b is [batch, ...], each item a system of its own; one that has converged stands still.
///
/// - Parameters:
///   - tolerance: ends when every residual's norm is at most this times that of its b.
///   - limit: ends after so many products with A in any case.
///   - initial: where the search begins; zeros if nil.
/// - Returns: x like b, and the products that it took.
public func conjugateGradient(
  _ b: Tensor, tolerance: Double = 1e-8, limit: Int = 1000, initial: Tensor? = nil,
  applying product: (Tensor) throws -> Tensor
) rethrows -> (solution: Tensor, steps: Int) {
  let name: StaticString = "conjugateGradient"
  b.requireReal(name)
  precondition(b.ndim > 0, name, "needs b [batch, ...], got \(b.shape)")
  let axes = Array(1..<max(b.ndim, 1))
  func inner(_ x: Tensor, _ y: Tensor) -> Tensor {
    axes.isEmpty ? x * y : (x * y).sum(axes: axes, keepDims: true)
  }
  var x = initial ?? .zeros(like: b)
  var residual = initial == nil ? b : b - (try product(x))
  precondition(residual.shape == b.shape, name, "the product has shape \(residual.shape), b has \(b.shape)")
  var direction = residual, squares = inner(residual, residual)
  let wanted = inner(b, b) * (tolerance * tolerance)
  var steps = 0
  while steps < limit {
    let isOpen = squares.unmarked .> wanted.unmarked
    if isOpen.size == 0 || isOpen.any().item() == 0 { break }
    let image = try product(direction)
    let one = squares.constant(1), zero = squares.constant(0)
    // A converged item divides by 1 and moves by 0.
    let length = which(isOpen, squares / which(isOpen, inner(direction, image), one), zero)
    x = x + direction * length
    residual = residual - image * length
    let next = inner(residual, residual)
    direction = residual + direction * which(isOpen, next / which(isOpen, squares, one), zero)
    squares = which(isOpen, next, squares)
    steps += 1
  }
  // An item with a NaN compares with nothing and stood still.
  return (which(isNaN(wanted.unmarked), x.constant(.nan), x), steps)
}

/// Nodes and weights of Gauss's quadrature for the standard normal distribution: the mean of f(z) is
/// sum_i weights_i f(nodes_i), exact for polynomials up to degree 2 count - 1. Both float64 [count], from the
/// eigenvalues of Hermite's recurrence (Golub and Welsch 1969).
public func gaussHermite(_ count: Int) -> (nodes: Tensor, weights: Tensor) {
  precondition((1...200).contains(count), "gaussHermite", "needs from 1 to 200 nodes, got \(count)")
  var matrix = [Double](repeating: 0, count: count * count)
  for i in 1..<max(count, 1) {
    (matrix[i * count + i - 1], matrix[(i - 1) * count + i]) = (sqrt(Double(i)), sqrt(Double(i)))
  }
  let (values, vectors) = eigh(Tensor(matrix, [count, count]))
  return (values, square(vectors.sliced(axis: 0, from: 0, to: 1).squeezed(axis: 0)))
}
