import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Where the obvious formula cancels, drifts or has no derivative. Right values by arithmetic, or PyTorch 2.13
  /// in float64.
  @Suite struct Accuracy {
    private static let types = [DType.float32, .float64]

    private func expectClose(_ x: Tensor, _ values: [Double], _ relative: Double, _ comment: String = "") {
      #expect(
        x.size == values.count
          && zip(x.doubles, values).allSatisfy { abs($0 - $1) <= relative * Swift.max(abs($1), 1e-30) },
        "\(x.doubles) are not \(values) \(comment)")
    }

    // MARK: Cancellation

    @Test func logarithmOfCosh() {
      let x = Tensor([1e-4, 1e-2, 0.5, 0.999, 1, 1.001, 3, 100, -1e-4, -100])
      let values = [
        4.999999991666667e-09, 4.999916668888822e-05, 0.12011450695827752, 0.43301944642088475,
        0.43378083048302724, 0.4345426345195629, 2.3093285045777847, 99.30685281944005,
        4.999999991666667e-09, 99.30685281944005,
      ]
      expectClose(logCosh(x), values, 1e-14)
      let single = x.asType(.float32), exact = logCosh(single.asType(.float64))
      for setting in Setting.ofKernels {
        expectClose(setting.run { logCosh(single) }, exact.doubles, 6e-7, "\(setting)")
      }
    }

    /// Deviations of equal numbers are 0, however far from 0 they are.
    @Test(arguments: [Float(20000.3), 1e-3, -7.77e8], [19, 64, 1000])
    func equalNumbersDoNotVary(_ number: Float, _ count: Int) {
      let x = Tensor.full([3, count], Double(number))
      for setting in Setting.ofKernels + [Setting(prefersReference: true)] {
        setting.run {
          #expect(layerNorm(x).doubles.allSatisfy { $0 == 0 }, "\(setting)")
          #expect(groupNorm(x.reshaped(3, count, 1), groups: 1).doubles.allSatisfy { $0 == 0 }, "\(setting)")
          #expect(x.variance(axis: 1).doubles == [0, 0, 0] && x.std().item() == 0, "\(setting)")
          let (mean, variance) = x.moments(axes: [0, 1])
          #expect(mean.item() == Double(number) && variance.item() == 0, "\(setting)")
        }
      }
    }

    // MARK: Long sums

    /// A million numbers between 1 and 2 in float32, every way in which they are added up: the error is one of
    /// blocks, not of a million steps.
    @Test func longSums() {
      var random = RandomGenerator(seed: 1)
      let count = 1_000_000
      let x = random.uniform([count]) + 1, exact = x.asType(.float64).sum().item()
      for setting in Setting.ofKernels {
        setting.run {
          func expect(_ sum: Tensor, _ how: String) {
            let found = abs(sum.doubles[0] / exact - 1)
            #expect(found < 6e-6, "\(setting), \(how): \(found)")
          }
          let row = x.reshaped(1, count), column = x.reshaped(count, 1)
          let ones = Tensor.ones([count, 1])
          expect(x.sum(), "sum")
          expect(column.sum(axis: 0), "sum of rows")
          expect(x.mean() * Double(count), "mean")
          expect(matmul(x, Tensor.ones([count])), "dot product")
          expect(matmul(row, Tensor.ones([count, 3])), "row times matrix")
          expect(matmul(Tensor.ones([3, count]), column), "matrix times column")
          expect(matmul(row, Tensor.ones([count, 40])), "row times wide matrix")
          expect(linear(row, weight: Tensor.ones([2, count])), "linear")
          expect(einsum("i,i->", x, Tensor.ones([count])), "einsum")
          let scale = Tensor.ones([1])
          expect(
            gradient(at: scale) { (linear(ones, weight: Tensor.ones([1, 1]), bias: $0) * column).sum() },
            "gradient of a bias")
          let cut = x[0..<200_000].reshaped(200_000, 1), share = cut.asType(.float64).sum().item() / exact
          expect(
            gradient(at: scale) {
              (conv1d(Tensor.ones([1, 200_000, 1]), weight: $0.reshaped(1, 1, 1)) * cut).sum()
            }
              / share, "gradient of a kernel")
        }
      }
    }

    // MARK: Wide clouds

    /// Neighbours 1e-3 apart in clouds 1e4 wide, found by differences in float64.
    @Test func neighboursInAWideCloud() {
      var random = RandomGenerator(seed: 2)
      let centres = random.uniform([50, 3]) * 1e4
      let points = (centres.expandedDimensions(axis: 1) + random.normal([50, 8, 3]) * 0.05).reshaped(400, 3)
      let exact = points.asType(.float64)
      let all = square(exact.expandedDimensions(axis: 1) - exact.expandedDimensions(axis: 0)).sum(axis: 2)
      let wanted = all.topK(4, largest: false).indices.asArray(Int32.self)
      for setting in Setting.ofKernels {
        let found = setting.run { nearestNeighbours(of: points, in: points, count: 4, block: 150) }
        #expect(found.indices.asArray(Int32.self) == wanted, "\(setting)")
      }
      #expect(nearestNeighbours(of: exact, in: exact, count: 4).indices.asArray(Int32.self) == wanted)
    }

    // MARK: Masks

    /// A query all of whose keys have the smallest number for a mask weighs them evenly, and so do its gradients;
    /// the fused way as the other.
    @Test func theSmallestNumberAsAMask() {
      var random = RandomGenerator(seed: 3)
      let (q, k, v) = (
        random.normal([1, 2, 5, 4]), random.normal([1, 2, 6, 4]), random.normal([1, 2, 6, 3])
      )
      let least = -Double(Float.greatestFiniteMagnitude)
      var numbers = [Double](repeating: 0, count: 30)
      for key in 0..<6 { numbers[6 + key] = least }  // query 1: all
      for key in 3..<6 { numbers[12 + key] = least }  // query 2: some
      for key in 0..<6 { numbers[24 + key] = key < 2 ? -.infinity : least }  // query 4: hidden and all others
      let mask = Tensor(numbers, [5, 6]).asType(.float32), factors = random.normal([1, 2, 5, 3])
      func results() -> [Tensor] {
        func mixed(_ q: Tensor, _ k: Tensor, _ v: Tensor) -> Tensor {
          scaledDotProductAttention(queries: q, keys: k, values: v, mask: mask)
        }
        let (_, gradients) = valueAndGradient(at: [q, k, v]) { (mixed($0[0], $0[1], $0[2]) * factors).sum() }
        return [mixed(q, k, v)] + gradients
      }
      let wanted = Setting(prefersReference: true).run(results)
      let even = v.mean(axis: 2)
      for head in 0..<2 { expectClose(wanted[0][0, head, 1], even[0, head].doubles, 1e-5) }
      for setting in Setting.ofKernels {
        for (found, wanted) in zip(setting.run(results), wanted) {
          let problem = Comparison(found, wanted, within: Tolerance(relative: 1e-5, ofLargest: 1e-6)).problem
          #expect(problem == nil, "\(setting)")
        }
      }
    }

    // MARK: Derivatives where there is none

    /// torch.std, torch.linalg.norm and torch.atan2 have gradients of 0 there.
    @Test(arguments: types) func nothingHasNoDirection(_ type: DType) {
      let zeros = Tensor.zeros([4], dtype: type), sevens = zeros + 7
      #expect(gradient(at: sevens) { $0.std() }.doubles == [0, 0, 0, 0])
      #expect(gradient(at: sevens) { $0.std(correction: 1) }.doubles == [0, 0, 0, 0])
      #expect(gradient(at: zeros) { norm($0) }.doubles == [0, 0, 0, 0])
      let angles = valueAndGradient(at: [zeros, zeros]) { atan2($0[0], $0[1]).sum() }.gradients
      #expect(angles.flatMap(\.doubles).allSatisfy { $0 == 0 })
      let second = gradient(at: zeros) { x in (gradient(at: x) { norm($0) } * x).sum() }
      #expect(second.doubles == [0, 0, 0, 0])
      // Elsewhere they are what they were.
      let x = Tensor([3, 4.0]).asType(type)
      expectClose(norm(x), [5], 1e-6)
      expectClose(gradient(at: x) { norm($0) }, [0.6, 0.8], 1e-6)
      expectClose(gradient(at: x) { $0.std() }, [-0.5, 0.5], 1e-6)
    }

    // MARK: Products

    /// Of 30,000 numbers, of which one is 0: all others' gradient is 0, its own the product of the others. With
    /// a table of all pairs this would take 3.6 GB.
    @Test func gradientOfALongProduct() {
      let count = 30_000
      var numbers = (0..<count).map { $0 % 2 == 0 ? 2.0 : 0.5 }
      expectClose(gradient(at: Tensor(numbers)) { $0.product() }, numbers.map { 1 / $0 }, 1e-12)
      numbers[100] = 0
      let slopes = gradient(at: Tensor(numbers)) { $0.product() }.doubles
      #expect(slopes[100] == 0.5 && slopes.filter { $0 != 0 }.count == 1)
    }

    // MARK: Nearest elements

    /// Every size from 1 to 64 to every other: floor(i old / new), but for these places, where PyTorch's float32
    /// gives the element before.
    @Test func nearestElementsAreThoseOfPyTorch() {
      let before: Set<[Int]> = [
        [14, 46, 23], [26, 22, 11], [26, 44, 22], [28, 46, 23], [30, 58, 29], [39, 33, 11],
        [39, 33, 22], [52, 22, 11], [52, 44, 11], [52, 44, 22], [54, 38, 19], [56, 46, 23],
        [58, 54, 27], [60, 58, 29], [62, 14, 7], [62, 28, 14], [62, 56, 28],
      ]
      for type in Self.types {
        for old in 1...64 {
          let x = Tensor((0..<old).map(Double.init)).asType(type)
          for new in 1...64 {
            let found = resized(x, axes: [0], to: [new], by: .nearest).doubles.map { Int($0) }
            let wanted = (0..<new).map { i in
              i * old / new - (type == .float32 && before.contains([old, new, i]) ? 1 : 0)
            }
            #expect(found == wanted, "\(type), \(old) to \(new)")
          }
        }
      }
    }
  }
}
