import CallosumKernels

/// The same numbers as `linear`, x wᵀ + b, for an x that is mostly 0, such as spikes: time goes with
/// the share of its elements that are not 0. Where that is more than a quarter, or the result is
/// narrow, a dense product is faster and is what is computed.
///
/// - Parameters:
///   - x: [..., inputs].
///   - w: weight, [outputs, inputs].
///   - b: bias, [outputs].
public func sparseLinear(_ x: Tensor, weight w: Tensor, bias b: Tensor? = nil) -> Tensor {
  precondition(
    x.ndim > 0 && w.ndim == 2 && x.dim(-1) == w.dim(1), "sparseLinear",
    "axis width must be \(w.shape.last ?? 0), is \(x.shape.last ?? 0); input \(x.shape), weight \(w.shape)")
  realType(of: [x, w] + (b.map { [$0] } ?? []), "sparseLinear")
  guard w.dim(0) >= 32, x.dtype == .float32, x.size > 0, x.size <= Int(Int32.max),
    let (pattern, values) = SparsePattern.ofElements(of: x, atMost: 0.25)
  else { return linear(x, weight: w, bias: b) }
  let outputs = w.dim(0)
  let y = fused(
    "sparseLinear", [x, w],
    reference: { linear($0[0], weight: $0[1]) },
    fast: { inputs in
      let table = inputs[1].transposed().packed
      let product = pattern.product(values, table, transposed: false).product ?? table
      ThreadState.count(multiplyAccumulates: pattern.entries * outputs)
      return (
        product.reshaped(Array(x.shape.dropLast()) + [outputs]),
        { g, needsGradient in
          let rows = g.packed.reshaped([pattern.rows, outputs])
          return [
            needsGradient[0] ? matmul(g, inputs[1]) : nil,
            needsGradient[1] ? pattern.product(values, rows, transposed: true).product?.transposed() : nil,
          ]
        }
      )
    })
  return b.map { y + $0 } ?? y
}
