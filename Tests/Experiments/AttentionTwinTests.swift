import CallosumContracts
import CallosumExperiments
import CallosumMixers
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// What the twin is for.
private struct Images: ImageClassification {
  let id = "images", name = "Images"
  let imageShape = [28, 28, 1], classCount = 10, trainingCount = 1, testCount = 1
  func trainingBatch(_ indices: [Int]) -> Batch {
    Batch(inputs: .zeros([indices.count, 28, 28, 1]), targets: .zeros([indices.count], dtype: .int32))
  }
  func testBatch(_ range: Range<Int>) -> Batch { trainingBatch(Array(range)) }
}

/// A whole network, its gradients and Adam against the same in PyTorch, for 20 steps.
@Suite struct AttentionTwinTests {
  @Test func followsPyTorch() throws {
    let golden = try Golden.tensors("attention_twin")
    var settings = Backbone.Settings()
    (settings.width, settings.depth) = (32, 2)
    var random = RandomGenerator(seed: 1)
    let network = try Backbone(settings, for: Images(), using: &random) {
      try SoftmaxAttention(SoftmaxAttention.Settings(), in: $0, using: &$1)
    }
    try network.load(weights: renamed(golden.group("weights.")))

    let parameters = network.parameters()
    let optimiser = Adam(parameters, learningRate: 1e-3)
    var losses: [Double] = []
    for step in 0..<20 {
      let (loss, gradients) = valueAndGradient(by: parameters) {
        crossEntropy(
          logits: network(golden["images"][step].expandedDimensions(axis: -1)),
          targets: golden["labels"][step])
      }
      optimiser.update(gradients)
      losses.append(loss.item())
    }

    let wrong = Comparison(
      Tensor(losses).asType(.float32), golden["losses"], within: Tolerance(relative: 1e-3)
    ).problem
    #expect(wrong == nil)
    // A key's bias adds the same to all scores of a query, so its gradient is 0 but for rounding, and
    // Adam, which steps by the learning rate however small the gradient, moves it by chance. All other
    // weights: PyTorch in float32 and in float64 end 4e-7 apart, after ways of up to 0.02.
    let final = renamed(golden.group("final."))
    for parameter in parameters {
      guard let expected = final[parameter.name] else {
        Issue.record("the twin has no \(parameter.name)")
        continue
      }
      func learned(_ x: Tensor) -> Tensor {
        guard parameter.name.hasSuffix("qkv.bias") else { return x }
        let parts = x.split(parts: 3)
        return concatenated([parts[0], parts[2]])
      }
      let wrong = Comparison(
        learned(parameter.value), learned(expected), within: Tolerance(relative: 0, absolute: 5e-6)
      ).problem
      #expect(wrong == nil, "\(parameter.name)")
    }
  }

  /// The twin's attention layer is the mixer itself; ours holds it.
  private func renamed(_ weights: [String: Tensor]) -> [String: Tensor] {
    Dictionary(
      uniqueKeysWithValues: weights.map { name, value in
        (name.replacing(".mixer.", with: ".mixer.attention."), value)
      })
  }
}
