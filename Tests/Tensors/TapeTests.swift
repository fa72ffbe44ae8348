import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// What the record of a computation keeps, and for how long.
  @Suite struct TapeMemory {
    @Test func aMillionOperationsInARow() {
      let count = 1_000_000
      let slope = gradient(at: Tensor(1, .float64)) { x in
        var y = x
        for _ in 0..<count { y = y + x }
        return y
      }
      #expect(slope.item() == Double(count + 1))
    }

    @Test func nothingIsKeptAfterTheGradient() {
      weak var inner: Storage?
      let slope = gradient(at: Tensor([1.0, 2])) { x in
        let y = exp(x)
        inner = y.storage
        return (y * y).sum()
      }
      #expect(inner == nil)
      #expect(slope.shape == [2])
    }

    @Test func resultsAreGivenUpOnTheWayBack() {
      weak var later: Storage?
      var wasGivenUp = false
      _ = gradient(at: Tensor([1.0, 2])) { x in
        let y = withDerivative(at: [x], of: { $0[0] * 2 }) { g, _, _ in
          wasGivenUp = later == nil
          return [g * 2]
        }
        let z = exp(y)
        later = z.storage
        return exp(z).sum()
      }
      #expect(wasGivenUp)
    }

    @Test func aPullbackKeepsWhatItNeedsUntilItIsGivenUp() {
      weak var inner: Storage?
      do {
        let (_, pullback) = valueAndPullback(at: [Tensor([1.0, 2])]) { inputs in
          let y = exp(inputs[0])
          inner = y.storage
          return [y * y]
        }
        #expect(inner != nil)
        _ = pullback([Tensor([1.0, 1])])
        #expect(inner != nil)
      }
      #expect(inner == nil)
    }

    @Test func unrecordedOperationsKeepNothing() {
      weak var inner: Storage?
      let slope = gradient(at: Tensor([1.0, 2])) { x in
        do {
          // Nothing here depends on x.
          let y = exp(Tensor([3.0, 4]))
          inner = y.storage
          _ = y * y
        }
        #expect(inner == nil)
        return x.sum()
      }
      #expect(slope.doubles == [1, 1])
    }

    @Test func checkpointsKeepNoInnerResults() {
      weak var inner: Storage?
      _ = gradient(at: Tensor([1.0, 2])) { x in
        let y = checkpointed(at: [x]) { inputs in
          let hidden = exp(inputs[0])
          inner = hidden.storage
          return [hidden * hidden]
        }
        #expect(inner == nil)
        return y[0].sum()
      }
    }
  }
}
