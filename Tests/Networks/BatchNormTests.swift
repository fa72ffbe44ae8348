import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Which statistics batch normalisation uses, and its folding into the layer before.
@Suite struct BatchNormTests {
  private var random = RandomGenerator(seed: 5)

  /// One whose weights and averages are of no special kind.
  private mutating func norm(_ channels: Int, affine: Bool = true) -> BatchNorm {
    let norm = BatchNorm(channels, affine: affine)
    if affine {
      norm.weight = random.normal([channels])
      norm.bias = random.normal([channels])
    }
    norm.runningMean = random.normal([channels])
    norm.runningVariance = random.uniform([channels], low: 0.3, high: 4)
    return norm
  }

  private func statistics(_ norm: BatchNorm) -> [[Float]] {
    [norm.runningMean.floats, norm.runningVariance.floats]
  }

  // MARK: Modes

  @Test mutating func modesChooseStatistics() {
    let norm = norm(3), x = random.normal([4, 5, 3]) * 2 + 1
    let before = statistics(norm)
    let byAverages = norm(x)
    let byBatch = withBatchNorm(.batch()) { norm(x) }
    #expect(statistics(norm) == before)
    // Training gives the batch's numbers and moves the averages, once; the other modes do not.
    let frozen = training(using: &random) { withBatchNorm(.frozen) { norm(x) } }
    #expect(frozen.floats == byAverages.floats && statistics(norm) == before)
    let quiet = training(using: &random) { withBatchNorm(.batch()) { norm(x) } }
    #expect(quiet.floats == byBatch.floats && statistics(norm) == before)
    let trained = training(using: &random) { norm(x) }
    let after = statistics(norm)
    #expect(trained.floats == byBatch.floats && byBatch.floats != byAverages.floats && after != before)
    // Updating in evaluation moves them as training does.
    norm.runningMean = Tensor(before[0])
    norm.runningVariance = Tensor(before[1])
    _ = withBatchNorm(.batch(updating: true)) { norm(x) }
    #expect(statistics(norm) == after)
    // Estimated anew from one batch alone.
    norm.momentum = 1
    _ = withBatchNorm(.batch(updating: true)) { norm(x) }
    expectNear(norm.runningMean, x.mean(axes: [0, 1]))
    expectNear(norm.runningVariance, x.variance(axes: [0, 1]) * (20 / 19.0))
  }

  /// Equal numbers far from 0 are 0 after normalisation by their own statistics.
  @Test func equalNumbersDoNotVary() {
    let norm = BatchNorm(2), x = Tensor.full([19, 2], 20000.3)
    #expect(withBatchNorm(.batch()) { norm(x) }.floats.allSatisfy { $0 == 0 })
  }

  @Test mutating func scopesNestAndLayersHaveTheirOwn() {
    let norm = norm(3), x = random.normal([6, 3])
    let byAverages = norm(x).floats, byBatch = withBatchNorm(.batch()) { norm(x) }.floats
    withBatchNorm(.batch()) {
      #expect(withBatchNorm(.automatic) { norm(x) }.floats == byAverages)
      #expect(norm(x).floats == byBatch)
    }
    norm.mode = .frozen
    #expect(withBatchNorm(.batch()) { norm(x) }.floats == byAverages)
    norm.mode = nil
    #expect(norm(x).floats == byAverages)
    // A checkpoint computes again in the mode of the first time, wherever the derivative is taken.
    func gradients(_ forward: @escaping (Tensor) -> Tensor) -> [Float] {
      let (_, pullback) = withBatchNorm(.batch()) { valueAndPullback(at: [x]) { [square(forward($0[0]))] } }
      return pullback([Tensor((0..<18).map { Float($0 % 5) }, [6, 3])])[0].floats
    }
    #expect(gradients { norm.recomputed($0) } == gradients { norm($0) })
  }

  /// With frozen statistics y = scale x + shift, which is what its derivatives say.
  @Test mutating func frozenGradients() {
    let norm = norm(3), x = random.normal([4, 2, 3]), g = random.normal([4, 2, 3])
    guard let weight = norm.weight else { return }
    let (slope, gradients) = training(using: &random) {
      withBatchNorm(.frozen) {
        let slope = gradient(at: x) { (norm($0) * g).sum() }
        return (slope, valueAndGradient(by: norm.parameters()) { (norm(x) * g).sum() }.gradients)
      }
    }
    let scale = rsqrt(norm.runningVariance + 1e-5)
    expectNear(slope, g * scale * weight)
    expectNear(gradients[0], ((x - norm.runningMean) * scale * g).sum(axes: [0, 1]))
    expectNear(gradients[1], g.sum(axes: [0, 1]))
  }

  // MARK: Folding

  @Test mutating func foldingIsAnIdentity() {
    let layers: [(any AffineLayer, [Int])] = [
      (Linear(5, 6, using: &random), [7, 5]), (Linear(5, 6, bias: false, using: &random), [2, 3, 5]),
      (Conv1d(4, 6, kernel: 3, padding: 1, paddingMode: .reflect, using: &random), [2, 9, 4]),
      (
        Conv2d(4, 6, kernel: (3, 2), stride: (2, 1), padding: (1, 0), groups: 2, using: &random),
        [2, 7, 5, 4]
      ),
      (Conv2d(6, 6, kernel: (3, 3), groups: 6, bias: false, using: &random), [1, 6, 5, 6]),
      (Conv3d(2, 6, kernel: (2, 3, 2), using: &random), [2, 4, 5, 3, 2]),
      (ConvTransposed1d(4, 6, kernel: 3, stride: 2, groups: 2, using: &random), [2, 5, 4]),
      (ConvTransposed2d(3, 6, kernel: (3, 3), stride: (2, 2), bias: false, using: &random), [2, 4, 3, 3]),
      (ConvTransposed3d(2, 6, kernel: (2, 2, 2), using: &random), [1, 3, 2, 3, 2]),
    ]
    for (position, (layer, shape)) in layers.enumerated() {
      let norm = norm(6, affine: position % 3 != 1), x = random.normal(shape)
      let expected = norm(layer(x))
      layer.fold(norm)
      #expect(norm.isFolded)
      let found = layer(x)
      let allowed = Tolerance(relative: 1e-5, ofLargest: 2e-6)
      #expect(Comparison(found, expected, within: allowed).problem == nil, "layer \(position)")
      #expect(norm(found).floats == found.floats)
      // A network that has not been folded understands the folded weights.
      let fresh = BatchNorm(6, affine: position % 3 != 1)
      #expect(throws: Never.self) { try fresh.load(weights: norm.weights()) }
      #expect(Comparison(fresh(found), found, within: Tolerance(relative: 1e-6)).problem == nil)
    }
  }

  /// Where a normalisation follows a layer directly and alone, and nowhere else.
  @Test mutating func wholeNetworksFold() {
    let norms = (0..<5).map { _ in norm(4) }
    let first = Conv2d(3, 4, kernel: (3, 3), padding: (1, 1), using: &random)
    let second = ConvTransposed2d(4, 4, kernel: (2, 2), using: &random)
    let shared = Conv2d(4, 4, kernel: (1, 1), bias: false, using: &random)
    let activated = Linear(4, 4, activation: .relu, using: &random)
    let network = Sequential(first, norms[0], Lambda(relu), second, norms[1], activated, norms[2], shared)
    let tail = Sequential(norms[3], norms[4])
    let whole = Sequential(network, tail), x = random.normal([2, 6, 5, 3])
    func forward(_ inputs: [Tensor]) -> [Tensor] {
      let y = network(inputs[0])
      // What `shared` yields is normalised and read beside.
      return [tail(y) + y]
    }
    let expected = forward([x])[0]
    let folded = whole.foldBatchNorms(at: [x], of: forward)
    #expect(folded == ["layers.0.layers.1", "layers.0.layers.4"])
    #expect(norms.map(\.isFolded) == [true, true, false, false, false])
    expectNear(forward([x])[0], expected)
    #expect(whole.foldBatchNorms(at: [x], of: forward).isEmpty)
  }

  @Test func foldingRefuses() async {
    let activated = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      Linear(2, 3, activation: .gelu, using: &random).fold(BatchNorm(3))
    }
    expectStop(activated?.standardErrorContent, "fold: a BatchNorm cannot pass the activation of Linear")
    let twice = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      let layer = Linear(2, 3, using: &random), norm = BatchNorm(3)
      layer.fold(norm)
      layer.fold(norm)
    }
    expectStop(twice?.standardErrorContent, "fold: this BatchNorm has been folded already")
    let unequal = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var random = RandomGenerator(seed: 1)
      Linear(2, 3, using: &random).fold(BatchNorm(4))
    }
    expectStop(
      unequal?.standardErrorContent, "fold: 4 channels of a BatchNorm do not fit a weight of shape [3, 2]")
  }

  private func expectStop(_ content: [UInt8]?, _ message: String) {
    #expect(String(decoding: content ?? [], as: UTF8.self).contains("Fatal error: \(message)"))
  }
}

/// Equal but for rounding in float32.
func expectNear(_ actual: Tensor, _ expected: Tensor, at location: SourceLocation = #_sourceLocation) {
  let allowed = Tolerance(relative: 1e-5, ofLargest: 2e-6, absolute: 1e-7)
  let problem = Comparison(actual, expected, within: allowed).problem
  #expect(problem == nil, sourceLocation: location)
}
