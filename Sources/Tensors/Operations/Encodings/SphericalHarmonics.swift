import Foundation

/// Real spherical harmonics up to a degree, at directions given as unit vectors: [..., 3] -> [..., (degree +
/// 1)²], ordered by degree l and in it by order m from -l to l.
///
/// With the sign (-1)^m and normalised so that the integral of each square over the sphere is 1, as in the
/// view-dependent colours of radiance fields: the first four are 0.2821, -0.4886 y, 0.4886 z, -0.4886 x.
/// Polynomials of the coordinates, with derivatives; vectors of another length are not normalised.
public func sphericalHarmonics(_ directions: Tensor, degree: Int) -> Tensor {
  directions.requireReal("sphericalHarmonics")
  precondition(
    directions.ndim > 0 && directions.dim(-1) == 3 && (0...20).contains(degree), "sphericalHarmonics",
    "needs directions [..., 3] and a degree from 0 to 20, got \(directions.shape) and \(degree)")
  let parts = directions.split(parts: 3, axis: -1)
  let (x, y, z) = (parts[0], parts[1], parts[2])
  var columns = [Tensor?](repeating: nil, count: (degree + 1) * (degree + 1))
  // Real and imaginary part of (x + i y)^m, and (-1)^m (2m - 1)!!, where Legendre's recursion over l begins.
  var (real, imaginary, first) = (Tensor.ones(like: x), Tensor.zeros(like: x), 1.0)
  for m in 0...degree {
    if m > 0 {
      (real, imaginary) = (real * x - imaginary * y, real * y + imaginary * x)
      first *= -Double(2 * m - 1)
    }
    var (before, legendre) = (Tensor.zeros(like: z), Tensor.ones(like: z) * first)
    for l in m...degree {
      if l > m {
        (before, legendre) = (
          legendre, (z * legendre * Double(2 * l - 1) - before * Double(l + m - 1)) * (1 / Double(l - m))
        )
      }
      // (l - m)! / (l + m)!
      let ratio = ((l - m + 1)..<(l + m + 1)).reduce(1.0) { $0 / Double($1) }
      let norm = sqrt(Double(2 * l + 1) / (4 * .pi) * ratio * (m == 0 ? 1 : 2))
      columns[l * l + l + m] = legendre * real * norm
      if m > 0 { columns[l * l + l - m] = legendre * imaginary * norm }
    }
  }
  return concatenated(columns.compactMap { $0 }, axis: -1)
}
