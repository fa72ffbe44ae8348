import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Hessians over the parameters of a network, and passes that leave no traces.
@Suite struct CurvatureTests {
  private var random = RandomGenerator(seed: 8)

  /// The loss of Fixtures/derivatives.py, by its three inputs as parameters.
  private func loss(_ holder: Holder) -> Tensor {
    let all = holder.values.map(\.value)
    let y = linear(all[0], weight: all[1], bias: all[2], activation: .gelu), a = layerNorm(y)
    return (square(a) * sigmoid(a)).mean() + logSumExp(matmul(softmax(y), all[1])).sum()
  }

  // MARK: Products

  @Test(arguments: [DType.float32, .float64]) func hessiansFollowPyTorch(_ type: DType) throws {
    let golden = try Golden.tensors("derivatives"), names = ["x", "w", "b"]
    let holder = Holder(names.map { golden[$0].asType(type) })
    let along = names.map { golden["along.\($0)"].asType(type) }
    let single = type == .float32
    let methods: [(HessianProduct, Double)] = [
      (.exact, single ? 1e-5 : 2e-7), (.centralDifferences(), single ? 5e-3 : 1e-4),
      (.centralDifferences(step: 1e-5), single ? 1 : 1e-7),
    ]
    for (method, error) in methods {
      let found = hessianVectorProduct(by: holder.parameters(), along, method: method) { loss(holder) }
      for (product, name) in zip(found, names) {
        let allowed = Tolerance(relative: error, ofLargest: error)
        let wrong = Comparison(product.asType(.float32), golden["hessian.\(name)"], within: allowed).problem
        #expect(wrong == nil, "\(method), \(name)")
      }
    }
    #expect(zip(holder.values, names).allSatisfy { $0.value.doubles == golden[$1].doubles })
  }

  @Test(arguments: [DType.float32, .float64]) func largestEigenvalue(_ type: DType) throws {
    let golden = try Golden.tensors("derivatives")
    var random = random
    let holder = Holder(["x", "w", "b"].map { golden[$0].asType(type) }), parameters = holder.parameters()
    let expected = golden["largest"].item()
    for (method, error) in [(HessianProduct.exact, 1e-4), (.centralDifferences(), 1e-2)] {
      let (value, vector) = largestHessianEigenvalue(by: parameters, method: method, using: &random) {
        loss(holder)
      }
      // The step of the differences shows: the catalogue's entry asks for one percent.
      #expect(abs(value - expected) < error * abs(expected), "\(value)")
      #expect(abs(norm(of: vector) - 1) < 1e-5)
      let product = hessianVectorProduct(by: parameters, vector) { loss(holder) }
      let off = zip(product, vector).map { $0 - $1 * expected }
      #expect(norm(of: off) < 2e-3 * abs(expected))
    }
    // A Hessian of zeros, and one that is known: 2, 2, 2, 6.
    let flat = largestHessianEigenvalue(by: parameters, using: &random) { holder.values[0].value.sum() }
    #expect(flat.value == 0)
    let square = Holder([.ones([3]), .ones([1])])
    let known = largestHessianEigenvalue(by: square.parameters(), iterations: 30, using: &random) {
      (pow(square.values[0].value, 2).sum() + pow(square.values[1].value, 2).sum() * 3)
    }
    #expect(abs(known.value - 6) < 1e-4 && abs(abs(known.vector[1].item()) - 1) < 1e-4)
    // Of no length there is no direction.
    let still = parameters.map { Tensor.zeros(like: $0.value) }
    let none = hessianVectorProduct(by: parameters, still, method: .centralDifferences()) { loss(holder) }
    #expect(norm(of: none) == 0)
  }

  // MARK: Without traces

  /// Dropout draws the same masks in every pass, and batch normalisation takes in the first alone.
  @Test mutating func secondPassesLeaveNoTraces() {
    let norm = BatchNorm(4), first = Linear(3, 4, using: &random), last = Linear(4, 2, using: &random)
    let network = Sequential(first, norm, Dropout(0.5), last), x = random.normal([8, 3])
    let parameters = network.parameters()
    var masks: [[Float]] = []
    func loss() -> Tensor {
      let y = network.withHooks([
        "layers.3.input": {
          masks.append(($0 .== 0).floats)
          return $0
        }
      ]) { network(x) }
      return square(y).sum()
    }
    // What one pass alone does.
    let start = (norm.runningMean, norm.runningVariance)
    var once = random
    _ = training(using: &once) { valueAndGradient(by: parameters, of: loss) }
    let moved = [norm.runningMean.floats, norm.runningVariance.floats]
    (norm.runningMean, norm.runningVariance) = start

    masks = []
    var twice = random
    _ = training(using: &twice) {
      let one = valueAndSharpnessAwareGradient(by: parameters, of: loss)
      return one.value
    }
    #expect(masks.count == 2 && masks[0] == masks[1] && masks[0].contains(1) && masks[0].contains(0))
    #expect([norm.runningMean.floats, norm.runningVariance.floats] == moved && twice == once)

    // Looking at curvature and at memory moves nothing at all.
    masks = []
    var look = random
    training(using: &look) {
      let along = parameters.map { Tensor.ones(like: $0.value) }
      let exact = hessianVectorProduct(by: parameters, along, of: loss)
      let near = hessianVectorProduct(by: parameters, along, method: .centralDifferences(), of: loss)
      #expect(
        CallosumTensors.norm(of: zip(exact, near).map { $0 - $1 }) < 0.02 * CallosumTensors.norm(of: exact))
      #expect(savedBytes(by: parameters, of: loss).total > 0)
    }
    #expect(masks.count == 4 && masks.allSatisfy { $0 == masks[0] })
    #expect([norm.runningMean.floats, norm.runningVariance.floats] == moved && look == random)
  }

  // MARK: Vectors of parameters

  @Test mutating func perturbationsAreTakenBack() {
    let layer = Linear(3, 2, using: &random), x = random.normal([4, 3])
    let parameters = layer.parameters(), before = layer(x)
    let vector = flattened(parameters.map(\.value))
    #expect(vector.shape == [8])
    let steps = unflattened(random.normal([8]), like: parameters.map(\.value))
    let moved = withParameters(parameters, movedBy: steps, times: 0.5) { layer(x) }
    expectNear(moved, before + linear(x, weight: steps[0], bias: steps[1]) * 0.5)
    #expect(flattened(parameters.map(\.value)).floats == vector.floats)
    // Derivatives pass to the vector: weights made by another network.
    let slope = gradient(at: vector) { vector in
      let values = unflattened(vector, like: parameters.map(\.value))
      return withParameters(parameters, as: values) { square(layer(x)).sum() }
    }
    let direct = valueAndGradient(by: parameters) { square(layer(x)).sum() }.gradients
    expectNear(slope, flattened(direct))
    let named = layer.weights()
    #expect(unflattened(flattened(named), like: named).mapValues(\.floats) == named.mapValues(\.floats))
    let (short, length) = clipped(direct, toNorm: 0.5)
    #expect(abs(norm(of: short) - 0.5) < 1e-6 && length == norm(of: direct))
  }

  /// Two losses over one recording, each with a weight of its own for each set of parameters.
  @Test mutating func gradientsOfTwoLossesInOnePass() {
    let body = Linear(3, 5, activation: .gelu, using: &random), head = Linear(5, 2, using: &random)
    let network = Sequential(body, head), x = random.normal([6, 3]), parameters = network.parameters()
    var passes = 0
    func losses() -> [Tensor] {
      passes += 1
      let y = network(x)
      return [square(y).sum(), sin(y).mean()]
    }
    let (values, pullback) = valueAndPullback(by: parameters, of: losses)
    let one = Tensor(1 as Float)
    let (a, b) = (pullback([one, nil]), pullback([nil, one]))
    #expect(passes == 1)
    // The body learns from the first loss and a tenth of the second, the head from the second alone.
    let mixed = parameters.indices.map { $0 < 2 ? a[$0] + b[$0] * 0.1 : b[$0] }
    for (i, alone) in [0, 1].map({ i in valueAndGradient(by: parameters) { losses()[i] } }).enumerated() {
      #expect(values[i].item() == alone.value.item())
      for (found, expected) in zip(i == 0 ? a : b, alone.gradients) { expectNear(found, expected) }
    }
    let joint = valueAndGradient(by: Array(parameters.prefix(2))) {
      let all = losses()
      return all[0] + all[1] * 0.1
    }.gradients
    for i in 0..<2 { expectNear(mixed[i], joint[i]) }
    // Both at once, as a weighted sum.
    for (sum, (c, d)) in zip(pullback([one, one * 0.1]), zip(a, b)) { expectNear(sum, c + d * 0.1) }
  }
}
