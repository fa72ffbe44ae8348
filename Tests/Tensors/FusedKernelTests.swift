import CallosumTensors
import CallosumTestSupport
import Testing

/// A call of an operation with kernels of its own, at a size where blocks, tails and threads matter.
struct FusedCall: Sendable, CustomTestStringConvertible {
  let name: String
  /// Of the inputs, which are drawn from the normal distribution.
  let shapes: [[Int]]
  let call: @Sendable ([Tensor]) -> Tensor

  init(_ name: String, _ shapes: [Int]..., call: @escaping @Sendable ([Tensor]) -> Tensor) {
    (self.name, self.shapes, self.call) = (name, shapes, call)
  }

  var testDescription: String { "\(name) \(shapes)" }

  func derivative(at inputs: [Tensor]) -> (values: [Tensor], pullback: ([Tensor?]) -> [Tensor]) {
    valueAndPullback(at: inputs) { [call($0)] }
  }

  static let all: [FusedCall] = [
    FusedCall("linear, gelu", [37, 65], [129, 65], [129]) {
      linear($0[0], weight: $0[1], bias: $0[2], activation: .gelu)
    },
    FusedCall("linear, gelu, no bias", [3, 7, 5], [11, 5]) {
      linear($0[0], weight: $0[1], activation: .gelu)
    },
    FusedCall("linear, relu", [37, 65], [129, 65], [129]) {
      linear($0[0], weight: $0[1], bias: $0[2], activation: .relu)
    },
    FusedCall("linear, relu, no bias", [3, 7, 5], [11, 5]) {
      linear($0[0], weight: $0[1], activation: .relu)
    },
    FusedCall("bsplineBasis", [301, 37]) { bsplineBasis($0[0], intervals: 5, from: -1, to: 1) },
    FusedCall("hashGridEncoding", [1501, 3], [5, 512, 2]) {
      // Powers of 2, with which the place in a cell is exact.
      hashGridEncoding($0[0], table: $0[1], resolutions: [2, 4, 16, 32, 128])
    },
    FusedCall("linear", [301, 203], [259, 203], [259]) { linear($0[0], weight: $0[1], bias: $0[2]) },
    FusedCall("matmul", [257, 129], [129, 301]) { matmul($0[0], $0[1]) },
    FusedCall("matmul of transposes", [129, 257], [301, 129]) {
      matmul($0[0].transposed(), $0[1].transposed())
    },
    FusedCall("matmul of batches", [2, 3, 70, 90], [3, 90, 33]) { matmul($0[0], $0[1]) },
    FusedCall("matmul of small batches", [6, 5, 17, 63], [6, 5, 31, 63]) {
      matmul($0[0], $0[1].swappedAxes(-1, -2))
    },
    FusedCall("softmax", [301, 257]) { softmax($0[0]) },
    FusedCall("softmax of long rows", [3, 70_001]) { softmax($0[0]) },
    FusedCall("logSoftmax", [301, 96]) { logSoftmax($0[0] * 4) },
    FusedCall("logSumExp", [511, 130]) { logSumExp($0[0]) },
    FusedCall("crossEntropy", [701, 96]) {
      let labels = Tensor((0..<701).map { Int32($0 % 7 == 0 ? -100 : $0 * 31 % 96) })
      return crossEntropyPerItem(logits: $0[0], targets: labels, labelSmoothing: 0.1)
    },
    FusedCall("layerNorm", [513, 131], [131], [131]) { layerNorm($0[0], weight: $0[1], bias: $0[2]) },
    FusedCall("layerNorm of long rows", [5, 3001], [3001], [3001]) {
      layerNorm($0[0], weight: $0[1], bias: $0[2])
    },
    FusedCall("sparseLinear", [2111, 53], [203, 53], [203]) {
      // About a seventh is not 0; the mask keeps some rows empty.
      let kept = (stopGradient($0[0]) .> 1).asType($0[0].dtype)
      return sparseLinear($0[0] * kept, weight: $0[1], bias: $0[2])
    },
    FusedCall("leakyMemory", [17, 12, 65], [17, 33], [65, 33], [33, 65], [33], [33], [33]) {
      leakyMemory(
        $0[0], weights: leakyMemoryWeights($0), initial: $0[1] * 0.3)
    },
    FusedCall("leakyMemory, silu", [5, 9, 7], [5, 1], [7, 1], [1, 7], [1], [1], [1]) {
      leakyMemory($0[0], weights: leakyMemoryWeights($0), initial: $0[1], activation: .silu)
    },
    FusedCall("gru", [17, 12, 33], [17, 65], [195, 33], [195, 65], [195], [195]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      return gru($0[0], weights: w, initial: $0[1]).states
    },
    FusedCall("lstm", [17, 12, 33], [17, 65], [260, 33], [260, 65], [260], [260]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      return lstm($0[0], weights: w, initial: ($0[1], $0[1] * 2), reverse: true).states
    },
    FusedCall("rnn, relu", [17, 12, 33], [17, 65], [65, 33], [65, 65], [65], [65]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      return rnn($0[0], weights: w, activation: .relu, initial: $0[1], reverse: true).states
    },
    FusedCall("rnn, lengths", [17, 12, 33], [17, 65], [65, 33], [65, 65], [65], [65]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      return rnn($0[0], weights: w, initial: $0[1], reverse: true, lengths: lengths).states
    },
    FusedCall("gru, lengths", [17, 12, 33], [17, 65], [195, 33], [195, 65], [195], [195]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      return gru($0[0], weights: w, initial: $0[1], lengths: lengths).states
    },
    FusedCall("lstm, lengths", [17, 12, 33], [17, 65], [260, 33], [260, 65], [260], [260]) {
      let w = RecurrentWeights(
        input: $0[2] * 0.2, hidden: $0[3] * 0.1, inputBias: $0[4], hiddenBias: $0[5])
      let (states, last) = lstm(
        $0[0], weights: w, initial: ($0[1], $0[1] * 2), reverse: true, lengths: lengths)
      return concatenated([states.sum(axis: 1), last.h, last.c], axis: 1)
    },
    FusedCall(
      "selectiveScan", [3, 75, 150], [3, 75, 150], [150, 19], [3, 75, 19], [3, 75, 19], [3, 150, 19], [150],
      [150], [3, 75, 150]
    ) {
      let w = SelectiveScanWeights(a: -exp($0[2] * 0.5), skip: $0[6], deltaBias: $0[7] - 2)
      return selectiveScan(
        $0[0], delta: $0[1], b: $0[3], c: $0[4], weights: w, softplus: true, gate: $0[8], initial: $0[5]
      ).output
    },
    FusedCall(
      "selectiveScan in groups, its state", [2, 75, 150], [2, 75, 150], [150, 3], [2, 75, 2, 3]
    ) {
      let w = SelectiveScanWeights(a: -exp($0[2] * 0.5))
      let (y, state) = selectiveScan($0[0], delta: softplus($0[1] - 2), b: $0[3], c: $0[3] * 2, weights: w)
      return concatenated([y.swappedAxes(1, 2), state], axis: 2)
    },
    FusedCall("rmsNorm", [513, 131], [131]) { rmsNorm($0[0], weight: $0[1]) },
    FusedCall("attention", [2, 3, 131, 32], [2, 3, 131, 32], [2, 3, 131, 32]) {
      scaledDotProductAttention(queries: $0[0], keys: $0[1], values: $0[2])
    },
    FusedCall("causal attention", [1, 2, 257, 33], [1, 2, 261, 33], [1, 2, 261, 17]) {
      scaledDotProductAttention(queries: $0[0], keys: $0[1], values: $0[2], causal: true)
    },
    FusedCall("attention with a mask", [2, 2, 67, 16], [2, 2, 90, 16], [2, 2, 90, 16]) {
      let distance = Tensor.arange(67).reshaped(-1, 1) - Tensor.arange(90)
      return scaledDotProductAttention(
        queries: $0[0], keys: $0[1], values: $0[2], mask: abs(distance) .< 20)
    },
    FusedCall("attention over heads of one product", [2, 65, 3 * 4 * 16]) {
      let parts = $0[0].split(parts: 3, axis: -1).map { $0.reshaped(2, 65, 4, 16).transposed(0, 2, 1, 3) }
      return scaledDotProductAttention(queries: parts[0], keys: parts[1], values: parts[2], causal: true)
        .transposed(0, 2, 1, 3).reshaped(2, 65, 64)
    },
    FusedCall("linearAttention", [2, 3, 133, 40], [2, 3, 133, 40], [2, 3, 133, 24], [2, 3, 40, 24]) {
      linearAttention(queries: $0[0], keys: $0[1], values: $0[2], initial: $0[3]).output
    },
    FusedCall("gated linearAttention", [2, 3, 133, 70], [2, 3, 133, 70], [2, 3, 133, 9], [2, 3, 133]) {
      linearAttention(queries: $0[0], keys: $0[1], values: $0[2], logDecay: -softplus($0[3])).output
    },
    FusedCall("linearAttention, gated channels", [1, 4, 90, 34], [1, 4, 90, 34], [1, 4, 90, 65]) {
      linearAttention(queries: $0[0], keys: $0[1], values: $0[2], logDecay: -softplus($0[1])).state
    },
    FusedCall("deltaRule", [2, 3, 133, 32], [2, 3, 133, 32], [2, 3, 133, 32], [2, 3, 133]) {
      let keys = $0[1] / sqrt(square($0[1]).sum(axis: -1, keepDims: true))
      return deltaRule(queries: $0[0], keys: keys, values: $0[2], beta: sigmoid($0[3])).output
    },
    FusedCall("gated deltaRule over heads of one product", [2, 67, 3 * 4 * 16], [2, 4, 67], [2, 4, 67]) {
      let parts = $0[0].split(parts: 3, axis: -1).map { $0.reshaped(2, 67, 4, 16).transposed(0, 2, 1, 3) }
      return deltaRule(
        queries: parts[0], keys: parts[1] * 0.2, values: parts[2], beta: sigmoid($0[1]),
        logDecay: -softplus($0[2])
      ).output.transposed(0, 2, 1, 3).reshaped(2, 67, 64)
    },
    FusedCall("conv2d", [2, 17, 19, 33], [35, 3, 3, 33], [35]) {
      conv2d($0[0], weight: $0[1], bias: $0[2], padding: (1, 1))
    },
    FusedCall("convolution, padded on one side", [2, 9, 11, 6], [8, 3, 2, 3]) {
      convolution(
        $0[0], weight: $0[1], stride: [2, 1], padding: [(2, 0), (0, 1)], dilation: [1, 2], groups: 2)
    },
    FusedCall("convolution over three axes", [2, 5, 6, 7, 3], [4, 3, 2, 3, 3], [4]) {
      convolution(
        $0[0], weight: $0[1], bias: $0[2], stride: [1, 2, 1], padding: [(1, 1), (0, 0), (1, 0)],
        dilation: [1, 1, 2])
    },
    FusedCall("depthwise", [3, 28, 27, 67], [67, 7, 7, 1], [67]) {
      conv2d($0[0], weight: $0[1], bias: $0[2], padding: (3, 3), groups: 67)
    },
    FusedCall("depthwise 3x3", [3, 28, 27, 67], [67, 3, 3, 1], [67]) {
      conv2d($0[0], weight: $0[1], bias: $0[2], padding: (1, 1), groups: 67)
    },
    FusedCall("depthwise 3x3 with stride", [3, 28, 27, 131], [131, 3, 3, 1], [131]) {
      conv2d(
        $0[0], weight: $0[1], bias: $0[2], stride: (2, 3), padding: (1, 0), dilation: (1, 2), groups: 131)
    },
    FusedCall("depthwise over lines", [3, 67, 33], [33, 4, 1]) {
      conv1d($0[0], weight: $0[1], padding: 3, groups: 33)
    },
    FusedCall("depthwise, one window wide", [2, 9, 3, 65], [65, 3, 3, 1]) {
      conv2d($0[0], weight: $0[1], stride: (4, 4), padding: (2, 1), groups: 65)
    },
    FusedCall("depthwise over volumes", [2, 6, 9, 7, 19], [19, 2, 3, 3, 1], [19]) {
      conv3d(
        $0[0], weight: $0[1], bias: $0[2], stride: (2, 1, 2), padding: (1, 1, 0), dilation: (1, 2, 1),
        groups: 19)
    },
    FusedCall("transposed convolution", [2, 9, 11, 35], [33, 4, 3, 35], [33]) {
      convTransposed2d(
        $0[0], weight: $0[1], bias: $0[2], stride: (2, 2), padding: (1, 1), outputPadding: (0, 1))
    },
    FusedCall("transposed convolution over three axes", [2, 4, 5, 3, 6], [8, 3, 2, 3, 3], [8]) {
      convTransposed3d(
        $0[0], weight: $0[1], bias: $0[2], stride: (2, 1, 2), padding: (1, 0, 1), dilation: (1, 2, 1),
        groups: 2)
    },
    FusedCall("gridSample", [3, 17, 19, 35], [3, 67, 2]) { gridSample($0[0], at: $0[1]) },
    FusedCall("gridSample, reflected", [2, 7, 8, 9, 3], [2, 131, 3]) {
      gridSample($0[0], at: $0[1] * 2, mode: .reflect, alignCorners: true)
    },
    FusedCall("gridSample, five channels", [2, 13, 5], [2, 67, 1]) { gridSample($0[0], at: $0[1]) },
    FusedCall("gridSample, cubic", [2, 13, 9, 19], [2, 67, 2]) {
      gridSample($0[0], at: $0[1], by: .cubic, mode: .replicate)
    },
    FusedCall("resized", [3, 17, 19, 35]) { resized($0[0], axes: [1, 2], to: [40, 11]) },
    FusedCall("maxPool3d", [2, 9, 11, 7, 35]) {
      maxPool3d($0[0], kernel: (3, 3, 2), stride: (2, 2, 1), padding: (1, 1, 0))
    },
    FusedCall("adaptiveAveragePool", [3, 31, 29, 35]) { adaptiveAveragePool($0[0], to: [4, 7]) },
    FusedCall("maxPool2d", [2, 31, 29, 35]) {
      maxPool2d($0[0], kernel: (3, 3), stride: (2, 2), padding: (1, 1))
    },
    FusedCall("averagePool2d", [2, 31, 29, 35]) {
      averagePool2d($0[0], kernel: (3, 2), stride: (1, 2), padding: (1, 1), countPadding: false)
    },
    FusedCall("sums", [37, 65, 41]) {
      $0[0].sum(axes: [0, 2]) * $0[0].mean(axes: [0, 2]) + $0[0].sum(axis: 1).sum()
    },
    FusedCall("copies", [67, 45, 39]) { $0[0].transposed(2, 0, 1).contiguous() * 2 },
  ]
}

extension TensorTests {
  /// Kernels in float32 against their references in float64: values and gradients of larger arrays
  /// than golden files hold.
  @Suite struct FusedKernels {
    @Test(arguments: FusedCall.all) func agreeWithTheirReferences(_ fused: FusedCall) {
      var random = RandomGenerator(seed: 1)
      let inputs = fused.shapes.map { random.normal($0) }
      let (values, pullback) = fused.derivative(at: inputs.map { $0.asType(.float64) })
      let cotangent = random.normal(values[0].shape)
      let wanted = values + pullback([cotangent.asType(.float64)])
      let allowed = Tolerance(relative: 2e-6, ofLargest: 3e-6)
      for setting in Setting.ofKernels {
        let found = setting.run {
          let (values, pullback) = fused.derivative(at: inputs)
          return values + pullback([cotangent])
        }
        for (which, pair) in zip(found, wanted).enumerated() {
          let problem = Comparison(pair.0, pair.1.asType(.float32), within: allowed).problem
          #expect(problem == nil, "\(setting), \(which == 0 ? "value" : "gradient \(which - 1)")")
        }
      }
    }
  }
}

/// Of 17 rows of 12 steps, in no order, one without any.
private let lengths = Tensor([3, 12, 1, 7, 7, 0, 12, 5, 2, 11, 9, 4, 8, 1, 6, 10, 12] as [Int32])

/// Weights of a leaky memory at calm sizes: it keeps from 0 to 1, and what is written stays moderate.
private func leakyMemoryWeights(_ x: [Tensor]) -> LeakyMemoryWeights {
  LeakyMemoryWeights(
    inner: x[2] * 0.2, outer: x[3] * 0.2, bias: x[4], keep: sigmoid(x[5]), gain: x[6] * 0.3)
}
