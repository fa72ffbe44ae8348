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

    /// What one row holds, NaN or a number beyond all others, changes no bit of another.
    @Test(arguments: lengths, [DType.float32, .float64]) func rowsKnowNothingOfEachOther(
      _ n: Int, _ type: DType
    ) {
      let rows = 19, spoilt: Set = [0, 7, 18], x = random([rows, n], type)
      let mask = Tensor((0..<rows).map { spoilt.contains($0) }).reshaped([rows, 1])
      func expectSame(_ input: Tensor, _ function: (Tensor) -> Tensor) {
        let clean = function(input)
        for value in [Double.nan, .infinity, 1e30] {
          let columns = mask.reshaped([rows] + [Int](repeating: 1, count: input.ndim - 1))
          let result = function(which(columns, .full(input.shape, value, dtype: type), input))
          for row in 0..<rows where !spoilt.contains(row) {
            #expect(result[row].doubles == clean[row].doubles, "row \(row) beside \(value)")
          }
        }
      }
      expectSame(x) { rfft($0) }
      expectSame(rfft(x)) { irfft($0, length: n) }
      expectSame(x) { dct($0) }
      let kernel = random([1, n], type)
      expectSame(x) { fftConvolution($0.expandedDimensions(axis: 1), kernel: kernel) }
      expectSame(x) { input in
        gradient(at: input) { square(fftConvolution($0.expandedDimensions(axis: 1), kernel: kernel)).sum() }
      }
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
