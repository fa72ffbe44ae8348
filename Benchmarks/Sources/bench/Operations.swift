import Callosum

/// Forward and backward of `function` with a fixed gradient of its result.
func forwardBackward(
  _ inputs: [Tensor], _ function: @escaping ([Tensor]) -> Tensor
) -> () -> Void {
  var random = RandomGenerator(seed: 2)
  let cotangent = random.normal(function(inputs).shape)
  return {
    let (_, pullback) = valueAndPullback(at: inputs) { [function($0)] }
    _ = pullback([cotangent])
  }
}

let operations: [Workload] = [
  Workload(name: "matmul_1024") {
    var random = generator()
    let a = random.normal([1024, 1024]), b = random.normal([1024, 1024])
    return { _ = matmul(a, b) }
  },
  Workload(name: "softmax") {
    var random = generator()
    let x = random.normal([64, 256, 256])
    return { _ = softmax(x) }
  },
  Workload(name: "layernorm_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([64, 256, 256]), Tensor.ones([256]), Tensor.zeros([256])]
    return forwardBackward(inputs) { layerNorm($0[0], weight: $0[1], bias: $0[2]) }
  },
  Workload(name: "conv3x3_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([32, 32, 32, 32]), random.normal([64, 3, 3, 32]), random.normal([64])]
    return forwardBackward(inputs) { conv2d($0[0], weight: $0[1], bias: $0[2], padding: (1, 1)) }
  },
  Workload(name: "depthwise7x7_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([32, 28, 28, 64]), random.normal([64, 7, 7, 1]), random.normal([64])]
    return forwardBackward(inputs) {
      conv2d($0[0], weight: $0[1], bias: $0[2], padding: (3, 3), groups: 64)
    }
  },
  Workload(name: "depthwise3x3_stride2_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([32, 28, 28, 64]), random.normal([64, 3, 3, 1]), random.normal([64])]
    return forwardBackward(inputs) {
      conv2d($0[0], weight: $0[1], bias: $0[2], stride: (2, 2), padding: (1, 1), groups: 64)
    }
  },
  Workload(name: "conv3d_fwd_bwd") {
    var random = generator()
    let inputs = [
      random.normal([4, 16, 16, 16, 16]), random.normal([32, 3, 3, 3, 16]), random.normal([32]),
    ]
    return forwardBackward(inputs) { conv3d($0[0], weight: $0[1], bias: $0[2], padding: (1, 1, 1)) }
  },
  Workload(name: "conv_transposed_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([16, 16, 16, 64]), random.normal([32, 4, 4, 64]), random.normal([32])]
    return forwardBackward(inputs) {
      convTransposed2d($0[0], weight: $0[1], bias: $0[2], stride: (2, 2), padding: (1, 1))
    }
  },
  Workload(name: "grid_sample_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([8, 64, 64, 32]), random.uniform([8, 64, 64, 2], low: -1, high: 1)]
    return forwardBackward(inputs) { gridSample($0[0], at: $0[1]) }
  },
  Workload(name: "fft_conv_fwd_bwd") {
    var random = generator()
    let inputs = [random.normal([8, 64, 2048]), random.normal([64, 2048])]
    return forwardBackward(inputs) { fftConvolution($0[0], kernel: $0[1]) }
  },
  Workload(name: "sparse_matmul_fwd_bwd") {
    // A graph of 20,000 nodes with ten edges for each, from node to node in a pattern of both sides.
    let nodes = 20_000, edges = 200_000
    let a = SparseMatrix(
      rows: patternOfLabels([edges], below: nodes, 1), columns: patternOfLabels([edges], below: nodes, 2),
      values: pattern([edges], 3), shape: (nodes, nodes))
    return forwardBackward([a.values, pattern([nodes, 64], 4)]) { matmul(a.withValues($0[0]), $0[1]) }
  },
  Workload(name: "svd_128") {
    var random = generator()
    let x = random.normal([8, 128, 128])
    return { _ = svd(x) }
  },
  Workload(name: "topk_1m") {
    var random = generator()
    let x = random.normal([1 << 20])
    return { _ = x.topK(128) }
  },
  Workload(name: "small_ops") {
    var random = generator()
    let inputs = [random.normal([64])]
    let a = random.normal([64]), b = random.normal([64])
    return forwardBackward(inputs) {
      (0..<50).reduce($0[0]) { x, _ in tanh(x * a + b) - a }
    }
  },
]
