import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// What a recording keeps for its backward pass, and how little it can be.
  @Suite struct SavedActivations {
    // MARK: The counter

    @Test func aBlockCountsOnce() {
      let x = Tensor.ones([100])
      // The exponential keeps its result, which the square keeps too: one block of 400 bytes.
      let shared = savedBytes(at: [x]) { [square(exp($0[0])).sum()] }
      #expect(shared.total == 400 && shared["exp"] == 400 && shared["square"] == 0, "\(shared)")
      // Another tensor of the same size is another block.
      let two = savedBytes(at: [x]) { [square(exp($0[0]) + 1).sum()] }
      #expect(two.total == 800 && two["exp"] == 400 && two["square"] == 400, "\(two)")
      // A view keeps the block that it sees.
      let view = savedBytes(at: [x]) { [square((exp($0[0]) + 1).sliced(axis: 0, from: 0, to: 10)).sum()] }
      #expect(view["square"] == 400, "\(view)")
    }

    @Test func whatLivesAnywayDoesNotCount() {
      let x = Tensor.ones([100]), w = Tensor.ones([100])
      #expect(savedBytes(at: [x]) { [square($0[0] * w).sum()] }["multiply"] == 0)
      // A factor is a number of four bytes; a sum needs nothing.
      #expect(savedBytes(at: [x]) { [($0[0] * 2 + 1).sum()] }.total == 4)
      #expect(savedBytes(at: []) { _ in [exp(x)] }.total == 0)
      // What joins parts needs none of them for its derivative.
      let joined = savedBytes(at: [x]) { [concatenated([$0[0] * 2, $0[0] * 3]).sum()] }
      #expect(joined.total == 8 && joined["concatenated"] == 0, "\(joined)")
    }

    @Test func countsByOperation() {
      var random = RandomGenerator(seed: 1)
      let x = random.normal([8, 16]), w = random.normal([32, 16])
      let saved = savedBytes(at: [x, w]) { all in
        let y = linear(all[0] * 1.5, weight: all[1])
        return [tanh(y) + tanh(y * 2)]
      }
      #expect(saved["tanh"] == 2 * 8 * 32 * 4 && saved["linear"] == 8 * 16 * 4, "\(saved)")
      #expect(saved.byOperation.first?.operation == "tanh" && saved.byOperation.first?.count == 2)
      #expect(
        saved.description.hasPrefix("2568 bytes: tanh 2048 (2), linear 512 (1), multiply 8 (2)"), "\(saved)")
    }

    /// Layers keep their input, and their sums only where an activation follows.
    @Test func layersKeepWhatTheyNeed() {
      var random = RandomGenerator(seed: 2)
      let x = random.normal([8, 16]), w = random.normal([32, 16])
      func kept(_ activation: LinearActivation) -> Int {
        savedBytes(at: [x, w]) { [linear($0[0], weight: $0[1], activation: activation)] }.total
      }
      #expect(kept(.none) == 0 && kept(.gelu) == 8 * 32 * 4)
      let image = random.normal([2, 6, 6, 3]), kernel = random.normal([4, 3, 3, 3])
      #expect(savedBytes(at: [image, kernel]) { [conv2d($0[0], weight: $0[1])] }.total == 0)
      #expect(savedBytes(at: [image]) { [softmax($0[0])] }.total == image.size * 4)
    }

    // MARK: Few bits

    /// What comes back, as the gradient of x²/2, and the bytes that were kept.
    private func kept(_ x: Tensor, _ form: SavedForm) -> Tensor {
      gradient(at: x) { x in checkpointed(at: [x], keeping: form) { [square($0[0]) * 0.5] }[0].sum() }
    }

    @Test func levelsKeepTheirBounds() {
      for setting in Setting.ofKernels { setting.run { checkLevels() } }
    }

    private func checkLevels() {
      var random = RandomGenerator(seed: 1)
      for shape in [[1], [7, 33], [2, 3, 5, 4], [3, 700], [0, 4]] {
        let x = random.normal(shape) * 3 - 1
        for bits in [1, 2, 4, 8] {
          for atRandom in [false, true] {
            let form = QuantisedForm(bits: bits, roundsAtRandom: atRandom, using: &random)
            let found = kept(x, form.form)
            #expect(found.shape == x.shape)
            guard let ends = form.ranges.first else { continue }
            let step = (ends.upperBound - ends.lowerBound) / Float(1 << bits - 1)
            for (a, b) in zip(found.floats, x.floats) {
              #expect(abs(a - b) <= step * (atRandom ? 1 : 0.5) * 1.0001 + 1e-6)
            }
            #expect(form.clampedShare == 0)
          }
        }
        let bytes = savedBytes(at: [x]) {
          checkpointed(at: [$0[0] * 2], keeping: QuantisedForm(bits: 4, using: &random).form) {
            [$0[0].sum()]
          }
        }
        // Half a byte for each element, and two numbers.
        let count = x.size
        #expect(bytes["checkpointed"] == (count == 0 ? 0 : (count + 1) / 2 + 8), "\(bytes)")
      }
    }

    /// What two checkpoints keep in one form is kept once; in two forms, or of two tensors, twice.
    @Test func checkpointsShareWhatTheyKeep() {
      var random = RandomGenerator(seed: 5)
      let x = random.normal([4, 64]), form = QuantisedForm(using: &random)
      func kept(_ a: SavedForm, _ b: SavedForm, shift: Double? = nil) -> Int {
        savedBytes(at: [x]) { inputs in
          let y = inputs[0] * 2, z = shift.map { y + $0 } ?? y
          return [
            checkpointed(at: [y], keeping: a) { [sin($0[0]).sum()] }[0]
              + checkpointed(at: [z], keeping: b) { [cos($0[0]).sum()] }[0]
          ]
        }["checkpointed"]
      }
      #expect(kept(form.form, form.form) == 256 + 8)
      #expect(kept(.bytes(), .bytes()) == 256 + 32 && kept(.bfloat16, .bfloat16) == 512)
      #expect(kept(.bytes(), .bfloat16) == 256 + 32 + 512)
      #expect(kept(.bytes(block: 64), .bytes(block: 64)) == 2 * (256 + 16))
      #expect(kept(.bytes(), .bytes(), shift: 1) == 2 * (256 + 32))
      // The derivative is the sum of both.
      func slope(_ functions: [(Tensor) -> Tensor]) -> Tensor {
        gradient(at: x) { x in
          let y = x * 2
          let parts = functions.map { f in checkpointed(at: [y], keeping: .bfloat16) { [f($0[0]).sum()] }[0] }
          return parts.dropFirst().reduce(parts[0], +)
        }
      }
      expectClose(slope([sin, cos]), slope([sin]) + slope([cos]), relative: 1e-6)
    }

    /// Each group between ends of its own: along any axis.
    @Test func groupsHaveRangesOfTheirOwn() {
      var random = RandomGenerator(seed: 2)
      let scale = Tensor([1, 10, 100, 1000] as [Float])
      let x = random.uniform([6, 4, 5], low: -1, high: 1) * scale.reshaped(4, 1)
      let heads = QuantisedForm(groups: 4, axis: 1, roundsAtRandom: false, using: &random)
      let back = kept(x, heads.form)
      for (i, ends) in heads.ranges.enumerated() {
        let (part, want) = (back.sliced(axis: 1, from: i, to: i + 1), x.sliced(axis: 1, from: i, to: i + 1))
        #expect(ends.lowerBound == want.floats.min() && ends.upperBound <= scale.floats[i])
        let off = abs(part - want).max().item()
        #expect(off <= Double(ends.upperBound - ends.lowerBound) / 255 * 0.5001 && off > 0)
      }
      let last = QuantisedForm(groups: 2, using: &random)
      _ = kept(x.transposed(0, 2, 1), last.form)
      #expect(last.ranges[0].upperBound < 10.1 && last.ranges[1].upperBound > 500)
    }

    @Test func rangesRunAndValuesAreClamped() {
      var random = RandomGenerator(seed: 3)
      let form = QuantisedForm(decay: 0.9, roundsAtRandom: false, using: &random)
      _ = kept(Tensor([-1, 0, 3] as [Float]), form.form)
      #expect(form.ranges == [-1...3])
      let found = kept(Tensor([-11, 1, 13] as [Float]), form.form)
      // Low 0.9 · -1 + 0.1 · -11, range 0.9 · 4 + 0.1 · 24.
      let ends = form.ranges[0]
      #expect(abs(ends.lowerBound + 2) < 1e-5 && abs(ends.upperBound - 4) < 1e-5)
      #expect(found.floats[0] == ends.lowerBound && abs(found.floats[2] - ends.upperBound) < 1e-5)
      #expect(form.clampedShare == 2 / 6.0)
      // What is not finite is kept, and moves nothing.
      let special = kept(Tensor([.infinity, 1, .nan] as [Float]), form.form)
      #expect(special.floats[0] == .infinity && special.floats[1] == 1 && special.floats[2].isNaN)
      #expect(form.ranges == [ends])
      // A constant tensor has a range of 0 and comes back exactly.
      let constant = QuantisedForm(using: &random)
      #expect(kept(.full([9], 0.3), constant.form).floats.allSatisfy { $0 == 0.3 })
    }

    /// The mean of many roundings is exact inside the range, and the same seed rounds alike whatever the
    /// number of threads.
    @Test func roundingAtRandomIsFair() {
      var random = RandomGenerator(seed: 4)
      let count = 10_000, values: [Float] = [0, 0.1, 0.37, 0.5, 0.93, 1]
      let x = Tensor(values).broadcast(to: [count, 6])
      for bits in [1, 4] {
        var (first, second) = (random, random)
        let back = kept(x, QuantisedForm(bits: bits, using: &first).form)
        #expect(back.floats == kept(x, QuantisedForm(bits: bits, using: &second).form).floats)
        let mean = back.mean(axis: 0).floats
        let step = 1 / Float(1 << bits - 1)
        for (a, b) in zip(mean, values) {
          let share = (b / step).truncatingRemainder(dividingBy: 1)
          let error = step * (share * (1 - share) / Float(count)).squareRoot()
          #expect(abs(a - b) <= 5 * error + 1e-5, "\(a) of \(b), \(bits) bits")
        }
        // Nearest rounding is not fair.
        let nearest = kept(x, QuantisedForm(bits: bits, roundsAtRandom: false, using: &first).form)
        #expect(abs(nearest.mean(axis: 0).floats[1] - 0.1) > 0.02)
        _ = random.next()
      }
    }
  }
}
