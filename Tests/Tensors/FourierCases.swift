import CallosumTensors
import CallosumTestSupport

// Fourier transforms and their relatives with golden files.

extension Operation {
  private static func transform(
    _ name: String, _ call: @escaping @Sendable (Inputs, Arguments) -> Tensor
  ) -> Operation {
    // The errors of all inputs reach every output.
    Operation(name, tolerance: Tolerance(relative: 2e-6, ofLargest: 4e-6, absolute: 1e-6), call)
  }

  static let fourier: [Operation] = [
    transform("fft") { x, a in fft(x["x"], axes: a.ints("axes")) },
    transform("ifft") { x, a in ifft(x["x"], axes: a.ints("axes")) },
    transform("rfft") { x, a in rfft(x["x"], axes: a.ints("axes")) },
    transform("irfft") { x, a in irfft(x["x"], length: a.int("length"), axes: a.ints("axes")) },
    transform("dct") { x, a in
      dct(x["x"], axis: a.int("axis"), orthonormal: a.bool("orthonormal"))
    },
    transform("idct") { x, a in
      idct(x["x"], axis: a.int("axis"), orthonormal: a.bool("orthonormal"))
    },
    transform("hadamard") { x, a in hadamard(x["x"], orthonormal: a.bool("orthonormal")) },
    transform("fftConvolution") { x, a in
      fftConvolution(x["x"], kernel: x["w"], extent: .init(rawValue: a.string("extent")) ?? .causal)
    },
    transform("complexMultiply") { x, a in
      complexMultiply(x["a"], x["b"], conjugating: a.bool("conjugating"))
    },
    transform("complexDivide") { x, _ in complexDivide(x["a"], x["b"]) },
    transform("complexExp") { x, _ in complexExp(x["x"]) },
    transform("complexEinsum") { x, a in complexEinsum(a.string("formula"), x["a"], x["b"]) },
    transform("complexMagnitude") { x, _ in complexMagnitude(x["x"]) },
  ]
}
