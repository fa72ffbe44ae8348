import CallosumTensors
import Foundation

/// An image freed from noise such that edges stay (Rudin, Osher and Fatemi 1992):
///
///     minimise TV(u) + fidelity / 2 ||u - image||²
///
/// TV sums the lengths of the differences to the pixels below and to the right, or without `isotropic` the
/// magnitudes of both; beyond the last pixel there is none. By split Bregman iteration (Goldstein and Osher
/// 2009): the differences are variables d of their own, shrunk, and u solves (fidelity + 2 fidelity DᵀD) u =
/// ..., exactly, by cosine transform. A smaller fidelity smooths more.
///
/// - Parameters:
///   - image: [height, width] or [height, width, channels], channels each by itself.
///   - tolerance: ends when the root mean square of a step is at most this times that of the image.
///   - limit: ends after so many steps in any case.
/// - Throws: `InvalidInput` if fidelity is not above 0, or for numbers that are not finite.
public func totalVariationDenoised(
  _ image: Tensor, fidelity: Double, isotropic: Bool = true, tolerance: Double = 1e-4, limit: Int = 100
) throws -> Tensor {
  let name: StaticString = "totalVariationDenoised"
  precondition(
    image.ndim == 2 || image.ndim == 3, name,
    "needs an image [height, width] or [height, width, channels], got \(image.shape)")
  try require(
    fidelity > 0 && fidelity.isFinite, "fidelity to an image must be above 0, is \(fidelity)")
  let f = try image.observed(name, "pixels")
  if f.size == 0 { return f }
  let shrinkage = 2 * fidelity
  let flat = f.ndim - 2
  func along(_ axis: Int) -> Tensor {
    let values = (0..<f.dim(axis)).map { 2 - 2 * cos(Double.pi * Double($0) / Double(f.dim(axis))) }
    return Tensor(
      values, [1, 1, 1].prefix(axis) + [values.count] + [Int](repeating: 1, count: 1 - axis + flat))
  }
  let spectrum = fidelity + shrinkage * (along(0) + along(1))
  var u = f, d = [Tensor.zeros(like: f), .zeros(like: f)], b = d
  let wanted = tolerance * square(f).mean().item().squareRoot()
  for _ in 0..<limit {
    let right =
      f * fidelity + shrinkage * (adjointDifference(d[0] - b[0], 0) + adjointDifference(d[1] - b[1], 1))
    let cosines = dct(dct(right, axis: 0, orthonormal: true), axis: 1, orthonormal: true) / spectrum
    let next = idct(idct(cosines, axis: 0, orthonormal: true), axis: 1, orthonormal: true)
    let steps = (0...1).map { difference(next, $0) + b[$0] }
    if isotropic {
      let lengths = sqrt(square(steps[0]) + square(steps[1]))
      let share = maximum(lengths - 1 / shrinkage, 0) / maximum(lengths, 1e-300)
      d = steps.map { $0 * share }
    } else {
      d = steps.map { sign($0) * maximum(abs($0) - 1 / shrinkage, 0) }
    }
    b = zip(steps, d).map { $0 - $1 }
    let change = square(next - u).mean().item().squareRoot()
    u = next
    if change <= wanted { break }
  }
  return u
}

/// TV of an image [height, width] or [height, width, channels], as `totalVariationDenoised` has it.
public func totalVariation(_ image: Tensor, isotropic: Bool = true) -> Double {
  precondition(
    image.ndim == 2 || image.ndim == 3, "totalVariation",
    "needs an image [height, width] or [height, width, channels], got \(image.shape)")
  let u = image.requireConstant("totalVariation", "pixels").asType(.float64)
  let (down, right) = (difference(u, 0), difference(u, 1))
  return (isotropic ? sqrt(square(down) + square(right)) : abs(down) + abs(right)).sum().item()
}

/// What the next pixel has more than this one; 0 at the end.
private func difference(_ u: Tensor, _ axis: Int) -> Tensor {
  let last = u.sliced(axis: axis, from: u.dim(axis) - 1)
  return concatenated([u.sliced(axis: axis, from: 1), last], axis: axis) - u
}

/// The transpose of `difference`, for p that is 0 at the end.
private func adjointDifference(_ p: Tensor, _ axis: Int) -> Tensor {
  let first = Tensor.zeros(like: p.sliced(axis: axis, to: 1))
  return concatenated([first, p.sliced(axis: axis, to: p.dim(axis) - 1)], axis: axis) - p
}
