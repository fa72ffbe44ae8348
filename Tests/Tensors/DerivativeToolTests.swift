import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// What is built on derivatives: replaced ones, Jacobians, watched tensors, checkpoints.
  @Suite struct DerivativeTools {
    private let x = Tensor([0.5, -1.25, 2, 3.5])

    // MARK: Replaced derivatives

    @Test func straightThroughFunctions() {
      func slope(_ f: @escaping (Tensor) -> Tensor) -> Tensor {
        gradient(at: x) { (f($0) * Tensor([1.0, 2, 3, 4])).sum() }
      }
      let ones = Tensor([1.0, 2, 3, 4])
      expectClose(roundStraightThrough(x), Tensor([0.0, -1, 2, 4]))
      expectClose(slope(roundStraightThrough), ones)
      expectClose(signStraightThrough(x), Tensor([1.0, -1, 1, 1]))
      expectClose(slope(signStraightThrough), Tensor([1.0, 0, 0, 0]))
      #expect(signStraightThrough(Tensor([0.0, -0.0])).doubles == [1, 1])
      // Values of one function, derivatives of another, of any order.
      let mixed = { (x: Tensor) in straightThrough(x, forward: { floor($0) }, backward: { sin($0) }) }
      expectClose(mixed(x), floor(x))
      expectClose(slope(mixed), ones * cos(x))
      let second = gradient(at: x) { x in gradient(at: x) { mixed($0).sum() }.sum() }
      expectClose(second, -sin(x))
      expectClose(gradientScaled(x, by: -0.5), x)
      expectClose(slope { gradientScaled($0, by: -0.5) }, ones * -0.5)
    }

    // MARK: Several passes

    @Test func oneRecordManyPassesInsideADerivative() {
      // The sum over rows of the squared gradient of each row, differentiated.
      let m = Tensor((0..<12).map { Double($0 % 5) - 1.5 }, [3, 4])
      func rows(_ x: Tensor) -> Tensor {
        let (values, pullback) = valueAndPullback(at: [x]) { [sin(matmul(m, $0[0]))] }
        return (0..<3).reduce(Tensor(0, .float64)) { sum, row in
          let one = (Tensor.arange(3) .== Double(row)).asType(.float64)
          return sum + square(pullback([one])[0]).sum() * values[0].sum()
        }
      }
      let problem = finiteDifferenceProblem(
        at: [x], gradients: [gradient(at: x, of: rows)], cotangent: Tensor(1, .float64)
      ) { rows($0[0]) }
      #expect(problem == nil)
      // The same pass gives the same numbers each time.
      let (_, pullback) = valueAndPullback(at: [x]) { [exp($0[0]) * $0[0]] }
      #expect(pullback([x])[0].doubles == pullback([x])[0].doubles)
    }

    @Test func observedTensors() {
      let (value, gradients, observed) = valueAndGradient(at: [x]) { inputs, observe in
        let a = observe(square(inputs[0]))
        let b = observe(sin(a) * inputs[0])
        let unused = observe(inputs[0] * 2)
        return (b * a).sum() + stopGradient(unused).sum()
      }
      let a = square(x), b = sin(a) * x
      #expect(value.item() == ((b * a).sum() + (x * 2).sum()).item())
      expectClose(observed[1], a)
      expectClose(observed[0], b + a * x * cos(a))
      expectClose(observed[2], Tensor.zeros(like: x))
      expectClose(gradients[0], (b + a * x * cos(a)) * 2 * x + a * sin(a))
      // Of something that depends on no input.
      let constant = valueAndGradient(at: []) { _, observe in (observe(x) * x).sum() }
      expectClose(constant.observed[0], x)
    }

    // MARK: Jacobians

    @Test func jacobians() {
      let m = Tensor((0..<12).map { Double($0 % 5) - 1.5 }, [3, 4])
      let f = { (x: Tensor) in sin(matmul(m, x)).reshaped(3, 1) }
      let expected = cos(matmul(m, x)).reshaped(3, 1) * m
      let all = jacobian(at: x, of: f)
      #expect(all.shape == [3, 1, 4])
      expectClose(all.reshaped(3, 4), expected)
      expectClose(jacobian(at: x, rows: [2, 0], of: f), expected.take(Tensor([2, 0] as [Int32])))
      #expect(jacobian(at: x, rows: [], of: f).shape == [0, 4])
      #expect(jacobian(at: Tensor([1.0]).reshaped([]), of: { $0 * 3 }).doubles == [3])
    }

    @Test func jacobiansOfBatches() {
      let m = Tensor((0..<12).map { Double($0 % 5) - 1.5 }, [3, 4])
      let batch = stacked([x, x * 0.3, -x]).reshaped(3, 2, 2)
      func f(_ x: Tensor) -> Tensor { tanh(matmul(x.reshaped(-1, 4), m.transposed())) }
      let found = batchJacobian(at: batch, of: f)
      #expect(found.shape == [3, 3, 2, 2])
      for i in 0..<3 {
        let item = batch.sliced(axis: 0, from: i, to: i + 1)
        expectClose(
          found.sliced(axis: 0, from: i, to: i + 1).reshaped(3, 2, 2),
          jacobian(at: item, of: f).reshaped(3, 2, 2))
      }
    }

    @Test func tangents() {
      let y = Tensor([0.3, -0.2, 0.9, 0.1]), u = Tensor([1.0, 0, -2, 0.5]), v = Tensor([0.4, 0.3, 0.2, 0.1])
      let (values, tangents) = valueAndTangent(at: [x, y], along: [u, v]) {
        [exp($0[0]) * $0[1], $0[1].sum()]
      }
      expectClose(values[0], exp(x) * y)
      expectClose(tangents[0], exp(x) * (y * u + v))
      expectClose(tangents[1], v.sum())
      // Differentiated once more, and with a fused operation inside.
      let slope = gradient(at: x) { x in
        let found = valueAndTangent(at: [x], along: [u]) { [softmax($0[0]), $0[0] * y] }
        return (found.values[0] + found.tangents[0] * found.tangents[1]).sum()
      }
      let problem = finiteDifferenceProblem(
        at: [x], gradients: [slope], cotangent: Tensor(1, .float64)
      ) { inputs in
        let s = softmax(inputs[0]), su = s * (u - (s * u).sum())
        return (s + su * (u * y)).sum()
      }
      #expect(problem == nil)
    }

    @Test func hessians() {
      let v = Tensor([1.0, -2, 0.5, 3])
      let product = hessianVectorProduct(at: x, v) { ($0 * $0 * $0).sum() + square($0.sum()) }
      expectClose(product, 6 * x * v + 2 * v.sum())
    }

    // MARK: Compressed inputs

    @Test func savedFormsKeepTheirBounds() {
      for setting in Setting.ofKernels { setting.run { checkSavedForms() } }
    }

    private func checkSavedForms() {
      var random = RandomGenerator(seed: 1)
      for shape in [[1], [31], [32], [7, 33], [3, 700], [0]] {
        let x = random.normal(shape) * exp(random.normal(shape) * 5)
        let half = kept(x, .bfloat16), bytes = kept(x, .bytes(block: 32))
        for (found, want) in zip(half.floats, x.floats) {
          #expect(abs(found - want) <= abs(want) / 256)
        }
        let values = x.floats
        for (i, found) in bytes.floats.enumerated() {
          let block = values[(i / 32 * 32)..<min(i / 32 * 32 + 32, values.count)]
          #expect(abs(found - values[i]) <= (block.map { abs($0) }.max() ?? 0) / 253)
        }
      }
      #expect(kept(Tensor([1, -2.5, 0, 96] as [Float]), .bfloat16).floats == [1, -2.5, 0, 96])
      #expect(kept(.zeros([40]), .bytes()).floats.allSatisfy { $0 == 0 })
      #expect(
        kept(Tensor([Float.leastNonzeroMagnitude, -2e-38]), .bytes()).floats.allSatisfy { abs($0) < 1e-38 })
      let special = Tensor([.infinity, -.infinity, .nan, 1, 3.4e38] as [Float])
      let rounded = Tensor([.infinity, -.infinity, .nan, 1, .infinity] as [Float])
      #expect(Comparison(kept(special, .bfloat16), rounded, within: Tolerance(relative: 0)).problem == nil)
      #expect(kept(special, .bytes()).floats.allSatisfy { $0.isNaN })
      let float64 = Tensor([1 / 3.0])
      #expect(kept(float64, .bytes()).doubles == float64.doubles)
    }

    /// x as it comes back: the gradient of x²/2.
    private func kept(_ x: Tensor, _ form: SavedForm) -> Tensor {
      gradient(at: x) { x in checkpointed(at: [x], keeping: form) { [square($0[0]) * 0.5] }[0].sum() }
    }

    @Test func compressedInputsLeaveTheResultExact() {
      var random = RandomGenerator(seed: 2)
      let x = random.normal([300, 200]), w = random.normal([50, 200], standardDeviation: 0.07)
      func loss(_ inputs: [Tensor], _ form: SavedForm?) -> Tensor {
        guard let form else { return tanh(linear(inputs[0], weight: inputs[1])).sum() }
        return checkpointed(at: [inputs[0]], weights: [inputs[1]], keeping: form) {
          [tanh(linear($0[0], weight: $0[1]))]
        }[0].sum()
      }
      let plain = valueAndGradient(at: [x, w]) { loss($0, nil) }
      // Elements off by at most 1/256 of themselves, or 1/253 of their block's largest.
      for (form, bound) in [(SavedForm.exact, 0), (.bfloat16, 0.005), (.bytes(), 0.02)] {
        let saving = valueAndGradient(at: [x, w]) { loss($0, form) }
        #expect(saving.value.item() == plain.value.item())
        for (a, b) in zip(saving.gradients, plain.gradients) {
          let error = square(a - b).sum().item().squareRoot() / square(b).sum().item().squareRoot()
          #expect(error <= bound && (bound == 0 || error > 0), "\(error) of \(bound)")
        }
      }
    }

    @Test func savedFormsTakeLessMemory() {
      let x = Tensor.ones([64, 1024])
      func held(_ form: SavedForm) -> Int {
        // What is kept is the inner tensor, which nobody else holds.
        savedBytes(at: [x]) { checkpointed(at: [$0[0] * 2], keeping: form) { [$0[0].sum()] } }["checkpointed"]
      }
      #expect(held(.exact) == 4 << 16)
      #expect(held(.bfloat16) == 2 << 16)
      #expect(held(.bytes()) == 1 << 16 + 4 << 11)
    }

    @Test func aFormOfOnesOwn() {
      // Only the larger half of the elements is kept, as in pruned backward passes.
      let form = SavedForm { x in
        let kept = which(abs(x) .> 1, x, x * 0)
        return { kept }
      }
      let x = Tensor([0.5, -1.5, 2, 0.1] as [Float])
      let slope = gradient(at: x) { x in checkpointed(at: [x], keeping: form) { [square($0[0])] }[0].sum() }
      #expect(slope.floats == [0, -3, 4, 0])
      // Derivatives of derivatives pass through what was compressed.
      let second = gradient(at: x) { x in
        gradient(at: x) { x in
          checkpointed(at: [x], keeping: form) { [$0[0] * $0[0] * $0[0]] }[0].sum()
        }.sum()
      }
      #expect(second.floats == [0, -9, 12, 0])
    }
  }
}
