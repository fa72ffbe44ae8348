import CallosumTensors
import CallosumTestSupport

/// A call that must stop the program, with a message that begins with the operation's name in code.
struct Refusal: Sendable {
  let says: String
  let make: @Sendable () -> Void
}

extension Operation {
  /// A mistake for each operation of the list.
  static let refusals: [String: Refusal] = Dictionary(
    uniqueKeysWithValues: (ofOneTensor + ofTwoTensors + ofAxes + ofWindows + ofPlaces + singleRefusals).map {
      ($0, Refusal(says: $1, make: $2))
    })

  private typealias Entry = (operation: String, says: String, make: @Sendable () -> Void)

  private static func named(_ name: String) -> Operation? { all.first { $0.name == name } }

  // MARK: By kind

  /// Functions of numbers get truth values.
  private static let ofOneTensor: [Entry] =
    [
      "negate", "abs", "sign", "square", "reciprocal", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p",
      "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erf", "sigmoid", "floor",
      "ceil", "round", "relu", "gelu", "silu", "softplus", "erfc", "erfcx", "logErfc", "logGamma",
      "digamma", "besselJ0", "logSigmoid", "sinc", "leakyRelu", "elu", "hardSigmoid", "mish",
      "geluApproximate", "logCosh", "bitCount", "complexExp",
      "singularValues", "qr", "svd", "inverse", "determinant", "logDeterminant",
      "pseudoInverse", "matrixExponential", "complexMagnitude", "hadamard",
    ].map { name -> Entry in
      let make: @Sendable () -> Void = {
        _ = named(name)?.call(Inputs(["x": Tensor([true, false])]), Arguments(bools: ["orthonormal"]))
      }
      return (name, name, make)
    }

  /// Shapes that do not fit.
  private static let ofTwoTensors: [Entry] =
    [
      "add", "subtract", "multiply", "divide", "remainder", "power", "atan2", "maximum", "minimum",
      "equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual", "matmul", "solve",
      "triangularSolve", "leastSquares", "complexMultiply", "complexDivide", "bitwiseAnd", "bitwiseOr",
      "bitwiseXor", "leftShift", "rightShift", "squaredDistances", "cosineSimilarities",
    ].map { name -> Entry in
      let make: @Sendable () -> Void = {
        let inputs = Inputs(["a": .zeros([2, 3]), "b": .zeros([4, 5])])
        _ = named(name)?.call(inputs, Arguments(bools: ["upper", "transposed", "conjugating"]))
      }
      return (name, name, make)
    }

  /// An axis that does not exist.
  private static let ofAxes: [Entry] = [
    ("sum", "sum", { _ = x.sum(axis: 7) }), ("mean", "mean", { _ = x.mean(axis: 7) }),
    ("product", "product", { _ = x.product(axis: 7) }), ("max", "max", { _ = x.max(axis: 7) }),
    ("min", "min", { _ = x.min(axis: 7) }), ("any", "any", { _ = x.any(axes: [7]) }),
    ("all", "all", { _ = x.all(axes: [7]) }), ("variance", "variance", { _ = x.variance(axis: 7) }),
    ("argMax", "argMax", { _ = x.argMax(axis: 7) }), ("argMin", "argMin", { _ = x.argMin(axis: 7) }),
    ("logSumExp", "logSumExp", { _ = logSumExp(x, axis: 7) }),
    ("softmax", "softmax", { _ = softmax(x, axis: 7) }),
    ("logSoftmax", "logSoftmax", { _ = logSoftmax(x, axis: 7) }),
    ("flip", "flipped", { _ = x.flipped(axes: [7]) }),
    ("roll", "rolled", { _ = x.rolled(1, axis: 7) }),
    ("argSort", "argSort", { _ = x.argSort(axis: 7) }),
    ("sorted", "argSort", { _ = x.sorted(axis: 7) }),
    ("median", "quantile", { _ = x.median(axis: 7) }),
    ("cumulativeSum", "cumsum", { _ = x.cumsum(axis: 7) }),
    ("cumulativeProduct", "cumprod", { _ = x.cumprod(axis: 7) }),
    ("cumulativeLogSumExp", "logCumsumExp", { _ = x.logCumsumExp(axis: 7) }),
    ("cumulativeMax", "cummax", { _ = x.cummax(axis: 7) }),
    ("fft", "fft", { _ = fft(pairs, axes: [7]) }), ("ifft", "ifft", { _ = ifft(pairs, axes: [7]) }),
    ("rfft", "rfft", { _ = rfft(x, axes: [7]) }), ("dct", "dct", { _ = dct(x, axis: 7) }),
    ("idct", "idct", { _ = idct(x, axis: 7) }),
  ]

  // MARK: One by one

  private static let x = Tensor.zeros([2, 3]), pairs = Tensor.zeros([3, 2]),
    image = Tensor.zeros([1, 4, 4, 2])
  private static let weights = RecurrentWeights(
    input: .zeros([2, 2]), hidden: .zeros([2, 2]), inputBias: .zeros([2]), hiddenBias: .zeros([2]))

  /// Windows that do not fit, or channels that do not divide.
  private static let ofWindows: [Entry] = [
    ("conv1d", "conv", { _ = conv1d(.zeros([1, 8, 3]), weight: .zeros([2, 3, 4])) }),
    ("conv2d", "conv", { _ = conv2d(image, weight: .zeros([2, 3, 3, 4])) }),
    ("conv3d", "conv", { _ = conv3d(.zeros([1, 4, 4, 4, 2]), weight: .zeros([2, 3, 3, 3, 4])) }),
    (
      "convTransposed1d", "convolutionTransposed",
      { _ = convTransposed1d(.zeros([1, 8, 3]), weight: .zeros([2, 3, 4])) }
    ),
    (
      "convTransposed2d", "convolutionTransposed",
      { _ = convTransposed2d(image, weight: .zeros([2, 3, 3, 4])) }
    ),
    (
      "convTransposed3d", "convolutionTransposed",
      { _ = convTransposed3d(.zeros([1, 4, 4, 4, 2]), weight: .zeros([2, 3, 3, 3, 4])) }
    ),
    ("unfold", "unfold", { _ = unfold(image, kernel: [3]) }),
    ("fold", "fold", { _ = fold(.zeros([2, 4, 4, 27]), to: [5, 5], kernel: [3, 3]) }),
    ("pixelShuffle", "pixelShuffle", { _ = pixelShuffle(image, factor: 3) }),
    ("pixelUnshuffle", "pixelUnshuffle", { _ = pixelUnshuffle(image, factor: 3) }),
    ("maxPool", "maxPool", { _ = maxPool(image, kernel: [5, 5]) }),
    ("averagePool", "averagePool", { _ = averagePool(image, kernel: [5, 5]) }),
    ("maxPool2d", "maxPool", { _ = maxPool2d(image, kernel: (5, 5)) }),
    ("averagePool2d", "averagePool", { _ = averagePool2d(image, kernel: (5, 5)) }),
    ("adaptiveMaxPool", "adaptiveMaxPool", { _ = adaptiveMaxPool(image, to: [2]) }),
    ("adaptiveAveragePool", "adaptiveAveragePool", { _ = adaptiveAveragePool(image, to: [2]) }),
    ("globalMaxPool", "globalMaxPool", { _ = globalMaxPool(x) }),
    ("globalAveragePool", "globalAveragePool", { _ = globalAveragePool(x) }),
  ]

  /// Places that do not exist, and lists that do not fit.
  private static let ofPlaces: [Entry] = [
    ("put", "put", { _ = x.put(Tensor([Int32(2)]), values: .zeros([1, 3])) }),
    ("putAlong", "putAlong", { _ = x.putAlong(Tensor([Int32(0)]), values: .zeros([1]), axis: 1) }),
    (
      "putReduced", "put",
      { _ = Tensor([true]).put(Tensor([Int32(0)]), values: Tensor([true]), reducing: .sum) }
    ),
    ("maxPoolIndices", "maxPool", { _ = maxPoolWithIndices(image, kernel: [5, 5]) }),
    (
      "maxUnpool", "maxUnpool",
      { _ = maxUnpool(image, indices: .zeros([1, 4, 4, 1], dtype: .int32), kernel: [2, 2]) }
    ),
    ("shift", "shifted", { _ = x.shifted(1, axis: 7) }),
    ("rot90", "rotated90", { _ = x.rotated90(axes: (1, -1)) }),
    ("bincount", "bincount", { _ = x.bincount(count: 3) }),
    ("kronecker", "kronecker", { _ = kronecker(x, .zeros([3])) }),
    ("kroneckerMatmul", "kroneckerMatmul", { _ = kroneckerMatmul(x, x, x) }),
    ("rotationMatrices", "rotationMatrices", { _ = rotationMatrices(ofQuaternions: x) }),
    ("sparseMatmul", "sparseMatmul", { _ = matmul(SparseMatrix(x), x) }),
    ("sparseDense", "SparseMatrix", { _ = SparseMatrix(.zeros([3])).dense() }),
    ("sparseFromDense", "SparseMatrix", { _ = SparseMatrix(Tensor([true], [1, 1])) }),
    (
      "sparseNormalisedRows", "SparseMatrix",
      { _ = SparseMatrix(x).withValues(.ones([1])).normalisedRows() }
    ),
    (
      "sparseNormalisedSymmetrically", "SparseMatrix",
      { _ = SparseMatrix(x).normalisedSymmetrically() }
    ),
  ]

  private static let singleRefusals: [Entry] = [
    ("logicalNot", "not", { _ = .!x }), ("logicalAnd", "and", { _ = x .&& x }),
    ("logicalOr", "or", { _ = x .|| x }), ("clip", "clip", { _ = clip(Tensor([true]), min: 0) }),
    ("where", "which", { _ = which(x, x, x) }),
    ("eigh", "eigh", { _ = eigh(x) }), ("cholesky", "cholesky", { _ = cholesky(x) }),
    ("linear", "linear", { _ = linear(x, weight: .zeros([4, 5])) }),
    (
      "scaledDotProductAttention", "scaledDotProductAttention",
      { _ = scaledDotProductAttention(queries: image, keys: image, values: .zeros([1, 4, 3, 2])) }
    ),
    (
      "attentionBias", "scaledDotProductAttention",
      { _ = scaledDotProductAttention(queries: image, keys: image, values: image, bias: .zeros([7])) }
    ),
    ("softmaxWhere", "softmax", { _ = softmax(x, where: x) }),
    ("segmentMean", "segmentMean", { _ = x.segmentMean(x, count: 2) }),
    ("segmentMax", "segmentMax", { _ = x.segmentMax(x, count: 2) }),
    ("segmentSoftmax", "segmentSoftmax", { _ = x.segmentSoftmax(x, count: 2) }),
    ("gaussianFilter", "gaussianFilter", { _ = gaussianFilter(x, sigma: -1, axis: 0) }),
    ("complexEinsum", "complexEinsum", { _ = complexEinsum("i,i->i", x, x) }),
    ("nearestNeighbours", "nearestNeighbours", { _ = nearestNeighbours(of: x, in: x, count: 3) }),
    ("sphericalHarmonics", "sphericalHarmonics", { _ = sphericalHarmonics(x, degree: -1) }),
    ("reshape", "reshaped", { _ = x.reshaped(4, 2) }),
    ("transpose", "transposed", { _ = x.transposed(0, 0) }),
    ("broadcast", "broadcast", { _ = x.broadcast(to: [4, 3]) }),
    ("tril", "tril", { _ = Tensor.zeros([3]).tril() }), ("triu", "triu", { _ = Tensor.zeros([3]).triu() }),
    ("slidingWindows", "slidingWindows", { _ = x.slidingWindows(axis: 1, size: 4) }),
    ("pad", "padded", { _ = x.padded([(1, 1)]) }),
    ("concatenate", "concatenated", { _ = concatenated([x, pairs], axis: 0) }),
    ("stack", "stacked", { _ = stacked([x, pairs]) }),
    ("slice", "sliced", { _ = x.sliced(axis: 1, from: 2, to: 4) }),
    ("take", "take", { _ = x.take(Tensor([Int32(2)])) }),
    ("takeAlong", "takeAlong", { _ = x.takeAlong(Tensor([Int32(0)]), axis: 1) }),
    ("scatterAdd", "scatterAdded", { _ = x.scatterAdded(at: Tensor([Int32(0)]), count: 3) }),
    ("embedding", "take", { _ = x.take(Tensor([Int32(-1)])) }),
    ("layerNorm", "layerNorm", { _ = layerNorm(x, weight: .ones([2])) }),
    ("rmsNorm", "rmsNorm", { _ = rmsNorm(x, weight: .ones([2])) }),
    ("groupNorm", "groupNorm", { _ = groupNorm(x, groups: 2) }),
    ("batchNorm", "batchNorm", { _ = batchNorm(x, mean: .zeros([2]), variance: .ones([3])) }),
    (
      "crossEntropy", "crossEntropy",
      { _ = crossEntropyPerItem(logits: x, targets: Tensor([0, 3] as [Int32])) }
    ),
    ("masked", "masked", { _ = x.masked(by: Tensor([true])) }),
    ("segmentSum", "segmentSum", { _ = x.segmentSum(Tensor([Int32(5)]), count: 2) }),
    ("uniqueValues", "unique", { _ = gradient { $0.unique().values.sum() }(x) }),
    ("uniqueInverse", "unique", { _ = gradient { $0.unique().values.sum() }(x) }),
    ("uniqueCounts", "unique", { _ = gradient { $0.unique().values.sum() }(x) }),
    (
      "linearAttention", "linearAttention",
      { _ = linearAttention(queries: image, keys: image, values: .zeros([1, 4, 3, 2])) }
    ),
    (
      "deltaRule", "deltaRule",
      { _ = deltaRule(queries: image, keys: image, values: image, beta: .zeros([1, 4, 3])) }
    ),
    ("topK", "topK", { _ = x.topK(4) }), ("topKMany", "topK", { _ = x.topK(-1) }),
    ("quantile", "quantile", { _ = x.quantile(1.5) }),
    ("oneHot", "oneHot", { _ = Tensor([Int32(3)]).oneHot(count: 3) }),
    ("histogram", "histogram", { _ = x.histogram(bins: 0, low: 0, high: 1) }),
    ("padMode", "padded", { _ = x.padded(axis: 1, before: 3, after: 0, mode: .reflect) }),
    ("resize", "resized", { _ = resized(x, axes: [1], to: [0]) }),
    ("gridSample", "gridSample", { _ = gridSample(image, at: .zeros([2, 3, 2])) }),
    ("einsum", "einsum", { _ = einsum("ij,jk->ik", x, x) }),
    ("linearRecurrence", "linearRecurrence", { _ = linearRecurrence(x, pairs) }),
    ("sparseLinear", "sparseLinear", { _ = sparseLinear(x, weight: .zeros([4, 5])) }),
    ("rnn", "rnn", { _ = rnn(.zeros([1, 2, 2]), weights: weights, lengths: Tensor([Int32(3)])) }),
    ("gru", "gru", { _ = gru(.zeros([1, 2, 2]), weights: weights) }),
    ("lstm", "lstm", { _ = lstm(.zeros([1, 2, 2]), weights: weights) }),
    (
      "selectiveScan", "selectiveScan",
      {
        let x = Tensor.zeros([1, 4, 3]), b = Tensor.zeros([1, 4, 2])
        _ = selectiveScan(x, delta: x, b: b, c: b, weights: SelectiveScanWeights(a: .zeros([3, 5])))
      }
    ),
    (
      "leakyIntegrateAndFire", "leakyIntegrateAndFire",
      { _ = leakyIntegrateAndFire(x, leak: .zeros([2])) }
    ),
    ("irfft", "irfft", { _ = irfft(pairs, length: 9) }),
    ("fftConvolution", "fftConvolution", { _ = fftConvolution(x, kernel: .zeros([3, 3])) }),
    ("bsplineBasis", "bsplineBasis", { _ = bsplineBasis(x, intervals: 0, from: 0, to: 1) }),
    (
      "hashGridEncoding", "hashGridEncoding",
      { _ = hashGridEncoding(x, table: .zeros([1, 8, 2]), resolutions: [2, 4]) }
    ),
  ]
}
