import CallosumKernels
import CallosumTensors
import CallosumTestSupport
import Testing

/// A mistake with complex numbers, transforms or drawn numbers, and the words with which it stops.
enum TransformMistake: String, CaseIterable, Codable, Sendable {
  case realNumbers, inverseOfRealNumbers, noAxes, axisOutside, pairAxis, integers, emptyAxis, wrongLength
  case lengthOfNothing, frequencies, cosineOfIntegers, cosineOfNothing, inverseCosineOfNothing, notPowerOf2
  case hadamardOfIntegers, channels, sequenceTypes, longKernel, parts, realOf, imaginaryOf, conjugateOf
  case magnitude, firstFactor, secondFactor, factorTypes, factorShapes
  case negativeRate, rateOfNaN, integerSample, gammaOfZero, gammaScale, betaTypes, dirichletOfNumber
  case logitsOfNaN, noClass, tooManyClasses, covarianceShape, covarianceSign, orthogonalVector, waitingRate
  case rateDerivative, memory

  func make() {
    let x = Tensor.zeros([2, 3]), z = Tensor.zeros([4, 2]), integers = Tensor.zeros([4], dtype: .int32)
    var random = RandomGenerator(seed: 1)
    switch self {
    case .realNumbers: _ = fft(x)
    case .inverseOfRealNumbers: _ = ifft(integers)
    case .noAxes: _ = fft(z, axes: [])
    case .axisOutside: _ = ifft(z, axes: [1])
    case .pairAxis: _ = fft(z, axes: [-2])
    case .integers: _ = rfft(integers)
    case .emptyAxis: _ = rfft(.zeros([3, 0]))
    case .wrongLength: _ = irfft(z, length: 8)
    case .lengthOfNothing: _ = irfft(z, length: 0)
    case .frequencies: _ = irfft(x, length: 4)
    case .cosineOfIntegers: _ = dct(integers)
    case .cosineOfNothing: _ = dct(.zeros([0, 4]), axis: 0)
    case .inverseCosineOfNothing: _ = idct(.zeros([3, 0]))
    case .notPowerOf2: _ = hadamard(x)
    case .hadamardOfIntegers: _ = hadamard(integers)
    case .channels: _ = fftConvolution(x, kernel: .zeros([3, 2]))
    case .sequenceTypes: _ = fftConvolution(x, kernel: .zeros([2, 2], dtype: .float64))
    case .longKernel: _ = fftConvolution(x, kernel: .zeros([2, 4]), extent: .circular)
    case .parts: _ = complex(real: x, imaginary: z)
    case .realOf: _ = realPart(x)
    case .imaginaryOf: _ = imaginaryPart(x)
    case .conjugateOf: _ = conjugate(Tensor(1 as Float))
    case .magnitude: _ = complexMagnitude(integers)
    case .firstFactor: _ = complexMultiply(x, z)
    case .secondFactor: _ = complexMultiply(z, x)
    case .factorTypes: _ = complexMultiply(z, .zeros([4, 2], dtype: .float64))
    case .factorShapes: _ = complexMultiply(z, .zeros([3, 2]))
    case .negativeRate: _ = random.poisson(Tensor([1, -1] as [Float]))
    case .rateOfNaN: _ = random.poisson([3], rate: .nan)
    case .integerSample: _ = random.exponential([3], dtype: .int32)
    case .gammaOfZero: _ = random.gamma(x)
    case .gammaScale: _ = random.gamma([2], concentration: 1, scale: 0)
    case .betaTypes: _ = random.beta(Tensor.ones([2]), .ones([2], dtype: .float64))
    case .dirichletOfNumber: _ = random.dirichlet(Tensor(1 as Float))
    case .logitsOfNaN: _ = random.categorical(x / 0)
    case .noClass: _ = random.categorical(Tensor([-Float.infinity, -.infinity]))
    case .tooManyClasses:
      _ = random.categorical(Tensor([0, -Float.infinity, 1]), count: 3, replacement: false)
    case .covarianceShape: _ = random.multivariateNormal(mean: .zeros([3]), covariance: .eye(2))
    case .covarianceSign: _ = random.multivariateNormal(mean: .zeros([2]), covariance: -Tensor.eye(2))
    case .orthogonalVector: _ = random.orthogonal([3])
    case .waitingRate: _ = random.exponential([3], rate: 0)
    case .rateDerivative: _ = gradient(at: Tensor.ones([3])) { random.gamma($0).sum() }
    case .memory: _ = callosum_allocate_or_stop(1 << 60, "a test")
    }
  }

  var message: String {
    let complexNumbers = "needs complex numbers, pairs of float32 or float64 along a last axis of 2, got"
    return switch self {
    case .realNumbers: "fft: \(complexNumbers) float32 [2, 3]"
    case .inverseOfRealNumbers: "ifft: \(complexNumbers) int32 [4]"
    case .noAxes: "fft: needs an axis at least"
    case .axisOutside: "ifft: axis 1 does not exist in a tensor of 1 axes"
    case .pairAxis: "fft: axis -2 does not exist in a tensor of 1 axes"
    case .integers: "rfft: needs float32 or float64, got int32"
    case .emptyAxis: "rfft: axis 1 of shape [3, 0] is empty"
    case .wrongLength: "irfft: length 8 has 5 frequencies, axis 0 of shape [4, 2] has 4"
    case .lengthOfNothing: "irfft: length 0 has 1 frequencies, axis 0 of shape [4, 2] has 4"
    case .frequencies: "irfft: \(complexNumbers) float32 [2, 3]"
    case .cosineOfIntegers: "dct: needs float32 or float64, got int32"
    case .cosineOfNothing: "dct: axis 0 of shape [0, 4] is empty"
    case .inverseCosineOfNothing: "idct: axis 1 of shape [3, 0] is empty"
    case .notPowerOf2:
      "hadamard: needs float32 or float64 and a last axis that is a power of 2, got float32 [2, 3]"
    case .hadamardOfIntegers:
      "hadamard: needs float32 or float64 and a last axis that is a power of 2, got int32 [4]"
    case .channels:
      "fftConvolution: input [2, 3] and kernel [3, 2] do not fit [..., channels, length] and "
        + "[channels, kernel length]"
    case .sequenceTypes:
      "fftConvolution: needs tensors of one floating-point type, got float32"
    case .longKernel: "fftConvolution: a circular kernel of 4 places is longer than the input of 3"
    case .parts:
      "complex: parts float32 [2, 3] and float32 [4, 2] do not fit; both must be float32 or both "
        + "float64, of one shape"
    case .realOf: "realPart: \(complexNumbers) float32 [2, 3]"
    case .imaginaryOf: "imaginaryPart: \(complexNumbers) float32 [2, 3]"
    case .conjugateOf: "conjugate: \(complexNumbers) float32 []"
    case .magnitude: "complexMagnitude: \(complexNumbers) int32 [4]"
    case .firstFactor, .secondFactor: "complexMultiply: \(complexNumbers) float32 [2, 3]"
    case .factorTypes: "complexMultiply: types float32 and float64 do not fit; convert one with asType"
    case .factorShapes:
      "complexMultiply: shapes [4] and [3] do not fit: axis -1 is 4 in one and 3 in the other"
    case .negativeRate: "poisson: every rate must lie in 0...1000000000.0"
    case .rateOfNaN: "poisson: rate must lie in 0...1e9, is nan"
    case .integerSample: "exponential: makes float32 or float64, not int32"
    case .gammaOfZero: "gamma: every concentration must be above 0 and finite"
    case .gammaScale: "gamma: scale must be above 0 and finite, is 0.0"
    case .betaTypes: "beta: types float32 and float64 do not fit; convert one with asType"
    case .dirichletOfNumber: "dirichlet: needs a last axis of classes, got shape []"
    case .logitsOfNaN, .noClass:
      "categorical: logits must have a largest finite one in every row of axis"
    case .tooManyClasses:
      "categorical: cannot draw 3 different classes of logits [3]: a row has fewer that are possible"
    case .covarianceShape:
      "multivariateNormal: mean float32 [3] and covariance float32 [2, 2] do not fit [..., n] and [..., n, n]"
    case .covarianceSign:
      "cholesky: the matrix is not positive definite: its leading minor of order 1 is not"
    case .orthogonalVector: "orthogonal: needs matrices [..., rows, columns], got shape [3]"
    case .waitingRate: "exponential: rate must be above 0 and finite, is 0.0"
    case .rateDerivative: "gamma: concentration has no derivative here; use stopGradient around it"
    case .memory: "out of memory: a test needs 1152921504606846976 bytes; use smaller batches or sizes"
    }
  }
}

extension TensorTests {
  @Suite struct TransformMistakes {
    @Test(arguments: TransformMistake.allCases) func text(_ mistake: TransformMistake) async throws {
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        [mistake] in
        mistake.make()
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(text.contains(mistake.message), "\(text)")
    }
  }
}
