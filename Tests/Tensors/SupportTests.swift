import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// The checks themselves: that they find what is wrong.
  @Suite struct Support {
    private let exact = Tensor([1.0, -2, .nan, .infinity, 0, 3], [2, 3])
    private let tolerance = Tolerance(relative: 1e-6, absolute: 1e-9)

    private func problem(_ values: [Double]) -> String? {
      Comparison(Tensor(values, [2, 3]), exact, within: tolerance).problem
    }

    @Test func comparisonsFindTheWorst() {
      #expect(problem([1, -2, .nan, .infinity, 0, 3]) == nil)
      #expect(problem([1 + 5e-7, -2, .nan, .infinity, 5e-10, 3]) == nil)
      #expect(
        problem([1, -2, .nan, .infinity, 0, 3.3])?.hasPrefix("worst at [1, 2]: 3.3 instead of 3.0") == true)
      #expect(problem([1.1, -3, .nan, .infinity, 0, 3])?.hasPrefix("worst at [0, 1]: -3.0") == true)
      #expect(problem([1, -2, 0, .infinity, 0, 3])?.hasPrefix("worst at [0, 2]: 0.0 instead of nan") == true)
      #expect(problem([1, -2, .nan, -.infinity, 0, 3])?.hasPrefix("worst at [1, 0]") == true)
      #expect(problem([1, .nan, .nan, .infinity, 0, 3])?.hasPrefix("worst at [0, 1]: nan") == true)
      #expect(Comparison(exact.reshaped(6), exact, within: tolerance).problem != nil)
      #expect(Comparison(exact.asType(.float32), exact, within: tolerance).problem != nil)
    }

    @Test func layoutsShowTheSameValues() {
      let x = Tensor.arange(24, dtype: .float32).reshaped(2, 3, 4)
      let transposed = x.laidOut("transposed"), sliced = x.laidOut("sliced")
      #expect(transposed.strides == [12, 1, 3] && transposed.floats == x.floats)
      #expect(sliced.strides == [96, 16, 2] && sliced.floats == x.floats)
      let repeated = x.sliced(axis: 1, to: 1).broadcast(to: [2, 5, 4]).contiguous()
      #expect(repeated.laidOut("expanded:1").strides == [4, 0, 1])
      #expect(repeated.laidOut("expanded:1").floats == repeated.floats)
    }

    @Test func finiteDifferencesFindWrongGradients() {
      let x = Tensor([0.3, -1.2, 2.0]), one = Tensor([1.0, 1, 1])
      func problem(_ gradient: Tensor) -> String? {
        finiteDifferenceProblem(at: [x], gradients: [gradient], cotangent: one) { sin($0[0]) }
      }
      #expect(problem(cos(x)) == nil)
      #expect(problem(cos(x) + Tensor([0, 1e-5, 0])) != nil)
      #expect(problem(cos(x) + Tensor([0, .nan, 0])) != nil)
    }
  }
}
