import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Laws of Fourier transforms; values and derivatives are checked by the conformance suite.
  @Suite struct Fourier {
    private static let lengths = [1, 2, 7, 30, 64, 97, 256, 360, 509, 1000, 4096, 9973, 65536]

    private func random(_ shape: [Int], _ type: DType) -> Tensor {
      var generator = RandomGenerator(seed: 5)
      return generator.normal(shape).asType(type)
    }

    private func expectNear(_ a: Tensor, _ b: Tensor, sourceLocation: SourceLocation = #_sourceLocation) {
      let allowed = a.dtype == .float32 ? 4e-6 : 1e-13
      let tolerance = Tolerance(relative: allowed, ofLargest: allowed)
      if let problem = Comparison(a, b, within: tolerance).problem {
        Issue.record("\(problem)", sourceLocation: sourceLocation)
      }
    }

    @Test(arguments: lengths, [DType.float32, .float64]) func thereAndBack(_ n: Int, _ type: DType) {
      let x = random([3, n], type), z = random([3, n, 2], type)
      expectNear(irfft(rfft(x), length: n), x)
      expectNear(ifft(fft(z)), z)
      expectNear(idct(dct(x)), x)
      expectNear(
        realPart(fft(complex(real: x, imaginary: x * 0))).sliced(axis: -1, to: n / 2 + 1), realPart(rfft(x)))
    }

    @Test(arguments: lengths) func parseval(_ n: Int) {
      let z = random([3, n, 2], .float64)
      expectNear(square(fft(z)).sum(axes: [1, 2]), square(z).sum(axes: [1, 2]) * Double(n))
      let x = random([3, n], .float64)
      expectNear(square(dct(x, orthonormal: true)).sum(axis: 1), square(x).sum(axis: 1))
    }

    @Test(arguments: lengths) func shiftsTurnFrequencies(_ n: Int) {
      let z = random([n, 2], .float64)
      let angles = Tensor((0..<n).map { -2 * Double.pi * Double($0 * 3 % n) / Double(n) })
      let turns = complex(real: cos(angles), imaginary: sin(angles))
      expectNear(fft(z.rolled(3, axis: 0)), complexMultiply(fft(z), turns))
    }

    @Test func aConvolutionIsAProductOfSpectra() {
      let x = random([2, 3, 300], .float64), kernel = random([3, 300], .float64)
      let product = complexMultiply(rfft(x), rfft(kernel))
      expectNear(fftConvolution(x, kernel: kernel, extent: .circular), irfft(product, length: 300))
    }

    @Test func hadamardTwice() {
      let x = random([3, 128], .float64)
      expectNear(hadamard(hadamard(x)), x * 128)
      expectNear(hadamard(hadamard(x, orthonormal: true), orthonormal: true), x)
    }

    @Test func noRows() {
      #expect(rfft(.zeros([0, 6])).shape == [0, 4, 2])
      #expect(irfft(.zeros([0, 4, 2]), length: 6).shape == [0, 6])
      #expect(fft(.zeros([0, 5, 2])).shape == [0, 5, 2])
    }

    @Test func theMagnitudeOfZeroHasADerivative() {
      let z = Tensor([0.0, 0, 3, 4], [2, 2])
      expectNear(gradient(at: z) { complexMagnitude($0).sum() }, Tensor([0, 0, 0.6, 0.8], [2, 2]))
    }
  }
}
