import CallosumContracts
import CallosumMixers
import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct SoftmaxAttentionTests {
  private func door(
    width: Int, _ change: (inout SoftmaxAttention.Settings) -> Void
  ) throws -> Door {
    var settings = SoftmaxAttention.Settings(), random = RandomGenerator(seed: 1)
    change(&settings)
    return try SoftmaxAttention.door(settings, in: Slot(width: width, tokens: 9), using: &random)
  }

  /// torch.nn.MultiheadAttention with padding, with several sequences in a row and with a context; see
  /// attention.py.
  @Test(arguments: [("padded", 12, 3), ("packed", 8, 2), ("across", 12, 3), ("whole", 6, 1)])
  func agreesWithPyTorch(_ name: String, _ width: Int, _ heads: Int) throws {
    let golden = try Golden.tensors("attention", beside: #filePath)
    #expect(try goldenProblems(door(width: width) { $0.heads = heads }, name, in: golden) == [])
  }

  /// Token by token out of the cache as all at once with a mask, at every length of the window, also where the
  /// window is longer than the sequence: there causal attention without a window.
  @Test(arguments: [2, 4, 40]) func theCacheAgreesWithAMask(_ window: Int) throws {
    var random = RandomGenerator(seed: 2), settings = SoftmaxAttention.Settings()
    (settings.heads, settings.causal, settings.window) = (2, true, window)
    let cached = try SoftmaxAttention(settings, in: Slot(width: 6, tokens: 1), using: &random)
    let x = random.normal([2, 11, 6])
    let distance = Tensor.arange(11).reshaped(11, 1) - Tensor.arange(11)
    let near = (distance .>= 0) .&& (distance .< Double(window))
    let expected = cached.attention(x, mask: near)
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
    #expect(CallosumTestSupport.Comparison(cached(x), expected, within: allowed).problem == nil)
    var state = cached.initialState(batch: 2)
    for token in 0..<11 {
      let (y, after) = cached(x.sliced(axis: 1, from: token, to: token + 1), state)
      state = after
      let wrong = CallosumTestSupport.Comparison(
        y, expected.sliced(axis: 1, from: token, to: token + 1), within: allowed)
      #expect(wrong.problem == nil, "token \(token)")
    }
  }

  /// In training the weights pass a dropout on their way to the values.
  @Test func dropoutMeetsTheWeights() throws {
    var random = RandomGenerator(seed: 3), settings = SoftmaxAttention.Settings()
    (settings.heads, settings.dropout) = (2, 0.5)
    let part = try SoftmaxAttention(settings, in: Slot(width: 4, tokens: 5), using: &random)
    let x = random.normal([3, 5, 4]), dropout = Dropout(0.5)
    let (plain, found) = part.reading(["attention.weights"]) { part(x) }
    let weights = try #require(found["attention.weights"]?.first)
    let values = part.attention.qkv(x).split(parts: 3, axis: 2)[2].reshaped(3, 5, 2, 2).transposed(0, 2, 1, 3)
    func output(_ weights: Tensor) -> Tensor {
      part.attention.projection(matmul(weights, values).transposed(0, 2, 1, 3).reshaped(3, 5, 4))
    }
    var one = RandomGenerator(seed: 4), same = RandomGenerator(seed: 4)
    let expected = training(using: &one) { output(dropout(weights)) }
    let actual = training(using: &same) { part(x) }
    let allowed = Tolerance(relative: 1e-5, ofLargest: 1e-5)
    #expect(CallosumTestSupport.Comparison(actual, expected, within: allowed).problem == nil)
    #expect(CallosumTestSupport.Comparison(plain, output(weights), within: allowed).problem == nil)
    #expect(actual.floats != plain.floats)
  }

  @Test func mistakesAreRefused() throws {
    for change: (inout SoftmaxAttention.Settings) -> Void in [
      { $0.window = 4 }, { ($0.causal, $0.window) = (true, 1) }, { $0.dropout = 1 },
      { ($0.causal, $0.window, $0.dropout) = (true, 4, 0.1) },
    ] {
      var settings = SoftmaxAttention.Settings()
      change(&settings)
      #expect(throws: InvalidInput.self) { try settings.validate() }
    }
  }
}
