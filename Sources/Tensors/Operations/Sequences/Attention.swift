import CallosumKernels

/// Scaled dot-product attention, softmax(scale q kᵀ + mask) v, over q [batch, heads, queries,
/// width], k [batch, heads, keys, width] and v [batch, heads, keys, value width].
///
/// - Parameters:
///   - q: queries.
///   - k: keys.
///   - v: values.
///   - scale: 1 / sqrt(width) if nil.
///   - mask: added to the scores (floating-point) or telling which keys are seen (bool); broadcasts
///     to [batch, heads, queries, keys]. Not differentiated.
///   - bias: added to the scores too, and differentiated; broadcasts like the mask. With it the weights
///     are kept for the derivative, [batch, heads, queries, keys].
///   - causal: a query sees the keys up to its own place, counted from the last of both.
/// - Returns: [batch, heads, queries, value width]; zeros for a query that sees no key.
public func scaledDotProductAttention(
  queries q: Tensor, keys k: Tensor, values v: Tensor, scale: Double? = nil, mask: Tensor? = nil,
  bias: Tensor? = nil, causal: Bool = false
) -> Tensor {
  realType(of: [q, k, v], "scaledDotProductAttention")
  precondition(
    q.ndim == 4 && k.ndim == 4 && v.ndim == 4 && q.dim(0) == k.dim(0) && q.dim(0) == v.dim(0)
      && q.dim(1) == k.dim(1) && q.dim(1) == v.dim(1) && q.dim(3) == k.dim(3) && k.dim(2) == v.dim(2),
    "scaledDotProductAttention",
    "queries \(q.shape), keys \(k.shape) and values \(v.shape) do not fit [batch, heads, tokens, width]")
  let scale = scale ?? 1 / Double(max(q.dim(3), 1)).squareRoot()
  let scores = [q.dim(0), q.dim(1), q.dim(2), k.dim(2)]
  let added = addedMask(mask, scores, q, "scaledDotProductAttention")
  if let bias {
    let bias = addedBias(bias, scores, q, "scaledDotProductAttention")
    return mixed(q, k, v, scale, added, bias, causal)
  }
  return fused(
    "scaledDotProductAttention", [q, k, v],
    reference: { inputs in mixed(inputs[0], inputs[1], inputs[2], scale, added, nil, causal) },
    fast: { inputs in
      let (q, k, v) = (inputs[0].rowsTogether, inputs[1].rowsTogether, inputs[2].rowsTogether)
      let shape = [q.dim(0), q.dim(2), q.dim(1), v.dim(3)]
      let y = Tensor(uninitialized: shape, .float32)
      let lse = Tensor(uninitialized: [2, q.dim(0), q.dim(1), q.dim(2)], .float32)
      ThreadState.count(multiplyAccumulates: scores.elementCount * (q.dim(3) + v.dim(3)))
      let job = AttentionJob(q, k, v, mask: added, scale: scale, causal: causal)
      job.run { callosum_attention($0, y.pointer(as: Float.self), lse.pointer(as: Float.self)) }
      return (
        y.transposed(0, 2, 1, 3),
        { g, _ in
          let g = g.transposed(0, 2, 1, 3).packed
          let gradients = mirrored([q, k, v])
          job.run { description in
            callosum_attention_backward(
              description, y.pointer(as: Float.self), lse.pointer(as: Float.self),
              g.pointer(as: Float.self), gradients[0].pointer(as: Float.self),
              gradients[1].pointer(as: Float.self), gradients[2].pointer(as: Float.self))
          }
          return gradients
        }
      )
    })
}

/// The weights with which `scaledDotProductAttention` mixes values, for those who want to look at them:
/// softmax(scale q kᵀ + mask) over the keys, [batch, heads, queries, keys]; zeros for a query that sees
/// no key. Parameters as there; its result is the product of these weights and the values.
public func attentionWeights(
  queries q: Tensor, keys k: Tensor, scale: Double? = nil, mask: Tensor? = nil, bias: Tensor? = nil,
  causal: Bool = false
) -> Tensor {
  realType(of: [q, k], "attentionWeights")
  precondition(
    q.ndim == 4 && k.ndim == 4 && q.dim(0) == k.dim(0) && q.dim(1) == k.dim(1) && q.dim(3) == k.dim(3),
    "attentionWeights",
    "queries \(q.shape) and keys \(k.shape) do not fit [batch, heads, tokens, width]")
  let scores = [q.dim(0), q.dim(1), q.dim(2), k.dim(2)]
  return seenWeights(
    q, k, scale ?? 1 / Double(max(q.dim(3), 1)).squareRoot(),
    addedMask(mask, scores, q, "attentionWeights"),
    bias.map { addedBias($0, scores, q, "attentionWeights") }, causal)
}

/// A mask as something to add to the scores.
private func addedMask(_ mask: Tensor?, _ scores: [Int], _ q: Tensor, _ name: StaticString) -> Tensor? {
  guard let mask = mask?.requireConstant(name, "mask") else { return nil }
  precondition(
    mask.dtype == .bool || mask.dtype == q.dtype, name,
    "mask must be bool or \(q.dtype), is \(mask.dtype)")
  precondition(
    broadcastShape(mask.shape, scores, name) == scores, name,
    "mask \(mask.shape) does not stretch to scores \(scores)")
  return mask.dtype == .bool ? which(mask, q.constant(0), q.constant(-.infinity)) : mask
}

private func addedBias(_ bias: Tensor, _ scores: [Int], _ q: Tensor, _ name: StaticString) -> Tensor {
  precondition(
    bias.dtype == q.dtype && broadcastShape(bias.shape, scores, name) == scores, name,
    "bias \(bias.dtype) \(bias.shape) is not \(q.dtype) or does not stretch to scores \(scores)")
  return bias
}

private func seenWeights(
  _ q: Tensor, _ k: Tensor, _ scale: Double, _ added: Tensor?, _ bias: Tensor?, _ causal: Bool,
  isSeen: Tensor? = nil
) -> Tensor {
  var hidden = Tensor.zeros([q.dim(2), k.dim(2)], dtype: q.dtype)
  if causal {
    let seen = Tensor.ones([q.dim(2), k.dim(2)], dtype: .int32).tril(k: k.dim(2) - q.dim(2))
    hidden = which(seen .> 0, q.constant(0), q.constant(-.infinity))
  }
  if let added { hidden = hidden + added }
  if let bias { hidden = hidden + bias }
  let scores = matmul(q, k.swappedAxes(2, 3)) * scale + hidden
  return softmaxOfSeen(isSeen.map { which($0, scores, scores.constant(-.infinity)) } ?? scores, axis: 3)
}

/// weights [..., queries, keys] times values [..., keys, width], of the weights only those that are seen (bool,
/// broadcasts to them). 0 times what is not finite would be NaN: so zeros stand for such values, and the queries
/// that see one become NaN afterwards; in all others every bit is as it would be otherwise. So it is on the way
/// back.
package func mixSeen(_ weights: Tensor, _ values: Tensor, where isSeen: Tensor) -> Tensor {
  withDerivative(
    "mixSeen", at: [weights, values],
    of: { inputs in
      let weights = which(isSeen, inputs[0], inputs[0].constant(0)), values = inputs[1]
      let isFine = isFinite(values)
      if isFine.all().item() == 1 { return matmul(weights, values) }
      let mixed = matmul(weights, which(isFine, values, values.constant(0)))
      return which(reached(.!isFine, isSeen, weights), mixed.constant(.nan), mixed)
    }
  ) { gradient, inputs, _ in
    let ofWeights = matmul(gradient, inputs[1].swappedAxes(-1, -2))
    return [
      which(isSeen, ofWeights, ofWeights.constant(0)),
      mixSeen(inputs[0].swappedAxes(-1, -2), gradient, where: isSeen.swappedAxes(-1, -2)),
    ]
  }
}

/// Whether a query sees a row that holds one of these, [..., queries, width].
private func reached(_ isBad: Tensor, _ isSeen: Tensor, _ weights: Tensor) -> Tensor {
  matmul(isSeen.asType(weights.dtype).broadcast(to: weights.shape), isBad.asType(weights.dtype)) .> 0
}

/// The values, mixed by their weights; what is not finite reaches only the queries that see it.
private func mixed(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, _ scale: Double, _ added: Tensor?, _ bias: Tensor?, _ causal: Bool
) -> Tensor {
  if !causal && added == nil { return matmul(seenWeights(q, k, scale, nil, bias, false), v) }
  var seen = Tensor.ones([q.dim(2), k.dim(2)], dtype: .int32)
  if causal { seen = seen.tril(k: k.dim(2) - q.dim(2)) }
  var isSeen = seen .> 0
  if let added { isSeen = isSeen .&& (added .!= -.infinity) }
  let isFine = [q, k].map { isFinite(stopGradient($0)) }
  if isFine.allSatisfy({ $0.all().item() == 1 }) {
    return mixSeen(seenWeights(q, k, scale, added, bias, causal, isSeen: isSeen), v, where: isSeen)
  }
  func cleaned(_ x: Tensor, _ isFine: Tensor) -> Tensor { which(isFine, x, x.constant(0)) }
  func anyBad(_ isFine: Tensor) -> Tensor { .!isFine.all(axes: [3], keepDims: true) }
  let weights = seenWeights(
    cleaned(q, isFine[0]), cleaned(k, isFine[1]), scale, added, bias, causal, isSeen: isSeen)
  let isLost = anyBad(isFine[0]) .|| reached(anyBad(isFine[1]), isSeen, weights)
  // By a product, so that the gradients of what is lost are lost too.
  return mixSeen(weights, v, where: isSeen) * which(isLost, q.constant(.nan), q.constant(1))
}

/// What the kernel needs to know, with the tensors that its pointers point into.
private struct AttentionJob {
  let q, k, v: Tensor
  let mask: Tensor?
  let scale: Double
  let causal: Bool

  init(_ q: Tensor, _ k: Tensor, _ v: Tensor, mask: Tensor?, scale: Double, causal: Bool) {
    (self.q, self.k, self.v, self.scale, self.causal) = (q, k, v, scale, causal)
    self.mask = mask?.broadcast(to: [q.dim(0), q.dim(1), q.dim(2), k.dim(2)])
  }

  func run(_ body: (UnsafePointer<callosum_attention_job>) -> Void) {
    var job = callosum_attention_job()
    job.batch = q.dim(0)
    job.heads = q.dim(1)
    job.queries = q.dim(2)
    job.keys = k.dim(2)
    job.width = q.dim(3)
    job.value_width = v.dim(3)
    job.q = UnsafePointer(q.pointer(as: Float.self))
    job.k = UnsafePointer(k.pointer(as: Float.self))
    job.v = UnsafePointer(v.pointer(as: Float.self))
    let (sq, sk, sv) = (q.strides, k.strides, v.strides)
    (job.q_batch, job.q_head, job.q_token) = (sq[0], sq[1], sq[2])
    (job.k_batch, job.k_head, job.k_token) = (sk[0], sk[1], sk[2])
    (job.v_batch, job.v_head, job.v_token) = (sv[0], sv[1], sv[2])
    job.scale = Float(scale)
    job.causal = causal
    if let mask {
      job.mask = UnsafePointer(mask.pointer(as: Float.self))
      let s = mask.strides
      (job.mask_batch, job.mask_head, job.mask_query, job.mask_key) = (s[0], s[1], s[2], s[3])
    }
    body(&job)
  }
}

extension Tensor {
  /// Itself if the last axis is contiguous, no stride is negative and no element is met twice (its
  /// gradient could not lie likewise), as attention kernels ask.
  var rowsTogether: Tensor {
    var fits = dim(-1) <= 1 || strides[ndim - 1] == 1
    var reach = 0
    for (count, stride) in zip(shape, strides).filter({ $0.0 > 1 }).sorted(by: { $0.1 < $1.1 }) {
      fits = fits && stride > reach
      reach += (count - 1) * stride
    }
    return fits ? unmarked : packed
  }
}

/// Fresh tensors with the shapes and strides of these. Where these are slices of one tensor side by
/// side, the fresh ones are too, so that the gradients join without a copy.
func mirrored(_ tensors: [Tensor]) -> [Tensor] {
  let sameStorage = areSideBySide(tensors) ? Storage(byteCount: tensors[0].storage.byteCount) : nil
  return tensors.map { tensor in
    guard let sameStorage else {
      return Tensor(uninitialized: tensor.shape, strides: tensor.strides, tensor.dtype)
    }
    return Tensor(
      storage: sameStorage, offset: tensor.offset, shape: tensor.shape,
      strides: tensor.stridesIfNotContiguous, dtype: tensor.dtype)
  }
}

/// Whether the tensors, [batch, heads, tokens, width] with equal strides, fill different parts of
/// the tokens of one storage.
private func areSideBySide(_ tensors: [Tensor]) -> Bool {
  let first = tensors[0]
  guard
    tensors.allSatisfy({
      $0.storage === first.storage && $0.shape == first.shape && $0.strides == first.strides
    })
  else { return false }
  let (head, token) = (first.strides[1], first.strides[2])
  let extent = (first.dim(1) - 1) * head + first.dim(3)
  let starts = tensors.map(\.offset).sorted()
  guard let low = starts.first, let high = starts.last, high - low + extent <= token else { return false }
  return zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 >= extent }
}
