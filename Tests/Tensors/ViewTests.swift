import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Views share memory, and say what they show.
  @Suite struct Views {
    private let x = Tensor((0..<24).map { Float($0) }, [2, 3, 4])

    @Test func subscripts() {
      #expect(x[1, 2, 3].item() == 23)
      #expect(x[-1, .all, -4].floats == [12, 16, 20])
      #expect(x[0, 1..<3, 0...1].floats == [4, 5, 8, 9])
      #expect(x[.newAxis, .all].shape == [1, 2, 3, 4])
      #expect(x[1, 0..<1].floats == [12, 13, 14, 15])
    }

    @Test func changesOfShapeShareMemory() {
      for view in [
        x.reshaped(6, -1), x.transposed(2, 0, 1), x.sliced(axis: 1, from: 1), x[0],
        x.broadcast(to: [5, 2, 3, 4]), x.flipped(axes: [0]), x.expandedDimensions(axis: 1),
        x.slidingWindows(axis: 2, size: 2), x.transposed(1, 0, 2).reshaped(3, 2, 2, 2),
        x.split(parts: 2, axis: 2)[1],
      ] { #expect(view.storage === x.storage) }
      #expect(x.transposed().reshaped(24).storage !== x.storage)
    }

    /// Against the plain loops of float64; whole numbers are exact in both.
    @Test func shortRowsBroadcast() {
      var random = RandomGenerator(seed: 5)
      let shapes: [([Int], [Int])] = [
        ([33, 6, 2], [6, 1]), ([7, 1, 3], [5, 1]), ([300, 2], [2]), ([300, 2], [300, 1]),
        ([2, 3, 4, 5], [4, 1]),
        ([1, 5], [90, 1]), ([40, 33], [40, 1]), ([40, 32], [40, 1]), ([0, 3], [1]),
        ([9, 1, 2, 5], [9, 1, 1, 1]),
      ]
      for (first, second) in shapes {
        let a = random.integers(first, low: -9, high: 9).asType(.float32)
        let b = random.integers(second, low: -9, high: 9).asType(.float32)
        let views = [
          (a, b), (b, a), (a.flipped(axes: [0]), b), (a.flipped(axes: [first.count - 1]), b),
        ]
        for setting in Setting.ofKernels {
          for (x, y) in views {
            let (product, less) = setting.run { (x * y, x .< y) }
            let (p, q) = (x.asType(.float64), y.asType(.float64))
            #expect(product.doubles == (p * q).doubles, "\(x.shape) \(y.shape) \(setting)")
            #expect(less.doubles == (p .< q).doubles, "\(x.shape) \(y.shape) \(setting)")
          }
        }
      }
    }

    @Test func neighboursJoinWithoutACopy() {
      for axis in 0..<3 {
        let whole = x.padded([(1, 1), (0, 2), (2, 0)])
        let parts = whole.split(sizes: [1, whole.dim(axis) - 1], axis: axis)
        let joined = concatenated(parts, axis: axis)
        #expect(joined.storage === whole.storage)
        #expect(joined.floats == whole.floats)
        let swapped = concatenated(parts.reversed(), axis: axis)
        #expect(swapped.storage !== whole.storage)
      }
      let some = concatenated(
        [x.sliced(axis: 2, from: 1, to: 2), x.sliced(axis: 2, from: 2, to: 4)], axis: 2)
      #expect(some.storage === x.storage)
      #expect(some.floats == x.sliced(axis: 2, from: 1).floats)
    }

    @Test func gradientsOfSplitsJoinWithoutACopy() {
      // Queries, keys and values from one product: their gradients come back side by side.
      let (batch, tokens, heads, width) = (2, 5, 3, 4)
      var random = RandomGenerator(seed: 3)
      let mixed = random.normal([batch, tokens, 3 * heads * width])
      let attend = { (mixed: Tensor) -> Tensor in
        let parts = mixed.split(parts: 3, axis: -1).map {
          $0.reshaped(batch, tokens, heads, width).transposed(0, 2, 1, 3)
        }
        return square(
          scaledDotProductAttention(queries: parts[0], keys: parts[1], values: parts[2], causal: true)
        ).sum()
      }
      let found = gradient(at: mixed, of: attend)
      let exact = gradient(at: mixed.asType(.float64), of: attend)
      expectClose(found.asType(.float64), exact, relative: 2e-6)
    }
  }
}
