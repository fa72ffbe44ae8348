import CallosumTestSupport

/// What answers for an operation's speed: a workload of Benchmarks/ that spends time in it, or a reason
/// why none does.
enum Speed: Sendable {
  case workload(String)
  case because(String)

  /// Every operation of the list, by what answers for it.
  static let of: [String: Speed] = {
    let all = workloads.map { (Speed.workload($0), $1) } + reasons.map { (Speed.because($0), $1) }
    return Dictionary(
      uniqueKeysWithValues: all.flatMap { speed, names in
        names.split(whereSeparator: \.isWhitespace).map { (String($0), speed) }
      })
  }()

  private static let workloads: [(workload: String, names: String)] = [
    ("conv3d_fwd_bwd", "conv3d"), ("conv_transposed_fwd_bwd", "convTransposed2d"),
    ("grid_sample_fwd_bwd", "gridSample"), ("delta_rule_fwd_bwd", "deltaRule"),
    ("matmul_1024", "matmul"), ("softmax", "softmax"), ("layernorm_fwd_bwd", "layerNorm"),
    ("conv3x3_fwd_bwd", "conv2d"), ("fft_conv_fwd_bwd", "fftConvolution rfft irfft complexMultiply"),
    ("svd_128", "svd singularValues"), ("topk_1m", "topK topKMany"),
    ("small_ops", "add subtract multiply tanh"),
    ("mlp_step", "linear crossEntropy"), ("convnet_step", "maxPool2d"),
    ("vit_tiny_step", "scaledDotProductAttention gelu mean"), ("char_lm_step", "embedding take scatterAdd"),
    ("linear_recurrence_fwd_bwd", "linearRecurrence"), ("cumulative_sum_fwd_bwd", "cumulativeSum"),
    ("lif_snn_step", "leakyIntegrateAndFire sparseLinear sum"), ("gru_step", "gru"), ("lstm_step", "lstm"),
    ("selective_scan_fwd_bwd", "selectiveScan"),
    ("kan_step", "bsplineBasis silu"), ("field_step", "sin cos concatenate relu"),
    ("hash_grid_step", "hashGridEncoding"), ("sparse_matmul_fwd_bwd", "sparseMatmul"),
  ]

  private static let reasons: [(reason: String, names: String)] = [
    (
      "one pass of a vector kernel over memory, as sin, cos and tanh are",
      """
      negate abs sign square reciprocal sqrt rsqrt exp expm1 log log1p tan asin acos atan sinh cosh erf \
      sigmoid floor ceil round softplus logicalNot logSigmoid sinc leakyRelu elu hardSigmoid mish clip \
      divide maximum minimum equal notEqual less lessEqual greater greaterEqual logicalAnd logicalOr where \
      complexMagnitude complexDivide complexExp geluApproximate logCosh bitCount bitwiseAnd bitwiseOr bitwiseXor \
      leftShift rightShift
      """
    ),
    (
      "one number after the other by the C library or by series: accuracy first, and rare",
      "erfc erfcx logErfc logGamma digamma besselJ0 remainder power atan2"
    ),
    (
      "the reduction of sum and mean with another operation, over the same memory",
      "product max min any all logSumExp variance argMax argMin"
    ),
    (
      "a view, or one copy at the rate of memory",
      "reshape transpose broadcast flip rot90 roll shift tril triu slidingWindows pad stack slice padMode oneHot"
    ),
    ("the kernel of softmax or of layer normalisation, or their formula", "logSoftmax softmaxWhere rmsNorm"),
    ("the products of attention without its fusion, which keeps the weights", "attentionBias"),
    ("composed of reductions and elementwise operations", "groupNorm batchNorm"),
    (
      "the primitive of conv2d, or the other way through that of convTransposed2d",
      "conv1d convTransposed1d convTransposed3d"
    ),
    (
      "the kernel of max pooling over the same windows, or windows of other sizes",
      "averagePool2d maxPool averagePool adaptiveMaxPool adaptiveAveragePool globalMaxPool globalAveragePool"
    ),
    ("a view and one copy at the rate of memory, both ways", "unfold fold pixelShuffle pixelUnshuffle"),
    ("the loop of gru with a third of its products", "rnn"),
    ("the chunks of deltaRule without its solve; a curve against the length is drawn", "linearAttention"),
    (
      "gathers and products that take, multiply and matmul answer for",
      """
      takeAlong bincount kronecker kroneckerMatmul rotationMatrices resize einsum complexEinsum segmentSum segmentMean segmentMax segmentSoftmax squaredDistances \
      cosineSimilarities nearestNeighbours gaussianFilter sphericalHarmonics
      """
    ),
    (
      "linear time by radix; orders whole tensors once, not in a training step",
      "masked uniqueValues uniqueInverse uniqueCounts argSort sorted median quantile histogram"
    ),
    (
      "the scan of cumulativeSum with another operation",
      "cumulativeProduct cumulativeLogSumExp cumulativeMax"
    ),
    (
      "LAPACK's routine, one matrix of the batch to each thread as in svd",
      """
      qr eigh cholesky inverse determinant logDeterminant solve triangularSolve leastSquares pseudoInverse \
      matrixExponential
      """
    ),
    (
      "one copy and the walk of scatterAdd over the indices, or gathers of it",
      "put putAlong putReduced maxUnpool"
    ),
    ("the places that the kernel of maxPool2d finds in any case", "maxPoolIndices"),
    (
      "made or scaled once for a graph, in time linear in its edges; the products are what a step repeats",
      "sparseDense sparseFromDense sparseNormalisedRows sparseNormalisedSymmetrically"
    ),
    ("the transform of rfft, or log n passes of additions", "fft ifft dct idct hadamard"),
  ]
}
