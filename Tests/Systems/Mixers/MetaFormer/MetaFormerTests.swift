import CallosumContracts
import CallosumMixers
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

/// timm 1.0.31, golden.py.
private struct Reference {
  let tensors: [String: Tensor]

  init() throws {
    let file = Golden.path(beside: #filePath)
    tensors = try Safetensors.load(file).tensors
  }

  func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name], "\(name)") }
}

/// The numbers of the script: from -1 to 1, the fraction of a large multiple of a sine.
private func numbers(_ stream: Int, _ shape: [Int]) -> Tensor {
  let count = shape.reduce(1, *)
  let values = (0..<count).map { place in
    let x = sin(12.9898 * Double(place + 1) + 78.233 * Double(stream)) * 1000
    return 2 * (x - x.rounded(.down)) - 1
  }
  return Tensor(values, shape)
}

private func fill(_ network: MetaFormer) {
  let sorted = network.parameters().sorted { $0.name < $1.name }
  for (stream, one) in sorted.enumerated() {
    let shape = one.value.shape, x = numbers(stream, shape)
    if shape.count > 1 {
      one.value = x * (3 / Double(shape.dropFirst().reduce(1, *))).squareRoot()
    } else if one.name.hasSuffix("bias") {
      one.value = x * 0.1
    } else {
      one.value = one.name.contains("scale") ? x * 0.1 + 0.2 : x * 0.1 + 1
    }
  }
}

private func problem(_ ours: Tensor, _ theirs: Tensor, _ tolerance: Double) -> String? {
  CallosumTestSupport.Comparison(
    ours.asType(.float64), theirs, within: Tolerance(relative: tolerance, ofLargest: tolerance)
  ).problem
}

@Suite struct MetaFormerTests {
  private func network(
    _ change: (inout MetaFormer.Settings) -> Void, channels: Int = 3, classes: Int, rows: Int,
    columns: Int
  ) throws -> MetaFormer {
    var settings = MetaFormer.Settings()
    change(&settings)
    var random = RandomGenerator(seed: 1)
    return try MetaFormer(
      settings, in: Slot(width: channels, outputWidth: classes, rows: rows, columns: columns), using: &random)
  }

  /// Outputs, and gradients by the image and every parameter.
  @Test func agreesWithTimm() throws {
    let reference = try Reference()
    let model = try network(
      { ($0.widths, $0.depths, $0.poolsFirst) = ([6, 8, 10, 12], [1, 1, 2, 1], true) }, classes: 5, rows: 37,
      columns: 30)
    fill(model)
    let parameters = model.parameters()
    for one in parameters {
      #expect(problem(one.value, try reference("small.weight.\(one.name)"), 1e-9) == nil, "\(one.name)")
    }
    #expect(reference.tensors.keys.count { $0.hasPrefix("small.weight.") } == parameters.count)
    for (dtype, tolerance) in [(DType.float64, 1e-9), (.float32, 1e-5)] {
      let values = [try reference("small.x")] + parameters.map(\.value)
      let (outputs, pullback) = valueAndPullback(at: values.map { $0.asType(dtype) }) { all in
        withParameters(parameters, as: Array(all.dropFirst())) { [model(all[0])] }
      }
      #expect(problem(outputs[0], try reference("small.y"), tolerance) == nil, "\(dtype)")
      let gradients = pullback([try reference("small.cotangent").asType(dtype)])
      let largest = gradients.flatMap(\.doubles).map(abs).max() ?? 0
      for (name, gradient) in zip(["x"] + parameters.map(\.name), gradients) {
        let wrong = CallosumTestSupport.Comparison(
          gradient.asType(.float64), try reference("small.gradient.\(name)"),
          within: Tolerance(relative: tolerance, ofLargest: tolerance, absolute: 0.1 * tolerance * largest))
        #expect(wrong.problem == nil, "\(name), \(dtype)")
      }
    }
  }

  @Test func poolFormerS12AgreesWithTimm() throws {
    let reference = try Reference()
    let model = try network(
      {
        $0 = .s12
        $0.poolsFirst = true
      }, classes: 1000, rows: 96, columns: 96)
    #expect(model.parameterCount == 11_915_176)
    fill(model)
    for one in model.parameters() { one.value = one.value.asType(.float32) }
    let y = model(numbers(1000, [1, 96, 96, 3]).asType(.float32))
    #expect(problem(y, try reference("s12.y"), 1e-5) == nil)
  }

  /// The paper's order differs from timm's: the mean of normalised tokens, not a norm of their mean.
  @Test func theLastNormMayComeFirst() throws {
    let model = try network({ $0.depths = [1] }, classes: 2, rows: 12, columns: 12)
    let other = try network({ ($0.depths, $0.poolsFirst) = ([1], true) }, classes: 2, rows: 12, columns: 12)
    let image = numbers(3, [1, 12, 12, 3]).asType(.float32)
    #expect(model(image).floats != other(image).floats)
    // With one token there is nothing to choose.
    let small = numbers(3, [1, 4, 4, 3]).asType(.float32)
    let one = try network({ $0.depths = [1] }, classes: 2, rows: 4, columns: 4)
    let same = try network({ ($0.depths, $0.poolsFirst) = ([1], true) }, classes: 2, rows: 4, columns: 4)
    for (a, b) in zip(one.parameters(), same.parameters()) {
      a.value = numbers(1, a.value.shape).asType(.float32)
      b.value = a.value
    }
    #expect(problem(one(small), same(small).asType(.float64), 1e-3) == nil)
  }

  /// Any layers may take the two places of a block.
  @Test func placesAreOpen() throws {
    var settings = MetaFormer.Settings()
    (settings.depths, settings.block.norm, settings.block.layerScale) = ([1], .none, 1)
    var random = RandomGenerator(seed: 1)
    let model = try MetaFormer(
      settings, in: Slot(width: 3, outputWidth: 2, rows: 12, columns: 12), using: &random,
      channel: { _, _, _ in Lambda { $0 * 2 } }, mixer: { _, _, _ in Lambda { $0 * 3 } })
    // x + 3 x, and the same again with 2.
    let image = numbers(3, [1, 12, 12, 3]).asType(.float32)
    let expected = model.head(model.stem(image).reshaped(1, 9, 32).mean(axis: 1) * 12)
    #expect(problem(model(image), expected.asType(.float64), 1e-5) == nil)
  }

  @Test func mistakesAreRefused() {
    let tooSmall = #expect(throws: InvalidInput.self) {
      try network({ $0.stem.padding = 0 }, classes: 2, rows: 5, columns: 5)
    }
    #expect(tooSmall?.description == "metaformer: an image of 5 x 5 leaves no tokens for stage 1")
    let wrongPart = #expect(throws: InvalidInput.self) {
      try network({ $0.mixers = ["metaformer"] }, classes: 2, rows: 8, columns: 8)
    }
    #expect(wrongPart?.description == "metaformer is a network, not a token mixer")
  }
}

@Suite struct SimpleMixerTests {
  private func mixer<M: TokenMixer>(_ type: M.Type) throws -> M {
    var random = RandomGenerator(seed: 1)
    return try M(M.Settings(), in: Slot(width: 3, rows: 4, columns: 5), using: &random)
  }

  /// Borders included: padding is not counted.
  @Test func poolingLeavesNothingOfAConstant() throws {
    let pooled = try mixer(AveragePooling.self)(Tensor.full([2, 20, 3], 0.5))
    #expect(abs(pooled).max().item() < 1e-7)
  }

  @Test func randomMixingKeepsAConstant() throws {
    let mixing = try mixer(RandomMixing.self)
    #expect(mixing.parameters().isEmpty)
    #expect(abs(mixing(Tensor.full([2, 20, 3], 0.5)) - 0.5).max().item() < 1e-6)
    #expect(mixing.matrix.min().item() > 0)
  }

  @Test func anIdentityMatrixChangesNothing() throws {
    let linear = try mixer(SpatialLinear.self)
    linear.weight = .eye(20)
    let x = numbers(1, [2, 20, 3]).asType(.float32)
    #expect(linear(x).floats == x.floats)
  }
}
