import CallosumTensors
import CallosumTestSupport
import Testing

/// A mistake in a program, and the words with which it stops.
enum Mistake: String, CaseIterable, Codable, Sendable {
  case matmul, linear, broadcast, reshape, convolution, attention, take, types, pullback, oneNumber, mask,
    outside, recurrence, spikes, cell, decay, beta, steps, groups
  case jacobian, batchJacobian, tangent, hessian, sets
  case pieces, product, rules, levels, headGroups, graph, coupling
  case transposedConvolution, outputPadding, kernelSpan, unfolding, folding, shuffle, pooling, bins, grid
  case resize
  case notSquare, singular, notPositive, rank, triangle, inverted

  func make() {
    let x = Tensor.zeros([2, 3]), y = Tensor.zeros([4, 5])
    switch self {
    case .matmul: _ = CallosumTensors.matmul(x, y)
    case .linear: _ = CallosumTensors.linear(x, weight: y)
    case .broadcast: _ = x + y
    case .reshape: _ = x.reshaped(4, -1)
    case .convolution: _ = conv2d(.zeros([1, 8, 8, 3]), weight: .zeros([6, 3, 3, 4]))
    case .attention:
      let q = Tensor.zeros([1, 2, 7, 8])
      _ = scaledDotProductAttention(queries: q, keys: q, values: .zeros([1, 2, 6, 8]))
    case .take: _ = x.take(Tensor([0, 3, -1] as [Int32]), axis: 1)
    case .types: _ = x * Tensor.zeros([3], dtype: .float64)
    case .pullback: _ = valueAndPullback(at: [x]) { $0 }.pullback([y])
    case .mask:
      let q = Tensor.zeros([1, 1, 2, 3])
      _ = gradient(at: .zeros([2, 2])) {
        scaledDotProductAttention(queries: q, keys: q, values: q, mask: $0).sum()
      }
    case .outside:
      _ = gradient(at: x) { x in checkpointed(at: [x]) { [$0[0] * x] }[0].sum() }
    case .oneNumber: _ = gradient(at: x) { $0 * 2 }
    case .recurrence: _ = linearRecurrence(x, x, initial: y)
    case .spikes: _ = leakyIntegrateAndFire(x, leak: .zeros([2]))
    case .cell:
      let bias = Tensor.zeros([9])
      _ = gru(
        .zeros([2, 5, 3]),
        weights: RecurrentWeights(
          input: .zeros([9, 4]), hidden: .zeros([9, 3]), inputBias: bias, hiddenBias: bias))
    case .decay:
      let q = Tensor.zeros([1, 2, 7, 4])
      _ = linearAttention(queries: q, keys: q, values: q, logDecay: .zeros([1, 2, 7, 3]))
    case .beta:
      let q = Tensor.zeros([1, 2, 7, 4])
      _ = deltaRule(queries: q, keys: q, values: q, beta: .zeros([1, 2, 6]))
    case .steps: _ = scan(over: [x, y], initial: x) { x, state, _ in ([x[0]], state) }
    case .groups: _ = scan(over: [x], initial: x, checkpointEvery: 0) { x, state, _ in ([x[0]], state) }
    case .jacobian: _ = CallosumTensors.jacobian(at: x, rows: [6]) { $0 * 2 }
    case .batchJacobian: _ = CallosumTensors.batchJacobian(at: x) { $0.sum(axis: 0) }
    case .tangent: _ = valueAndTangent(at: [x], along: [y]) { $0 }
    case .hessian: _ = hessianVectorProduct(at: x, y) { $0.sum() }
    case .pieces: _ = unflattened(.zeros([7]), like: [x])
    case .product: _ = dot([x], [y])
    case .rules:
      _ = gradient(at: x) { x in
        withDerivative(at: [x], of: { [$0[0] * 2, $0[0]] }) { _, _, _ in [] }[0].sum()
      }
    case .levels:
      var random = RandomGenerator(seed: 1)
      _ = QuantisedForm(bits: 3, using: &random)
    case .headGroups:
      var random = RandomGenerator(seed: 1)
      let form = QuantisedForm(groups: 2, using: &random).form
      _ = gradient(at: x) { checkpointed(at: [$0], keeping: form) { $0 }[0].sum() }
    case .graph: _ = operationGraph(at: [x, y], named: ["x", "x"]) { $0 }
    case .coupling:
      _ = operationGraph(at: [x], named: ["x"]) { $0 }.coupled("x", axis: 1, indices: [3])
    case .sets: _ = CallosumTensors.linear(x, weight: .zeros([4, 5, 3]))
    case .transposedConvolution: _ = convTransposed2d(.zeros([1, 4, 4, 3]), weight: .zeros([6, 3, 3, 4]))
    case .outputPadding:
      _ = convTransposed1d(.zeros([1, 4, 3]), weight: .zeros([6, 3, 3]), stride: 2, outputPadding: 2)
    case .kernelSpan: _ = conv1d(.zeros([1, 4, 3]), weight: .zeros([6, 3, 3]), dilation: 2)
    case .unfolding: _ = unfold(.zeros([2, 5, 5, 3]), kernel: [3])
    case .folding: _ = fold(.zeros([2, 4, 4, 27]), to: [5, 5], kernel: [3, 3])
    case .shuffle: _ = pixelShuffle(.zeros([2, 3, 3, 6]), factor: 2)
    case .pooling: _ = maxPool2d(.zeros([2, 5, 5, 3]), kernel: (2, 2), padding: (2, 2))
    case .bins: _ = adaptiveAveragePool(.zeros([2, 5, 5, 3]), to: [2])
    case .grid: _ = gridSample(.zeros([2, 5, 5, 3]), at: .zeros([2, 7, 3]))
    case .resize: _ = resized(.zeros([2, 5, 5, 3]), axes: [1], to: [0])
    case .notSquare: _ = inverse(x)
    case .singular: _ = CallosumTensors.solve(stacked([.eye(3), .ones([3, 3])]), Tensor.ones([3]))
    case .notPositive: _ = cholesky(-Tensor.eye(2).broadcast(to: [2, 1, 2, 2]))
    case .rank: _ = leastSquares(stacked([.eye(2), .ones([2, 2])]), .ones([2]))
    case .inverted: _ = inverse(stacked([.eye(2), .eye(2), .ones([2, 2])]))
    case .triangle: _ = triangularSolve(.zeros([2, 2]), .ones([2]), upper: true)
    }
  }

  var message: String {
    switch self {
    case .matmul: "matmul: inner axes do not fit: shapes [2, 3] and [4, 5] have 3 and 4"
    case .linear: "linear: axis width must be 5, is 3; input [2, 3], weight [4, 5]"
    case .broadcast: "add: shapes [2, 3] and [4, 5] do not fit: axis -2 is 2 in one and 4 in the other"
    case .reshape: "reshaped: shape [2, 3] has 6 elements, which does not fit [4, -1]"
    case .convolution:
      "convolution: axis channels must be 4 with 1 groups, is 3; input [1, 8, 8, 3], weight [6, 3, 3, 4]"
    case .attention:
      "scaledDotProductAttention: queries [1, 2, 7, 8], keys [1, 2, 7, 8] and values [1, 2, 6, 8] do not fit"
    case .take: "take: indices from -1 to 3 do not lie in 0..<3"
    case .types: "multiply: types float32 and float64 do not fit; convert one with asType"
    case .pullback: "pullback: gradient 0 has shape [4, 5], but the value has [2, 3]"
    case .mask:
      "scaledDotProductAttention: mask has no derivative here; use stopGradient around it"
    case .outside:
      "checkpointed: what the function uses beside its inputs has no derivative here; use stopGradient"
    case .oneNumber:
      "valueAndGradient: the function must return one number, but returned shape [2, 3]"
    case .recurrence:
      "linearRecurrence: the initial state must be float32 [2], is float32 [4, 5]"
    case .spikes: "leakyIntegrateAndFire: leak must be float32 [] or [3], is float32 [2]"
    case .cell:
      "gru: weights must be [[9, 3], [9, 3], [9], [9]] for input [2, 5, 3] and hidden 3, are [[9, 4]"
    case .decay: "linearAttention: the decay must be [1, 2, 7] or [1, 2, 7, 4], is [1, 2, 7, 3]"
    case .beta: "deltaRule: beta must be [1, 2, 7], is [1, 2, 6]"
    case .steps: "scan: inputs must have one length along axis 1, 1 at least, are [[2, 3], [4, 5]]"
    case .groups: "scan: truncateEvery and checkpointEvery must be positive, one is 0"
    case .jacobian: "jacobian: row 6 does not lie in 0..<6, result [2, 3]"
    case .batchJacobian: "batchJacobian: input [2, 3] and result [3] must share their first axis"
    case .tangent: "valueAndTangent: inputs of shapes [[2, 3]] do not fit tangents of shapes [[4, 5]]"
    case .hessian: "hessianVectorProduct: vectors of shapes [[4, 5]] do not fit inputs of shapes [[2, 3]]"
    case .pieces: "unflattened: a vector of shape [7] does not divide into shapes [[2, 3]]"
    case .product: "dot: tensors of shapes [[2, 3]] and [[4, 5]] have no product"
    case .rules: "withDerivative: its derivative returned 0 gradients for 1 inputs"
    case .levels: "QuantisedForm: needs groups, 1, 2, 4 or 8 bits and a decay in 0..<1, got 1, 3 and 0.9"
    case .graph: "operationGraph: needs a name of its own for each of 2 inputs"
    case .coupling: "coupled: indices [3] do not lie in axis 1 of 'x' [2, 3]"
    case .headGroups: "QuantisedForm: axis 1 of [2, 3] does not divide into 2 groups"
    case .sets: "linear: input [2, 3] must have 4 slices, one for each set of weights [4, 5, 3]"
    case .transposedConvolution:
      "convolutionTransposed: axis channels must be 4 with 1 groups, is 3; input [1, 4, 4, 3], weight [6, 3, 3"
    case .outputPadding:
      "convolutionTransposed: output padding [2] must be less than stride [2] or dilation [1] per axis"
    case .kernelSpan:
      "convolution: the kernel spans 5 along axis 1, more than input [1, 4, 3] and padding"
    case .unfolding:
      "unfold: kernel [3], stride [1], padding [(before: 0, after: 0)] and dilation [1] do not suit"
    case .folding: "fold: size [5, 5] has [3, 3] windows of [3, 3], got [2, 4, 4, 27]"
    case .shuffle:
      "pixelShuffle: [2, 3, 3, 6] needs channels in blocks of factor 2 along each of 2 axes"
    case .pooling: "maxPool: padding [2, 2] must be at most half the kernel [2, 2]"
    case .bins: "adaptiveAveragePool: [2, 5, 5, 3] does not divide into [2] bins"
    case .grid:
      "gridSample: x float32 [2, 5, 5, 3] needs coordinates [2, ..., 2], got float32 [2, 7, 3]"
    case .resize: "resized: axis 1 of size 5 cannot become 0"
    case .notSquare: "inverse: needs square matrices, got shape [2, 3]"
    case .singular: "solve: matrix [1] of the batch [2] is singular: pivot 1 is 0"
    case .notPositive:
      "cholesky: matrix [0, 0] of the batch [2, 1] is not positive definite: its leading minor of order 1"
    case .rank: "leastSquares: matrix [1] of the batch [2] has not full rank; use pseudoInverse"
    case .inverted: "inverse: matrix [2] of the batch [3] is singular: pivot 1 is 0"
    case .triangle: "triangularSolve: the matrix is singular: entry 0 of its diagonal is 0"
    }
  }
}

extension TensorTests {
  @Suite struct ErrorMessages {
    @Test(arguments: Mistake.allCases) func text(_ mistake: Mistake) {
      let thrown = #expect(throws: InvalidInput.self) { try withErrors { mistake.make() } }
      #expect(thrown?.description.contains(mistake.message) == true, "\(thrown?.description ?? "")")
    }

    /// Where nobody catches it, the program stops with the same line.
    @Test func stops() async throws {
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Mistake.matmul.make()
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(text.contains(Mistake.matmul.message))
    }
  }
}
