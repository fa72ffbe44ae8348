import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// What does not depend on each other does not to the last bit: earlier steps on later ones, rows of a batch
  /// and heads on each other. Whatever is changed there, be it to something that is not finite.
  @Suite struct Independence {
    static let disturbances: [Double] = [.nan, .infinity, 7.5]

    // MARK: Time

    /// An operation over time, of inputs [..., time, ...] with that axis.
    struct Causal: Sendable, CustomStringConvertible {
      let name: String
      let shapes: [(shape: [Int], axis: Int)]
      /// Inputs whose gradients at earlier steps are the same even if a later step is NaN: those that only act at
      /// their own step. Of the others a change to a number must not be felt.
      var own: Set<Int> = []
      let call: @Sendable ([Tensor]) -> Tensor
      /// Of the result.
      var axis = 2
      var description: String { name }
    }

    private static let length = 37
    private static let heads: (shape: [Int], axis: Int) = ([2, 3, 37, 5], 2)
    private static let steps: (shape: [Int], axis: Int) = ([2, 3, 37], 2)

    static let causal: [Causal] = [
      Causal(name: "attention", shapes: [heads, heads, heads], own: [0]) {
        scaledDotProductAttention(queries: $0[0], keys: $0[1], values: $0[2], causal: true)
      },
      Causal(name: "attention with a mask", shapes: [heads, heads, heads], own: [0]) {
        scaledDotProductAttention(
          queries: $0[0], keys: $0[1], values: $0[2],
          mask: Tensor.ones([37, 37], dtype: .int32).tril() .> 0)
      },
      Causal(name: "attention with a bias", shapes: [heads, heads, heads], own: [0]) {
        scaledDotProductAttention(
          queries: $0[0], keys: $0[1], values: $0[2], bias: Tensor.ones([37, 37], dtype: $0[0].dtype),
          causal: true)
      },
      Causal(name: "linearAttention", shapes: [heads, heads, heads], own: [0]) {
        linearAttention(queries: $0[0], keys: $0[1], values: $0[2]).output
      },
      Causal(name: "linearAttention with a decay", shapes: [heads, heads, heads, steps], own: [0]) {
        linearAttention(queries: $0[0], keys: $0[1], values: $0[2], logDecay: -abs($0[3])).output
      },
      Causal(name: "linearAttention with decays", shapes: [heads, heads, heads, heads], own: [0]) {
        linearAttention(queries: $0[0], keys: $0[1], values: $0[2], logDecay: -abs($0[3])).output
      },
      Causal(name: "deltaRule", shapes: [heads, heads, heads, steps], own: [0]) {
        deltaRule(queries: $0[0], keys: $0[1], values: $0[2], beta: sigmoid($0[3])).output
      },
      Causal(name: "deltaRule with a decay", shapes: [heads, heads, heads, steps, steps], own: [0]) {
        deltaRule(
          queries: $0[0], keys: $0[1], values: $0[2], beta: sigmoid($0[3]), logDecay: -abs($0[4])
        ).output
      },
      Causal(name: "deltaRule with decays", shapes: [heads, heads, heads, steps, heads], own: [0]) {
        deltaRule(
          queries: $0[0], keys: $0[1], values: $0[2], beta: sigmoid($0[3]), logDecay: -abs($0[4])
        ).output
      },
      Causal(name: "linearRecurrence", shapes: [steps, steps]) { linearRecurrence($0[0], $0[1], axis: 2) },
      Causal(name: "cumsum", shapes: [steps]) { $0[0].cumsum(axis: 2) },
      Causal(name: "cumprod", shapes: [steps]) { $0[0].cumprod(axis: 2) },
      Causal(name: "logCumsumExp", shapes: [steps]) { $0[0].logCumsumExp(axis: 2) },
      Causal(name: "cummax", shapes: [steps]) { $0[0].cummax(axis: 2) },
      Causal(
        name: "convolution", shapes: [([2, 37, 5], 1)],
        call: {
          let weight = Tensor.ones([4, 3, 5], dtype: $0[0].dtype)
          return conv1d($0[0].padded([(0, 0), (2, 0), (0, 0)]), weight: weight)
        }, axis: 1),
      Causal(
        name: "depthwise convolution", shapes: [([2, 37, 5], 1)],
        call: {
          let weight = Tensor.ones([5, 4, 1], dtype: $0[0].dtype)
          return conv1d($0[0].padded([(0, 0), (3, 0), (0, 0)]), weight: weight, groups: 5)
        }, axis: 1),
      Causal(
        name: "selectiveScan",
        shapes: [([2, 37, 6], 1), ([2, 37, 6], 1), ([2, 37, 4], 1), ([2, 37, 4], 1)],
        own: [3],
        call: {
          selectiveScan(
            $0[0], delta: $0[1], b: $0[2], c: $0[3],
            weights: SelectiveScanWeights(a: -Tensor.ones([6, 4], dtype: $0[0].dtype))
          ).output
        }, axis: 1),
    ]

    @Test(arguments: causal, [DType.float32, .float64])
    func laterStepsAreNotFelt(_ operation: Causal, _ type: DType) {
      var random = RandomGenerator(seed: 1)
      let inputs = operation.shapes.map { random.normal($0.shape).asType(type) }
      for setting in type == .float32 ? Setting.ofKernels : [Setting()] {
        setting.run {
          let clean = operation.call(inputs)
          let factors = RandomGenerator.numbers(clean.shape, type)
          for step in [1, 5, 15, 16, 20, 36] {
            func before(_ x: Tensor, _ axis: Int) -> [Double] { x.sliced(axis: axis, to: step).doubles }
            func gradients(_ inputs: [Tensor]) -> [Tensor] {
              valueAndGradient(at: inputs) {
                (operation.call($0) * factors).sliced(axis: operation.axis, to: step).sum()
              }.gradients
            }
            let wanted = before(clean, operation.axis), wantedGradients = gradients(inputs)
            for (place, input) in inputs.enumerated() {
              let axis = operation.shapes[place].axis
              for number in Self.disturbances {
                var changed = inputs
                changed[place] = input.with(number, at: step, axis)
                #expect(
                  before(operation.call(changed), operation.axis) == wanted,
                  "\(setting): \(number) at step \(step) of input \(place)")
                for (other, gradient) in gradients(changed).enumerated()
                where number.isFinite || operation.own.contains(other) {
                  let axis = operation.shapes[other].axis
                  #expect(
                    before(gradient, axis) == before(wantedGradients[other], axis),
                    "\(setting): gradient of input \(other), \(number) at step \(step) of input \(place)")
                }
              }
            }
          }
        }
      }
    }

    /// Transforms carry the rounding of every place to every other, but nothing that is not finite.
    @Test(arguments: [DType.float32, .float64], [20, 600])
    func laterPlacesDoNotSpoilAConvolution(_ type: DType, _ length: Int) {
      let x = RandomGenerator.numbers([2, 3, length], type), kernel = RandomGenerator.numbers([3, 7], type)
      for extent in [ConvolutionExtent.causal, .full] {
        let clean = fftConvolution(x, kernel: kernel, extent: extent)
        for place in [0, 5, length - 1] {
          for number in Self.disturbances.prefix(2) {
            let y = fftConvolution(x.with(number, at: place, 2), kernel: kernel, extent: extent)
            let lost = place..<min(place + 7, clean.dim(2))
            #expect(y[.all, .all, lost].doubles.allSatisfy { $0.isNaN })
            for (one, two) in zip(y.doubles, clean.doubles) where !one.isNaN {
              #expect(abs(one - two) < 1e-5)
            }
            #expect(y.doubles.filter(\.isNaN).count == 6 * lost.count)
          }
        }
      }
    }

    // MARK: Batches

    struct Batched: Sendable, CustomStringConvertible {
      let name: String
      let shape: [Int]
      let call: @Sendable (Tensor) -> Tensor
      var description: String { name }
    }

    private static func weight(_ shape: [Int], _ x: Tensor) -> Tensor {
      RandomGenerator.numbers(shape, x.dtype)
    }

    static let batched: [Batched] = [
      Batched(name: "matmul", shape: [5, 33]) { matmul($0, weight([33, 17], $0)) },
      Batched(name: "large matmul", shape: [70, 130]) { matmul($0, weight([130, 90], $0)) },
      Batched(name: "products", shape: [5, 7, 6]) { matmul($0, weight([6, 4], $0)) },
      Batched(name: "products of pairs", shape: [5, 7, 6]) { matmul($0, $0.swappedAxes(1, 2)) },
      Batched(name: "linear", shape: [5, 40]) {
        linear($0, weight: weight([19, 40], $0), bias: weight([19], $0), activation: .gelu)
      },
      Batched(name: "layerNorm", shape: [5, 19]) { layerNorm($0) },
      Batched(name: "rmsNorm", shape: [5, 19]) { rmsNorm($0) },
      Batched(name: "groupNorm", shape: [5, 4, 6]) { groupNorm($0, groups: 2) },
      Batched(name: "softmax", shape: [5, 19]) { softmax($0) },
      Batched(name: "logSumExp", shape: [5, 19]) { logSumExp($0) },
      Batched(name: "convolution", shape: [5, 9, 9, 4]) { conv2d($0, weight: weight([8, 3, 3, 4], $0)) },
      Batched(name: "depthwise", shape: [5, 9, 9, 4]) {
        conv2d($0, weight: weight([4, 3, 3, 1], $0), padding: (1, 1), groups: 4)
      },
      Batched(name: "wide depthwise", shape: [5, 9, 9, 4]) {
        conv2d($0, weight: weight([4, 5, 5, 1], $0), padding: (2, 2), groups: 4)
      },
      Batched(name: "fft", shape: [5, 12, 2]) { fft($0) },
      Batched(name: "rfft", shape: [5, 12]) { rfft($0) },
      Batched(name: "odd rfft", shape: [5, 15]) { rfft($0) },
      Batched(name: "irfft", shape: [5, 7, 2]) { irfft($0, length: 12) },
      Batched(name: "odd irfft", shape: [5, 8, 2]) { irfft($0, length: 15) },
      Batched(name: "dct", shape: [5, 12]) { dct($0, axis: 1) },
      Batched(name: "idct", shape: [5, 11]) { idct($0, axis: 1) },
      Batched(name: "hadamard", shape: [5, 16]) { hadamard($0) },
      Batched(name: "fftConvolution", shape: [5, 3, 40]) { fftConvolution($0, kernel: weight([3, 40], $0)) },
      Batched(name: "attention", shape: [5, 2, 20, 6]) {
        scaledDotProductAttention(queries: $0, keys: $0, values: $0)
      },
      Batched(name: "linearAttention", shape: [5, 2, 20, 6]) {
        linearAttention(queries: $0, keys: $0, values: $0).output
      },
      Batched(name: "maxPool", shape: [5, 8, 8, 3]) { maxPool2d($0, kernel: (2, 2)) },
      Batched(name: "resized", shape: [5, 7, 3]) { CallosumTensors.resized($0, axes: [1], to: [11]) },
      Batched(name: "sorted", shape: [5, 60]) { $0.sorted(axis: 1) },
      Batched(name: "quantile", shape: [5, 60]) { $0.quantile(0.3, axis: 1) },
      Batched(name: "cumsum", shape: [20, 9]) { $0.cumsum(axis: 1) },
      Batched(name: "squares", shape: [5, 9]) { norm($0, axis: 1) },
    ]

    @Test(arguments: batched, [DType.float32, .float64])
    func rowsAreNotFelt(_ operation: Batched, _ type: DType) {
      let x = RandomGenerator.numbers(operation.shape, type)
      let rows = operation.shape[0]
      func others(_ x: Tensor, but row: Int) -> [Double] {
        x.doubles.enumerated().filter { $0.offset * rows / x.size != row }.map(\.element)
      }
      for setting in type == .float32 ? Setting.ofKernels : [Setting()] {
        setting.run {
          func gradient(_ x: Tensor) -> Tensor {
            CallosumTensors.gradient(at: x) { square(operation.call($0)).sum() }
          }
          let clean = operation.call(x), cleanGradient = gradient(x)
          for row in [0, 1, rows - 1] {
            for number in Self.disturbances {
              let changed = x.with(number, at: row, 0)
              #expect(
                others(operation.call(changed), but: row) == others(clean, but: row),
                "\(setting): \(number) in row \(row)")
              #expect(
                others(gradient(changed), but: row) == others(cleanGradient, but: row),
                "\(setting): gradient, \(number) in row \(row)")
            }
          }
        }
      }
    }
  }
}

extension Tensor {
  /// The same with this number in the middle of one slice.
  fileprivate func with(_ number: Double, at index: Int, _ axis: Int) -> Tensor {
    let inner = shape[(axis + 1)...].reduce(1, *), outer = shape[..<axis].reduce(1, *)
    var numbers = doubles
    for one in 0..<outer { numbers[(one * shape[axis] + index) * inner + inner / 2] = number }
    return Tensor(numbers, shape).asType(dtype)
  }
}

extension RandomGenerator {
  fileprivate static func numbers(_ shape: [Int], _ type: DType) -> Tensor {
    var random = RandomGenerator(seed: 7)
    return random.normal(shape).asType(type)
  }
}
