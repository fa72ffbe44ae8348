import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// A function of one float, what it should be, and the largest error that VectorMath.h states.
struct ElementaryFunction: Sendable, CustomTestStringConvertible {
  let name: String
  let kernel: @Sendable (Tensor) -> Tensor
  let exact: @Sendable (Double) -> Double
  /// In units of the last place, for every instruction set.
  var ulp = 0.0
  /// An error below this counts as none.
  var absolute = 0.0
  var domain: ClosedRange<Float> = -.infinity ... .infinity

  var testDescription: String { name }

  static let all: [ElementaryFunction] = [
    .init(name: "exp", kernel: exp, exact: Foundation.exp, ulp: 1.2),
    .init(name: "expm1", kernel: expm1, exact: Foundation.expm1, ulp: 1.8),
    .init(name: "log", kernel: log, exact: Foundation.log, ulp: 0.9),
    .init(name: "log1p", kernel: log1p, exact: Foundation.log1p, ulp: 1.5),
    .init(name: "sin", kernel: sin, exact: Foundation.sin, ulp: 1.6),
    .init(name: "cos", kernel: cos, exact: Foundation.cos, ulp: 1.6),
    .init(name: "tan", kernel: tan, exact: Foundation.tan, ulp: 3.6),
    .init(name: "asin", kernel: asin, exact: Foundation.asin, ulp: 1),
    .init(name: "acos", kernel: acos, exact: Foundation.acos, ulp: 1),
    .init(name: "atan", kernel: atan, exact: Foundation.atan, ulp: 1),
    .init(name: "sinh", kernel: sinh, exact: Foundation.sinh, ulp: 2),
    .init(name: "cosh", kernel: cosh, exact: Foundation.cosh, ulp: 2),
    .init(name: "tanh", kernel: tanh, exact: Foundation.tanh, ulp: 2.5),
    .init(name: "erf", kernel: erf, exact: Foundation.erf, ulp: 1.4),
    .init(name: "sigmoid", kernel: sigmoid, exact: logistic, ulp: 2.4),
    .init(
      name: "silu", kernel: silu, exact: { $0 == -.infinity ? -0.0 : $0 * logistic($0) }, ulp: 4,
      absolute: 1e-43),
    .init(
      name: "softplus", kernel: softplus,
      exact: { max($0, 0) + Foundation.log1p(Foundation.exp(-$0.magnitude)) }, ulp: 1.8),
    .init(name: "gelu", kernel: gelu, exact: normalGate, absolute: 2.4e-7, domain: -8...8),
    .init(name: "gelu, positive", kernel: gelu, exact: normalGate, ulp: 7, domain: 0 ... .infinity),
    .init(name: "gelu, negative tail", kernel: gelu, exact: normalGate, ulp: 14, domain: -5 ... -0.0),
    .init(
      name: "gelu'", kernel: { x in gradient(at: x) { gelu($0).sum() } },
      exact: { x in
        0.5 * erfc(-x / 2.0.squareRoot())
          + (x.isInfinite ? 0 : x * Foundation.exp(-x * x / 2) / (2 * Double.pi).squareRoot())
      }, absolute: 2.3e-7),
    .init(
      name: "silu'", kernel: { x in gradient(at: x) { silu($0).sum() } },
      exact: { x in
        x.isInfinite ? (x > 0 ? 1 : 0) : logistic(x) * (1 + x * logistic(-x))
      }, absolute: 2e-7),
    .init(name: "sqrt", kernel: sqrt, exact: { $0.squareRoot() }, ulp: 0.5),
    .init(name: "reciprocal", kernel: reciprocal, exact: { 1 / $0 }, ulp: 0.5),
    .init(name: "rsqrt", kernel: rsqrt, exact: { 1 / $0.squareRoot() }, ulp: 1.5),
  ]
}

private func logistic(_ x: Double) -> Double {
  x < 0 ? Foundation.exp(x) / (1 + Foundation.exp(x)) : 1 / (1 + Foundation.exp(-x))
}

private func normalGate(_ x: Double) -> Double {
  x == .infinity ? x : x * (0.5 * erfc(-x / 2.0.squareRoot()))
}

extension TensorTests {
  /// The accuracy that VectorMath.h states, over a sweep through all floats, infinities, NaN and
  /// denormal numbers among them, by each instruction set.
  @Suite struct ElementaryFunctions {
    /// Every so many floats are tried: 3 million.
    private static let step = 1433

    @Test(arguments: ElementaryFunction.all) func accuracy(_ function: ElementaryFunction) {
      let inputs = stride(from: 0, to: 1 << 32, by: Self.step)
        .map { Float(bitPattern: UInt32($0)) }
        .filter { $0.isNaN || function.domain.contains($0) }
      let x = Tensor(inputs)
      let wanted = inputs.map { function.exact(Double($0)) }
      for setting in Setting.ofKernels where !setting.threadsTinyArrays {
        let found: [Float] = setting.run { function.kernel(x) }.asArray()
        var worst = 0.0
        var at = 0
        for index in wanted.indices {
          let error = errorInUlp(found[index], wanted[index], absolute: function.absolute)
          if error > worst { (worst, at) = (error, index) }
        }
        // 0.05 for what the statement rounds off.
        #expect(
          worst <= function.ulp + 0.05,
          "\(function.name)(\(inputs[at])) is \(found[at]) instead of \(wanted[at]) by \(setting): \(worst) ulp"
        )
      }
    }

    /// The error in units of the last place that `wanted` has as a float.
    private func errorInUlp(_ found: Float, _ wanted: Double, absolute: Double) -> Double {
      if wanted.isNaN || found.isNaN { return wanted.isNaN && found.isNaN ? 0 : .infinity }
      let value = Double(found)
      let largest = Double(Float.greatestFiniteMagnitude)
      // An infinity counts as the number after the largest float, as rounding sees it.
      let next = largest + Double(Float.greatestFiniteMagnitude.ulp)
      func finite(_ x: Double) -> Double { min(max(x, -next), next) }
      let error = (finite(value) - finite(wanted)).magnitude
      if error <= absolute { return 0 }
      let exponent = max(
        Double(wanted.magnitude < 1e-300 ? 1e-300 : min(wanted.magnitude, largest)).exponent, -126)
      return error / Double(sign: .plus, exponent: exponent - 23, significand: 1)
    }
  }
}
