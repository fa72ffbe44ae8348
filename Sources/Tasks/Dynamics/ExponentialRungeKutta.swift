import CallosumTensors
import Foundation

/// Fourth-order exponential time differencing (ETDRK4, Cox and Matthews 2002) for dv/dt = L v + N(v), L
/// real and diagonal, as it is for the frequencies of a periodic field.
///
/// The coefficients are means over a circle around L h (Kassam and Trefethen 2005), since the plain formulas
/// cancel where L h is small.
package struct ExponentialRungeKutta {
  private let whole, half, q, f1, f2, f3: Tensor

  /// - Parameters:
  ///   - linear: L, one number per frequency.
  ///   - step: h, the time of a step.
  package init(linear: [Double], step h: Double) {
    func mean(_ formula: (Complex) -> Complex) -> Tensor {
      let points = 32
      let values = linear.map { l in
        // The mean over the upper half suffices for real L: the lower one is its conjugate.
        (0..<points).reduce(0.0) { sum, j in
          let angle = Double.pi * (Double(j) + 0.5) / Double(points)
          return sum + formula(Complex(h * l + cos(angle), sin(angle))).real
        } / Double(points) * h
      }
      return Tensor(values, [linear.count, 1])
    }
    whole = Tensor(linear.map { Foundation.exp(h * $0) }, [linear.count, 1])
    half = Tensor(linear.map { Foundation.exp(h * $0 / 2) }, [linear.count, 1])
    let (one, two, three, four) = (Complex(1), Complex(2), Complex(3), Complex(4))
    q = mean { z in ((z / two).exponential - one) / z }
    f1 = mean { z in
      let bracket = four - three * z + z * z
      return (z.exponential * bracket - four - z) / (z * z * z)
    }
    f2 = mean { z in (two + z + z.exponential * (z - two)) / (z * z * z) }
    f3 = mean { z in (z.exponential * (four - z) - four - three * z - z * z) / (z * z * z) }
  }

  /// `v` [..., frequencies, 2] (float64) one step later.
  package func step(_ v: Tensor, _ nonlinear: (Tensor) -> Tensor) -> Tensor {
    let n = nonlinear(v), relaxed = half * v
    let a = relaxed + q * n
    let na = nonlinear(a)
    let nb = nonlinear(relaxed + q * na)
    let nc = nonlinear(half * a + q * (2 * nb - n))
    return whole * v + f1 * n + 2 * f2 * (na + nb) + f3 * nc
  }
}

/// As much complex arithmetic as the coefficients need.
private struct Complex {
  var real, imaginary: Double
  init(_ real: Double, _ imaginary: Double = 0) {
    self.real = real
    self.imaginary = imaginary
  }
  var exponential: Complex {
    let size = Foundation.exp(real)
    return Complex(size * Foundation.cos(imaginary), size * Foundation.sin(imaginary))
  }
  static func + (a: Complex, b: Complex) -> Complex {
    Complex(a.real + b.real, a.imaginary + b.imaginary)
  }
  static func - (a: Complex, b: Complex) -> Complex {
    Complex(a.real - b.real, a.imaginary - b.imaginary)
  }
  static func * (a: Complex, b: Complex) -> Complex {
    let real = a.real * b.real - a.imaginary * b.imaginary
    return Complex(real, a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Complex, b: Complex) -> Complex {
    let size = b.real * b.real + b.imaginary * b.imaginary
    let real = a.real * b.real + a.imaginary * b.imaginary
    return Complex(real / size, (a.imaginary * b.real - a.real * b.imaginary) / size)
  }
}

/// Turns frequencies [..., n / 2 + 1, 2] of a field u of n points into those of -1/2 d(u²)/dx, with the upper
/// third of frequencies left out (Orszag 1971).
struct AdvectionTerm {
  private let points: Int
  private let factor: Tensor

  init(points: Int, length: Double) {
    self.points = points
    factor = Tensor(
      (0...points / 2).flatMap { k -> [Double] in
        // The derivative of the highest frequency of an even grid is no frequency of it.
        3 * k > points ? [0, 0] : [0, -Double.pi * Double(k) / length]
      }, [points / 2 + 1, 2])
  }

  func callAsFunction(_ v: Tensor) -> Tensor {
    complexMultiply(rfft(square(irfft(v, length: points))), factor)
  }
}
