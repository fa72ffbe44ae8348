import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Testing

/// Sliding-window attention in blocks against one dense mask.
@Suite struct SlidingWindowTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let tokens, window, past, prefix: Int
    var testDescription: String { "\(tokens) tokens, window \(window), past \(past), prefix \(prefix)" }
  }

  private struct Inputs {
    let tensors: [Tensor]
    let window: Int
    init(_ one: Case, dtype: DType) {
      var random = RandomGenerator(seed: 4)
      let shapes = [one.tokens, one.past + one.tokens, one.past + one.tokens, one.prefix, one.prefix]
      tensors = zip(shapes, [3, 3, 5, 3, 5]).map { random.normal([2, 2, $0, $1]).asType(dtype) }
      window = one.window
    }
    func attended(_ x: [Tensor], inBlocks: Bool = true) -> Tensor {
      let prefix = x[3].dim(2) > 0 ? (keys: x[3], values: x[4]) : nil
      return inBlocks
        ? slidingWindowAttention(queries: x[0], keys: x[1], values: x[2], window: window, prefix: prefix)
        : slidingWindowAttentionReference(
          queries: x[0], keys: x[1], values: x[2], window: window, prefix: prefix)
    }
  }

  @Test(arguments: [
    Case(tokens: 1, window: 4, past: 0, prefix: 0), Case(tokens: 1, window: 4, past: 3, prefix: 2),
    Case(tokens: 63, window: 16, past: 0, prefix: 0), Case(tokens: 64, window: 1, past: 0, prefix: 1),
    Case(tokens: 65, window: 33, past: 32, prefix: 3), Case(tokens: 97, window: 40, past: 7, prefix: 0),
    Case(tokens: 200, window: 7, past: 6, prefix: 2), Case(tokens: 50, window: 300, past: 0, prefix: 0),
    Case(tokens: 1000, window: 48, past: 11, prefix: 4),
  ])
  func blocksAreTheDenseForm(_ one: Case) {
    for (dtype, tolerance) in [
      (DType.float64, Tolerance(relative: 0, ofLargest: 1e-13)),
      (.float32, Tolerance(relative: 0, ofLargest: 3e-6)),
    ] {
      let inputs = Inputs(one, dtype: dtype)
      var random = RandomGenerator(seed: 5)
      let g = random.normal([2, 2, one.tokens, 5]).asType(dtype)
      let (blocks, pullback) = valueAndPullback(at: inputs.tensors) { [inputs.attended($0)] }
      let (dense, densePullback) = valueAndPullback(at: inputs.tensors) {
        [inputs.attended($0, inBlocks: false)]
      }
      #expect(Comparison(blocks[0], dense[0], within: tolerance).problem == nil, "\(dtype)")
      for (name, (a, b)) in zip(
        ["q", "k", "v", "prefix k", "prefix v"], zip(pullback([g]), densePullback([g])))
      {
        #expect(Comparison(a, b, within: tolerance).problem == nil, "\(dtype) \(name)")
      }
    }
  }

  /// The layer on a whole sequence and on its pieces with the state handed on, with and without a prefix.
  @Test(arguments: [[40, 1, 59], [1, 1, 98], [33, 67]]) func wholeIsPieces(_ pieces: [Int]) {
    var random = RandomGenerator(seed: 6)
    let layer = SlidingAttention(8, heads: 2, window: 20, using: &random)
    for one in layer.parameters() { one.value = one.value.asType(.float64) }
    let x = random.normal([2, 100, 8], dtype: .float64), prefix = random.normal([1, 3, 8], dtype: .float64)
    for prefix in [nil, prefix] {
      let (whole, last) = layer.attend(x, prefix: prefix, layer.initialState(batch: 2))
      var state = layer.initialState(batch: 2), outputs: [Tensor] = []
      for piece in x.split(sizes: pieces, axis: 1) {
        let (y, next) = layer.attend(piece, prefix: prefix, state)
        outputs.append(y)
        state = next
      }
      let tolerance = Tolerance(relative: 0, ofLargest: 1e-13)
      #expect(Comparison(concatenated(outputs, axis: 1), whole, within: tolerance).problem == nil)
      for name in last.names {
        #expect(Comparison(state[name], last[name], within: tolerance).problem == nil, "\(name)")
      }
    }
  }

  /// What is not finite in one token reaches those that see it, and no bit of the others; nor the gradients of
  /// keys and values that none of those sees.
  @Test(arguments: [Double.nan, .infinity, -.infinity]) func onlyWhoSeesIsTouched(_ bad: Double) {
    for dtype in [DType.float32, .float64] {
      for at in [3, 31, 32, 77, 99] {
        for place in [1, 2] {
          let inputs = Inputs(Case(tokens: 100, window: 10, past: 0, prefix: 0), dtype: dtype)
          let clean = inputs.attended(inputs.tensors)
          var tensors = inputs.tensors
          tensors[place][1, 0, at, 1] = Tensor(bad, dtype)
          let y = inputs.attended(tensors), touched = at..<min(at + 10, 100)
          func others(_ x: Tensor, but rows: Range<Int>) -> [Double] {
            var x = x
            x[1, 0, rows] = Tensor(0, dtype)
            return x.doubles
          }
          #expect(others(y, but: touched) == others(clean, but: touched), "\(dtype) \(at) \(place)")
          if bad.isNaN {
            let channels = place == 1 ? y[1, 0, touched] : y[1, 0, touched, 1]
            #expect(channels.doubles.allSatisfy { $0.isNaN }, "\(dtype) \(at) \(place)")
          }
          let near = max(at - 9, 0)..<min(at + 19, 100)
          func gradients(_ tensors: [Tensor]) -> [Tensor] {
            valueAndGradient(at: Array(tensors.prefix(3))) {
              square(inputs.attended($0 + tensors.suffix(2))).sum()
            }.gradients
          }
          for (name, (one, two)) in zip("qkv", zip(gradients(tensors), gradients(inputs.tensors))) {
            #expect(others(one, but: near) == others(two, but: near), "\(name), \(dtype) \(at) \(place)")
          }
        }
      }
    }
  }

  /// Blocks do not grow with the sequence: twice the tokens are twice the products.
  @Test func arithmeticIsLinear() {
    func products(_ tokens: Int) -> Int {
      let inputs = Inputs(Case(tokens: tokens, window: 32, past: 0, prefix: 2), dtype: .float32)
      return countingMultiplyAccumulates { _ = inputs.attended(inputs.tensors) }
    }
    let counts = [256, 512, 1024, 2048].map(products)
    for (few, many) in zip(counts, counts.dropFirst()) {
      #expect(Double(many) / Double(few) < 2.1, "\(counts)")
    }
  }
}
