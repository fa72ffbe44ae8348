import Callosum

/// Queries, keys of length 1, values, betas and logarithms of decays.
private struct Sequence {
  let q, k, v, beta, decay: Tensor

  init(batch: Int, heads: Int, steps: Int, width: Int) {
    var random = generator()
    let shape = [batch, heads, steps, width]
    q = random.normal(shape)
    let directions = random.normal(shape)
    k = directions / sqrt(square(directions).sum(axis: -1, keepDims: true))
    v = random.normal(shape)
    beta = random.uniform([batch, heads, steps])
    decay = -0.1 * random.uniform([batch, heads, steps])
  }

  var deltaRule: () -> Void {
    forwardBackward([q, k, v, beta]) {
      Callosum.deltaRule(queries: $0[0], keys: $0[1], values: $0[2], beta: $0[3]).output
    }
  }
}

let sequences: [Workload] = [
  Workload(name: "delta_rule_fwd_bwd") {
    Sequence(batch: 4, heads: 4, steps: 512, width: 32).deltaRule
  },
  Workload(name: "selective_scan_fwd_bwd") {
    // A as Mamba begins: -1 to -states for each channel.
    var random = generator()
    let (batch, steps, channels, states) = (2, 1024, 128, 16)
    let a = (-1 - Tensor.arange(states, dtype: .float32)).broadcast(to: [channels, states])
    let sequences = [channels, channels, states, states].map { random.normal([batch, steps, $0]) }
    let inputs = sequences + [a, .ones([channels]), .full([channels], -4)]
    return forwardBackward(inputs) {
      let weights = SelectiveScanWeights(a: $0[4], skip: $0[5], deltaBias: $0[6])
      return selectiveScan(
        $0[0], delta: $0[1], b: $0[2], c: $0[3], weights: weights, softplus: true
      ).output
    }
  },
]

let sequenceCurves: [Curve] = [
  Curve(name: "delta_rule_curve") {
    Sequence(batch: 1, heads: 4, steps: Int($0), width: 32).deltaRule
  },
  Curve(name: "linear_attention_curve") {
    let s = Sequence(batch: 1, heads: 4, steps: Int($0), width: 32)
    return forwardBackward([s.q, s.k, s.v]) {
      linearAttention(queries: $0[0], keys: $0[1], values: $0[2]).output
    }
  },
  Curve(name: "gated_linear_attention_curve") {
    let s = Sequence(batch: 1, heads: 4, steps: Int($0), width: 32)
    return forwardBackward([s.q, s.k, s.v, s.decay]) {
      linearAttention(queries: $0[0], keys: $0[1], values: $0[2], logDecay: $0[3]).output
    }
  },
  Curve(name: "linear_recurrence_curve") {
    // So many channels that the longest sequence stays in the last cache: the curve is to show how
    // the scan grows, not where memory begins.
    var random = generator()
    let inputs = [random.uniform([1, Int($0), 64]), random.normal([1, Int($0), 64])]
    return forwardBackward(inputs) { linearRecurrence($0[0], $0[1]) }
  },
]
