import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of linear attention. That chunks equal the recurrence is checked with golden files and
  /// with FusedKernels.
  @Suite struct LinearAttention {
    enum Kind: CaseIterable, Sendable {
      case plain, gated, channels, delta, gatedDelta, channelDelta

      var gate: Int? { [.plain, .delta].contains(self) ? nil : hasChannels ? 5 : 1 }
      private var hasChannels: Bool { [.channels, .channelDelta].contains(self) }
      private var isDelta: Bool { [.delta, .gatedDelta, .channelDelta].contains(self) }

      /// From queries (5), keys (5), values (3), beta and the logarithms of decays, side by side.
      func callAsFunction(_ x: Tensor, _ state: Tensor?) -> (output: Tensor, state: Tensor) {
        let parts = x.split(sizes: [5, 5, 3, 1, x.dim(3) - 14], axis: 3)
        let decay = gate.map { $0 == 1 ? parts[4].squeezed(axis: 3) : parts[4] }
        guard isDelta else {
          return linearAttention(
            queries: parts[0], keys: parts[1], values: parts[2], logDecay: decay, initial: state)
        }
        return deltaRule(
          queries: parts[0], keys: parts[1] * 0.4, values: parts[2],
          beta: sigmoid(parts[3].squeezed(axis: 3)), logDecay: decay, initial: state)
      }

      func input(_ steps: Int, decay: Double = -0.1) -> Tensor {
        var random = RandomGenerator(seed: 7)
        let decays = random.uniform([2, 3, steps, gate ?? 0], low: 2 * decay, high: 0)
        return concatenated([random.normal([2, 3, steps, 14]), decays], axis: 3)
      }
    }

    @Test(arguments: Kind.allCases) func equalsItsPieces(_ kind: Kind) {
      var random = RandomGenerator(seed: 1)
      Recurrences().expectPieces(
        "\(kind)", kind.input(75), axis: 2, state: [random.normal([2, 3, 5, 3])], weights: []
      ) { x, state, _ in
        let (output, last) = kind(x, state[0])
        return (output, [last])
      }
    }

    /// A result sees nothing that comes after it, not even in its last bit.
    @Test(arguments: Kind.allCases) func doesNotLookAhead(_ kind: Kind) {
      let x = kind.input(40)
      for now in [0, 5, 15, 16, 31, 38] {
        let (values, pullback) = valueAndPullback(at: [x]) {
          [kind($0[0], nil).output.sliced(axis: 2, to: now + 1)]
        }
        let future = pullback([.ones(like: values[0])])[0].sliced(axis: 2, from: now + 1)
        #expect(future.doubles.allSatisfy { $0 == 0 })
        let other = concatenated(
          [x.sliced(axis: 2, to: now + 1), x.sliced(axis: 2, from: now + 1) * -3], axis: 2)
        #expect(kind(other, nil).output.sliced(axis: 2, to: now + 1).floats == values[0].floats)
        let present = pullback([.ones(like: values[0])])[0].sliced(axis: 2, to: now + 1)
        #expect(present.doubles.contains { $0 != 0 })
      }
    }

    /// A decay to nothing is a new beginning, and nothing overflows however strong decays are.
    @Test(arguments: [Kind.gated, .channels, .gatedDelta, .channelDelta], [-200, -Double.infinity])
    func forgettingAllStartsAnew(_ kind: Kind, decay: Double) {
      var x = kind.input(40).split(sizes: [21, 1, 18], axis: 2)
      let gates = x[1].sliced(axis: 3, from: 14)
      x[1] = concatenated([x[1].sliced(axis: 3, to: 14), .full(gates.shape, decay)], axis: 3)
      let late = concatenated([x[1], x[2]], axis: 2)
      let (values, pullback) = valueAndPullback(at: [x[0], late]) { parts in
        let (output, state) = kind(concatenated(parts, axis: 2), nil)
        return [output.sliced(axis: 2, from: 21), state]
      }
      let (afresh, alone) = valueAndPullback(at: [late]) { parts in
        let (output, state) = kind(parts[0], nil)
        return [output, state]
      }
      let within = Tolerance(relative: 1e-6, ofLargest: 1e-6)
      for (found, wanted) in zip(values, afresh) {
        #expect(Comparison(found, wanted, within: within).problem == nil)
      }
      let cotangents = values.map { Tensor.ones(like: $0) }
      let gradients = pullback(cotangents), wanted = alone(cotangents)[0]
      #expect(gradients[0].sliced(axis: 3, to: 14).doubles.allSatisfy { $0 == 0 })
      // Gradients of gates are differences between what reads and what is read.
      let forgotten = gradients[0].sliced(axis: 3, from: 14)
      #expect(abs(forgotten).max().item() <= 1e-6 * abs(wanted).max().item())
      #expect(Comparison(gradients[1], wanted, within: within).problem == nil)
    }

    /// Without decay it is attention without softmax; the delta rule recalls the last value of a key.
    @Test func identities() {
      var random = RandomGenerator(seed: 3)
      let q = random.normal([2, 2, 37, 6]), k = random.normal([2, 2, 37, 6])
      let v = random.normal([2, 2, 37, 4])
      let scores = matmul(q, k.swappedAxes(2, 3)).tril() * 0.3
      let found = linearAttention(queries: q, keys: k, values: v, scale: 0.3).output
      let within = Tolerance(relative: 1e-5, ofLargest: 1e-6)
      #expect(Comparison(found, matmul(scores, v), within: within).problem == nil)

      let written = Tensor.eye(6).take(Tensor((0..<37).map { Int32($0 * 5 % 6) }), axis: 0)
        .broadcast(to: [2, 2, 37, 6])
      let (recalled, state) = deltaRule(
        queries: written, keys: written, values: v, beta: .ones([2, 2, 37]), scale: 1)
      #expect(Comparison(recalled, v, within: within).problem == nil)
      let newest: [Int32] = (0..<6).map { key in
        let place: Int? = (0..<37).last { $0 * 5 % 6 == key }
        return Int32(place ?? 0)
      }
      #expect(Comparison(state, v.take(Tensor(newest), axis: 2), within: within).problem == nil)
    }

    /// A gradient does not lie where its input does, if elements of the input are met twice.
    @Test func overlappingWindowsHaveTheirOwnGradients() {
      var random = RandomGenerator(seed: 4)
      let x = random.normal([1, 1, 44])
      let run = { (x: Tensor, dtype: DType) -> Tensor in
        let slope = gradient(at: x.asType(dtype)) { (x: Tensor) -> Tensor in
          let windows = x.slidingWindows(axis: 2, size: 5)
          let apart = windows * 1
          return square(linearAttention(queries: windows, keys: apart, values: apart).output).sum()
        }
        return slope.asType(.float64)
      }
      let within = Tolerance(relative: 1e-5, ofLargest: 1e-6)
      #expect(Comparison(run(x, .float32), run(x, .float64), within: within).problem == nil)
    }
  }
}
