import Foundation

/// The mean, spread and middle of numbers, and Student's quantile.
///
/// Foundation, the C library and swift-numerics have no incomplete beta function, and one quantile
/// does not pay for a dependency, so Student's quantile is computed here.
public enum Statistics {
  /// NaN for no values. What rounding left over is added, so that the mean of equal values is their value.
  public static func mean(_ values: [Double]) -> Double {
    let count = Double(values.count), first = values.reduce(0, +) / count
    return first.isFinite ? first + values.reduce(0) { $0 + ($1 - first) } / count : first
  }

  /// Sample standard deviation, n - 1 in the denominator; nil for fewer than two values.
  public static func standardDeviation(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let mean = mean(values)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }

  /// NaN for no values, or where one is NaN.
  public static func median(_ values: [Double]) -> Double { quantile(0.5, of: values) }

  /// The t below which Student's distribution with `degreesOfFreedom` has the given probability.
  ///
  /// Relative error below 1e-10 for 1e-12 <= probability <= 1 - 1e-12 and up to a million degrees of
  /// freedom (tested against SciPy).
  public static func studentQuantile(
    _ probability: Double, degreesOfFreedom: Double
  ) -> Double {
    precondition(probability > 0 && probability < 1, "probability \(probability)")
    precondition(degreesOfFreedom > 0, "degrees of freedom \(degreesOfFreedom)")
    if probability < 0.5 {
      return -positiveQuantile(tail: probability, degreesOfFreedom)
    }
    return positiveQuantile(tail: 1 - probability, degreesOfFreedom)
  }

  /// The probability that a number drawn from Student's distribution lies farther from 0 than `t`, on either
  /// side.
  public static func studentProbability(beyond t: Double, degreesOfFreedom: Double) -> Double {
    precondition(degreesOfFreedom > 0, "degrees of freedom \(degreesOfFreedom)")
    let square = t * t, sum = degreesOfFreedom + square
    guard sum.isFinite else { return t.isNaN ? .nan : 0 }
    return incompleteBeta(degreesOfFreedom / 2, 0.5, degreesOfFreedom / sum, complement: square / sum)
  }

  /// Solves P(T > t) = tail for t >= 0: Newton's method, kept inside a bracket that halves when a
  /// step leaves it.
  private static func positiveQuantile(tail: Double, _ degrees: Double) -> Double {
    if tail == 0.5 { return 0 }
    // With u = t² / (ν + t²), P(|T| < t) = I_u(1/2, ν/2). Near the median solve for that, in the
    // tails for its complement, so that neither is the small difference of large numbers.
    let central = 1 - 2 * tail
    func excess(_ t: Double) -> Double {
      let u = t * t / (degrees + t * t)
      let v = degrees / (degrees + t * t)
      return central < 0.5
        ? incompleteBeta(0.5, degrees / 2, u, complement: v) - central
        : 2 * tail - incompleteBeta(degrees / 2, 0.5, v, complement: u)
    }
    // Both forms rise with slope twice the density.
    func slope(_ t: Double) -> Double {
      let logarithm =
        -(degrees + 1) / 2 * log1p(t * t / degrees) - logBetaWithHalf(degrees / 2)
        - log(degrees) / 2
      return 2 * exp(logarithm)
    }
    var low = 0.0
    var high = 1.0
    while excess(high) < 0 {
      low = high
      high *= 2
    }
    var t = (low + high) / 2
    for _ in 0..<200 {
      let error = excess(t)
      if error < 0 { low = t } else { high = t }
      var next = t - error / slope(t)
      if !(next > low && next < high) { next = (low + high) / 2 }
      if abs(next - t) <= 2 * t.ulp { return next }
      t = next
    }
    return t
  }

  /// The regularised incomplete beta function I_x(a, b) with 1 - x given too, where a or b is 1/2.
  /// Continued fraction by Lentz's method (Numerical Recipes, section 6.4).
  static func incompleteBeta(
    _ a: Double, _ b: Double, _ x: Double, complement y: Double
  ) -> Double {
    if x <= 0 { return 0 }
    if y <= 0 { return 1 }
    // The fraction converges fast below the mean of the distribution only.
    if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(b, a, y, complement: x) }
    let half = logBetaWithHalf(a == 0.5 ? b : a)
    let front = exp(a * logOf(x, complement: y) + b * logOf(y, complement: x) - half) / a
    let tiny = 1e-300
    func away(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
    var c = 1.0
    var d = 1 / away(1 - (a + b) * x / (a + 1))
    var fraction = d
    for step in 1...1_000_000 {
      let m = Double(step)
      let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      d = 1 / away(1 + even * d)
      c = away(1 + even / c)
      fraction *= d * c
      let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 / away(1 + odd * d)
      c = away(1 + odd / c)
      fraction *= d * c
      if abs(d * c - 1) < 1e-15 { break }
    }
    return front * fraction
  }

  /// log x, accurate near 1 too, where 1 - x is known better than x.
  private static func logOf(_ x: Double, complement y: Double) -> Double {
    x > 0.5 ? log1p(-y) : log(x)
  }

  /// log B(a, 1/2) = log Γ(a) √π / Γ(a + 1/2). For large a the two gammas are huge and nearly equal,
  /// so their ratio comes from its asymptotic series.
  private static func logBetaWithHalf(_ a: Double) -> Double {
    let halfLogPi = 0.5 * log(Double.pi)
    if a < 50 { return lgamma(a) - lgamma(a + 0.5) + halfLogPi }
    let r = 1 / a
    let series = 1 + r * (-1.0 / 8 + r * (1.0 / 128 + r * (5.0 / 1024 + r * tail(r))))
    func tail(_ r: Double) -> Double { -21.0 / 32768 + r * (-399.0 / 262_144) }
    return halfLogPi - 0.5 * log(a) - log(series)
  }
}
