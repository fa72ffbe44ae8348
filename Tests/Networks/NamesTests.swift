import CallosumNetworks
import CallosumTensors
import Foundation
import Testing

/// docs/from-pytorch-and-mlx.md: everything that it writes in Callosum stands here too, where it is compiled and
/// runs.
@Suite struct NamesTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    "callosum-names-\(UUID().uuidString)")

  @Test func everyNameOfThePageIsUsedHere() throws {
    let own = try normalised(String(contentsOfFile: #filePath, encoding: .utf8))
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appendingPathComponent("docs/from-pytorch-and-mlx.md"), encoding: .utf8)
    var count = 0, language: String?
    for line in page.components(separatedBy: "\n") {
      if line.hasPrefix("```") {
        language = language == nil ? String(line.dropFirst(3)) : nil
      } else if language == "swift", line != "", !line.hasPrefix("import ") {
        let isUsed = own.contains(normalised(line))
        #expect(isUsed, "\(line)")
        count += 1
      } else if language == nil, line.hasPrefix("| ") {
        // Spans of code in the last column.
        let cell = line.components(separatedBy: " | ").last ?? ""
        let spans = cell.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(
          \.element)
        for span in spans where span != "+ - * / %" {
          let isUsed = own.contains(normalised(span))
          #expect(isUsed, "\(span)")
          count += 1
        }
      }
    }
    #expect(count > 170)
  }

  private func normalised(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  // MARK: The tables

  @Test func tensors() throws {
    let v = [1, 2, 3, 4, 5, 6] as [Float]
    _ = Tensor([1, 2] as [Float])
    let x = Tensor(v, [2, 3])
    _ = [Tensor.zeros([2, 3]), Tensor.ones([2]), Tensor.full([2], 7), Tensor.eye(3), Tensor.zeros(like: x)]
    let n = 4
    _ = [Tensor.arange(n), Tensor.linspace(0, 1, count: 5)]
    _ = (x.shape, x.ndim, x.size, x.dim(0))
    _ = (x.asType(.float64), x.contiguous())
    let f = { (x: Tensor) in x * 2 }
    #expect(try withErrors { f(x) }.floats == (x * 2).floats)
    _ = [TensorMemory.activeMemory, TensorMemory.peakMemory, TensorMemory.cacheMemory]
    _ = TensorMemory.cacheLimit
    TensorMemory.clearCache()
    #expect(x.asArray(Float.self) == x.floats && x.doubles.count == 6)
    let one = x[0, 0]
    do {
      let x = one
      #expect(x.item() == 1 && x.item(Float.self) == 1)
    }
  }

  @Test func indexing() {
    var x = Tensor((0..<12).map { Float($0) }, [3, 4])
    let i = 1, y = Tensor(0.0), indices = Tensor([0, 1] as [Int32]), rows = indices, columns = indices
    _ = [x[i], x[i, -1], x[1..<3], x[..<2], x[(-3)...], x[0..., 1], x[.all, 1], x[.stride(by: 2)]]
    _ = [x[.ellipsis, 0], x[.newAxis], x[indices], x[rows, columns]]
    let mask = x .> 3
    #expect(x[mask].floats == x.masked(by: mask).floats)
    x[0, 1] = y
    x[mask] = Tensor(0.0)
    x[0] += 1
    x[0] -= 1
    #expect(x.floats == [0, 0, 2, 3] + [Float](repeating: 0, count: 8))
    _ = x.take(indices, axis: 1)
    do {
      let x = Tensor.ones([3, 2]), indices = Tensor([0, 1, 1] as [Int32], [3, 1]), v = Tensor.zeros([3, 1])
      _ = [x.takeAlong(indices, axis: 1), x.putAlong(indices, values: v, axis: 1)]
    }
    let v = Tensor.ones([2, 4]), n = 3
    _ = [x.put(indices, values: v), v.scatterAdded(at: indices, count: n)]
  }

  @Test func moving() {
    let x = Tensor.ones([1, 4, 3]), shape = [5, 4, 3]
    _ = [x.reshaped(2, -1), x.flattened(start: 1), x.squeezed(axis: 0), x.expandedDimensions(axis: 0)]
    _ = [x.transposed(0, 2, 1), x.swappedAxes(0, 1), x.movedAxis(source: 0, destination: 1)]
    _ = [x.broadcast(to: shape), x.flipped(axes: [0]), x.rolled(1, axis: 0), x.tril()]
    _ = x.slidingWindows(axis: 1, size: 3)
    do {
      let x = Tensor.ones([4]), (a, b) = (Tensor.ones([2, 2]), Tensor.zeros([2, 2])), mask = a .> b
      _ = [x.padded([(1, 1)]), concatenated([a, b], axis: 1), stacked([a, b]), which(mask, a, b)]
      _ = x.split(parts: 2) + x.split(sizes: [1, 3])
    }
    do {
      let x = Tensor([1, 2] as [Int32])
      _ = x.oneHot(count: 10)
    }
  }

  @Test func numbers() {
    let x = Tensor([0.5, 2, 1] as [Float]), y = x + 1
    _ = [x - y, x * y, x / y, x % y, floorDivide(x, 2), pow(x, 2), x .== y, x .< y]
    let (a, b) = (x .> 1, y .> 1)
    _ = [a .&& b, .!a, exp(x), log1p(x), rsqrt(x), erf(x), clip(x, min: 0), relu(x), gelu(x), silu(x)]
    _ = leakyRelu(x, negativeSlope: 0.1)
    do {
      let x = Tensor.ones([2, 2])
      _ = [
        x.sum(axis: 0), x.mean(axes: [0, 1]), x.product(), x.max(axis: 0), x.max(axis: 0, keepDims: true),
      ]
    }
    _ = [x.variance(axis: 0, correction: 0), x.argMax(axis: 0), x.any(), x.all()]
    _ = [x.std(axis: 0, correction: 0), norm(x)]
    _ = [x.cumsum(axis: 0), x.cumprod(axis: 0), x.cummax(axis: 0), x.logCumsumExp(axis: 0)]
    _ = (x.sorted(), x.argSort(), x.topK(3), x.unique(), x.quantile(0.5))
    _ = [softmax(x), logSoftmax(x), logSumExp(x)]
  }

  @Test func algebra() {
    let a = Tensor([2, 1, 1, 3] as [Float], [2, 2]), b = Tensor.ones([2, 2])
    _ = [matmul(a, b), einsum("ij,jk->ik", a, b), cholesky(a), solve(a, b), inverse(a), eigvalsh(a)]
    _ = [choleskyEx(a).info, solveEx(a, b).info, inverseEx(a).info]
    _ = (svd(a), qr(a), eigh(a))
    let n = 2
    do {
      let x = Tensor.ones([2, 4, 2])
      _ = [fft(x), rfft(x)]
    }
    do {
      let x = rfft(a)
      _ = irfft(x, length: n)
    }
    let q = Tensor.ones([1, 1, 3, 2]), (k, v) = (q, q)
    _ = scaledDotProductAttention(queries: q, keys: k, values: v, causal: true)
    do {
      let x = Tensor.ones([1, 4, 4, 2]), w = Tensor.ones([3, 2, 2, 2])
      _ = [conv2d(x, weight: w), maxPool2d(x, kernel: (2, 2)), resized(x, axes: [1, 2], to: [8, 8])]
    }
  }

  @Test func randomNumbers() {
    var random = RandomGenerator(seed: 1)
    let logits = Tensor.zeros([3])
    _ = (random.split(into: 2), random.stream("weights"))
    _ = [
      random.uniform([2]), random.normal([2]), random.integers([2], low: 0, high: 9), random.permutation(5),
    ]
    _ = [random.bernoulli([2], probability: 0.5), random.categorical(logits)]
  }

  private final class Net: Layer {
    @Parameter var scale = Tensor.ones([2])
    @Buffer var mean = Tensor.zeros([2])
    let head: Linear
    init(using random: inout RandomGenerator) { head = Linear(2, 3, using: &random) }
    func forward(_ x: Tensor) -> Tensor { head((x - mean) * scale) }
  }

  @Test func layersAndModules() throws {
    var random = RandomGenerator(seed: 1)
    _ = Conv2d(3, 8, kernel: (5, 5), using: &random)
    _ = (Embedding(10, 4, using: &random), Dropout(0.1))
    _ = (LayerNorm(8), RMSNorm(8), GroupNorm(groups: 2, 8), BatchNorm(8))
    _ = (
      RNN(4, 8, using: &random), LSTM(4, 8, using: &random), MultiHeadAttention(8, heads: 2, using: &random)
    )
    let layer = GRU(4, 8, using: &random)
    do {
      let x = Tensor.ones([2, 5, 4])
      _ = layer(x, layer.initialState(batch: 2))
    }
    let (a, b) = (Dropout(0.1), Linear(2, 3, using: &random))
    _ = Sequential(a, b)
    let model = Net(using: &random), x = Tensor.ones([4, 2])
    #expect(model.parameters().map(\.name) == ["scale", "head.weight", "head.bias"])
    #expect(model.buffers().map(\.name) == ["mean"])
    model.freeze()
    model.freeze(keys: ["bias"])
    model.unfreeze()
    _ = (model.trainableParameters(), model.children(), model.leafModules(), model.namedModules())
    print(model)
    let hooks = ["head": { (x: Tensor) in x * 2 }], weights = model.weights()
    let plain = model(x)
    #expect(model.withHooks(hooks) { model(x) }.floats == (plain * 2).floats)
    _ = model.reading(["head.input"]) { model(x) }
    _ = model.withWeights(weights) { model(x) }
    try model.load(weights: weights)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (path, tensors) = (folder.appendingPathComponent("x.npz").path, weights)
    try NumPy.saveArchive(tensors, to: path)
    _ = try NumPy.loadArchive(path)
    func stored() throws {
      try model.save(to: "m.safetensors")
      try model.load(from: "m.safetensors")
      _ = try NumPy.load(path)
      _ = try (NumPy.load(path, mapping: true), NumPyArchive(path: path).array("x"))
      _ = try SafetensorsFile(path: path).tensor("x")
    }
    _ = stored
  }

  @Test func derivatives() {
    let x = Tensor([0.5, 2] as [Float]), v = Tensor.ones([2])
    do {
      let f = { (x: Tensor) in square(x).sum() }
      _ = (gradient(of: f)(x), stopGradient(x), withoutRecording { f(x) })
    }
    do {
      let f = { (x: [Tensor]) in square(x[0]).sum() }
      _ = valueAndGradient(at: [x], of: f)
      _ = withDerivative("name", at: [x], of: f) { g, _, _ in [g] }
    }
    do {
      let f = { (x: [Tensor]) in [square(x[0])] }
      _ = (valueAndPullback(at: [x], of: f), valueAndTangent(at: [x], along: [v], of: f))
      _ = checkpointed(at: [x], of: f)
    }
    do {
      let f = { (x: Tensor) in square(x) }
      _ = jacobian(at: x, of: f)
    }
  }

  @Test func learning() throws {
    var random = RandomGenerator(seed: 1)
    let layer = Linear(2, 3, using: &random), parameters = layer.parameters(), x = Tensor.ones([4, 2])
    let loss = Tensor(0.0)
    _ = valueAndGradient(by: parameters) { loss }
    _ = (layer.recomputed(x), training(using: &random) { loss })
    do {
      let x = Tensor.ones([2, 3]), y = Tensor([0, 1] as [Int32])
      _ = crossEntropy(logits: x, targets: y)
    }
    do {
      let y = Tensor.zeros([4, 2])
      _ = [
        binaryCrossEntropy(logits: x, targets: y), mseLoss(predictions: x, targets: y),
        l1Loss(predictions: x, targets: y), huberLoss(predictions: x, targets: y),
        klDivLoss(logPredictions: x, targets: y), poissonLoss(predictions: x, targets: y),
      ]
    }
    let optimiser = SGD(parameters, learningRate: 0.1)
    _ = (Adam(parameters), Adam.adamW(parameters), RMSprop(parameters), Lion(parameters))
    let gradients = parameters.map { Tensor.ones(like: $0.value) }
    optimiser.update(gradients)
    _ = ParameterGroup(rate: 0.1) { name in name.hasPrefix("head") }
    _ = (clipped(gradients, toNorm: 1), clipped(gradients, toValue: 1))
    _ = Schedule.cosine(warmup: 10).factor(step: 0, of: 100)
    let state = optimiser.state
    try optimiser.restore(state)
    _ = MovingAverage(parameters, decay: 0.99)
  }

  // MARK: The programs

  @Test func programs() {
    var random = RandomGenerator(seed: 1)
    let x = random.uniform([256, 2], low: -1, high: 1)
    let y = (x[.all, 0] * x[.all, 1] .> 0).asType(.int32)
    let model = Sequential(
      Linear(2, 32, activation: .gelu, using: &random), Dropout(0.1), Linear(32, 2, using: &random))
    let optimiser = Adam.adamW(model.parameters(), learningRate: 1e-2)
    for _ in 0..<200 {
      let (_, gradients) = training(using: &random) {
        valueAndGradient(by: model.parameters()) { crossEntropy(logits: model(x), targets: y) }
      }
      optimiser.update(gradients)
    }
    let accuracy = (model(x).argMax(axis: 1) .== y).asType(.float32).mean().item()
    #expect(accuracy > 0.9)

    model.freeze()
    model.layers[2].unfreeze()
    let tuner = SGD(model.trainableParameters(), learningRate: 0.1, momentum: 0.9)
    #expect(tuner.parameters.map(\.name) == ["layers.2.weight", "layers.2.bias"])
  }
}
