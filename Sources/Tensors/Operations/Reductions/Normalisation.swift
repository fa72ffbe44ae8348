import CallosumKernels

// Normalisation: subtract a mean, divide by a standard deviation, scale and shift. The methods
// differ in the elements that share their statistics.

private func requireScale(_ scale: Tensor?, _ width: Int, _ name: StaticString, _ what: String) {
  guard let scale else { return }
  precondition(
    scale.shape == [width], name, "\(what) has shape \(scale.shape), the input asks for [\(width)]")
}

/// Layer normalisation over the last axis: (x - mean) / sqrt(variance + epsilon) * weight + bias.
/// weight and bias have shape [width].
public func layerNorm(
  _ x: Tensor, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
) -> Tensor {
  precondition(x.ndim > 0, "layerNorm", "needs at least one axis")
  let width = x.dim(-1)
  requireScale(weight, width, "layerNorm", "weight")
  requireScale(bias, width, "layerNorm", "bias")
  let present = [weight != nil, bias != nil]
  return fused(
    "layerNorm", [x] + [weight, bias].compactMap { $0 },
    reference: { inputs in
      var rest = inputs.dropFirst()
      let (mean, variance) = inputs[0].moments(axes: [-1])
      var y = (inputs[0] - mean) * rsqrt(variance + epsilon)
      if present[0] { y = y * rest.removeFirst() }
      if present[1] { y = y + rest.removeFirst() }
      return y
    },
    fast: { inputs in
      var rest = inputs.dropFirst()
      let x = inputs[0].packed
      let weight = present[0] ? rest.removeFirst().packed : nil
      let bias = present[1] ? rest.removeFirst().packed : nil
      let rows = width == 0 ? 0 : x.size / width
      let y = Tensor(uninitialized: x.shape, .float32)
      let mean = Tensor(uninitialized: [rows], .float32), rstd = Tensor(uninitialized: [rows], .float32)
      callosum_layer_norm(
        x.pointer(as: Float.self), weight?.pointer(as: Float.self), bias?.pointer(as: Float.self),
        Float(epsilon), y.pointer(as: Float.self), mean.pointer(as: Float.self),
        rstd.pointer(as: Float.self), rows, width)
      return (
        y,
        { g, needsGradient in
          let g = g.packed
          let gx = needsGradient[0] ? Tensor(uninitialized: x.shape, .float32) : nil
          let gw = present[0] && needsGradient[1] ? Tensor(uninitialized: [width], .float32) : nil
          let biasAt = present[0] ? 2 : 1
          let gb = present[1] && needsGradient[biasAt] ? Tensor(uninitialized: [width], .float32) : nil
          callosum_layer_norm_backward(
            x.pointer(as: Float.self), weight?.pointer(as: Float.self),
            mean.pointer(as: Float.self), rstd.pointer(as: Float.self), g.pointer(as: Float.self),
            gx?.pointer(as: Float.self), gw?.pointer(as: Float.self), gb?.pointer(as: Float.self),
            rows, width)
          return [gx] + (present[0] ? [gw] : []) + (present[1] ? [gb] : [])
        }
      )
    })
}

/// Root-mean-square normalisation over the last axis: x / sqrt(mean(x²) + epsilon) * weight.
public func rmsNorm(_ x: Tensor, weight: Tensor? = nil, epsilon: Double = 1e-5) -> Tensor {
  precondition(x.ndim > 0, "rmsNorm", "needs at least one axis")
  let width = x.dim(-1)
  requireScale(weight, width, "rmsNorm", "weight")
  return fused(
    "rmsNorm", [x] + (weight.map { [$0] } ?? []),
    reference: { inputs in
      let y = inputs[0] * rsqrt(square(inputs[0]).mean(axis: -1, keepDims: true) + epsilon)
      return inputs.count > 1 ? y * inputs[1] : y
    },
    fast: { inputs in
      let x = inputs[0].packed
      let weight = inputs.count > 1 ? inputs[1].packed : nil
      let rows = width == 0 ? 0 : x.size / width
      let y = Tensor(uninitialized: x.shape, .float32)
      let rstd = Tensor(uninitialized: [rows], .float32)
      callosum_rms_norm(
        x.pointer(as: Float.self), weight?.pointer(as: Float.self), Float(epsilon),
        y.pointer(as: Float.self), rstd.pointer(as: Float.self), rows, width)
      return (
        y,
        { g, needsGradient in
          let g = g.packed
          let gx = needsGradient[0] ? Tensor(uninitialized: x.shape, .float32) : nil
          let gw = weight != nil && needsGradient[1] ? Tensor(uninitialized: [width], .float32) : nil
          callosum_rms_norm_backward(
            x.pointer(as: Float.self), weight?.pointer(as: Float.self), rstd.pointer(as: Float.self),
            g.pointer(as: Float.self), gx?.pointer(as: Float.self), gw?.pointer(as: Float.self),
            rows, width)
          return weight == nil ? [gx] : [gx, gw]
        }
      )
    })
}

/// Group normalisation of x [batch, ..., channels]: the channels of a group share their statistics
/// with all positions of their item. weight and bias have shape [channels].
public func groupNorm(
  _ x: Tensor, groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
) -> Tensor {
  realType(of: [x] + [weight, bias].compactMap { $0 }, "groupNorm")
  precondition(x.ndim >= 2, "groupNorm", "needs [batch, ..., channels], got \(x.shape)")
  let channels = x.dim(-1)
  precondition(
    groups > 0 && channels % groups == 0, "groupNorm",
    "\(channels) channels do not divide into \(groups) groups")
  requireScale(weight, channels, "groupNorm", "weight")
  requireScale(bias, channels, "groupNorm", "bias")
  let parts = x.reshaped([x.dim(0), Array(x.shape[1..<(x.ndim - 1)]).elementCount, groups, channels / groups])
  let (mean, variance) = parts.moments(axes: [1, 3])
  var y = ((parts - mean) * rsqrt(variance + epsilon)).reshaped(x.shape)
  if let weight { y = y * weight }
  if let bias { y = y + bias }
  return y
}

/// Batch normalisation of x [..., channels] by given statistics, [channels] each:
/// (x - mean) / sqrt(variance + epsilon) * weight + bias.
public func batchNorm(
  _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor? = nil, bias: Tensor? = nil,
  epsilon: Double = 1e-5
) -> Tensor {
  realType(of: [x, mean, variance] + [weight, bias].compactMap { $0 }, "batchNorm")
  precondition(x.ndim >= 2, "batchNorm", "needs [batch, ..., channels], got \(x.shape)")
  for (what, statistic) in [("mean", mean), ("variance", variance), ("weight", weight), ("bias", bias)] {
    requireScale(statistic, x.dim(-1), "batchNorm", what)
  }
  var scale = rsqrt(variance + epsilon)
  if let weight { scale = scale * weight }
  let y = (x - mean) * scale
  return bias.map { y + $0 } ?? y
}
