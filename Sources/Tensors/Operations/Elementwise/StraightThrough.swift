// Functions whose derivative is replaced, because they have none that is of use, or to change what
// flows back. The step function with a surrogate derivative is `spike`.

/// The value of `forward` at `x` with the derivative of `backward` (Bengio et al. 2013): both give the
/// same shape. Without `backward` the gradient passes unchanged, for which `forward` keeps the shape.
public func straightThrough(
  _ x: Tensor, forward: (Tensor) -> Tensor, backward: @escaping (Tensor) -> Tensor = { $0 }
) -> Tensor {
  withDerivative("straightThrough", at: [x], of: { forward($0[0]) }) { g, inputs, _ in
    valueAndPullback(at: inputs) { [backward($0[0])] }.pullback([g])
  }
}

/// x rounded to integers, to even; gradients pass.
public func roundStraightThrough(_ x: Tensor) -> Tensor { straightThrough(x, forward: { round($0) }) }

/// 1 where x >= 0, else -1 (NaN for NaN); gradients pass where |x| <= 1 (Hubara et al. 2016).
public func signStraightThrough(_ x: Tensor) -> Tensor {
  straightThrough(
    x, forward: { which(isNaN($0), $0, which($0 .>= 0, $0.constant(1), $0.constant(-1))) },
    backward: { clip($0, min: -1, max: 1) })
}

/// x, with gradients multiplied by `factor` on their way back: 0.1 slows what lies below, -1 turns it
/// round (the gradient reversal of Ganin et al. 2016).
public func gradientScaled(_ x: Tensor, by factor: Double) -> Tensor {
  withDerivative("gradientScaled", at: [x], of: { $0[0] }) { g, _, _ in [g * factor] }
}
