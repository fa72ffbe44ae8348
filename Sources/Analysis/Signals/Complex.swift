import Foundation

/// A complex number, for the poles of filters; tensors hold theirs as pairs.
struct Complex {
  var real, imaginary: Double

  init(_ real: Double, _ imaginary: Double = 0) { (self.real, self.imaginary) = (real, imaginary) }

  /// exp(i angle)
  init(angle: Double) { self.init(cos(angle), sin(angle)) }

  var magnitude: Double { hypot(real, imaginary) }

  /// The root with a real part of at least 0.
  var squareRoot: Complex {
    let size = ((magnitude + abs(real)) / 2).squareRoot()
    if size == 0 { return Complex(0) }
    let other = imaginary / (2 * size)
    return real >= 0 ? Complex(size, other) : Complex(abs(other), imaginary < 0 ? -size : size)
  }

  static func + (a: Complex, b: Complex) -> Complex { Complex(a.real + b.real, a.imaginary + b.imaginary) }
  static func - (a: Complex, b: Complex) -> Complex { Complex(a.real - b.real, a.imaginary - b.imaginary) }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Complex, b: Complex) -> Complex {
    let square = b.real * b.real + b.imaginary * b.imaginary
    return Complex(
      (a.real * b.real + a.imaginary * b.imaginary) / square,
      (a.imaginary * b.real - a.real * b.imaginary) / square)
  }
}
