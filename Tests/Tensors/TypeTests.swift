import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Integers, truth values and conversions, which golden files hold little of.
  @Suite struct Types {
    private let a: [Int32] = (0..<103).map { Int32($0 * 37 % 201 - 100) }
    private let b: [Int32] = (0..<103).map { Int32($0 * 53 % 19 - 9) }

    @Test func conversions() {
      let values = Tensor([-1.5, 0, 0.5, 2.75])
      #expect(values.asType(.int32).asArray() == [-1, 0, 0, 2] as [Int32])
      #expect(values.asType(.bool).asArray() == [true, false, true, true])
      #expect(values.asType(.bool).asType(.float32).floats == [1, 0, 1, 1])
      #expect(Tensor([Double.nan]).asType(.bool).asArray() == [true])
      #expect(
        Tensor([1e-50, 1e50, .nan]).asType(.float32).asArray().map { "\($0 as Float)" } == [
          "0.0", "inf", "nan",
        ])
      #expect(Tensor.arange(3).asType(.float64).doubles == [0, 1, 2])
      #expect(Tensor.linspace(1, 2, count: 5).floats == [1, 1.25, 1.5, 1.75, 2])
      #expect(Tensor.eye(2, dtype: .int32).asArray() == [1, 0, 0, 1] as [Int32])
    }

    @Test func gradientsPassBetweenFloatingPointTypes() {
      let x = Tensor([0.5, 2.0] as [Float])
      let slope = gradient(at: x) { exp($0.asType(.float64)).sum() }
      #expect(slope.dtype == .float32)
      expectClose(slope, exp(x), relative: 2e-7)
    }

    @Test func integersDivideDownwards() {
      let a = Tensor([7, -7, 7, -7] as [Int32]), b = Tensor([2, 2, -2, -2] as [Int32])
      #expect((a / b).asArray() == [3, -4, -4, 3] as [Int32])
      #expect((a % b).asArray() == [1, 1, -1, -1] as [Int32])
    }

    @Test func integerArithmetic() {
      for setting in Setting.ofKernels {
        setting.run {
          let (x, y) = (Tensor(a), Tensor(b))
          func check(_ found: Tensor, _ wanted: (Int32, Int32) -> Int32) {
            #expect(found.asArray() == zip(a, b).map(wanted), "\(setting)")
          }
          check(x + y, +)
          check(x - y, -)
          check(x * y, *)
          check(maximum(x, y), max)
          check(minimum(x, y), min)
          check(abs(x) + y) { $0.magnitude == 0 ? $1 : Int32($0.magnitude) + $1 }
          check(sign(x) * y) { $0.signum() * $1 }
          check(which(x .> y, x, y * 2)) { $0 > $1 ? $0 : $1 * 2 }
          check((x .== y).asType(.int32)) { $0 == $1 ? 1 : 0 }
          check((x .>= y).asType(.int32)) { $0 >= $1 ? 1 : 0 }
          check(-x) { first, _ in -first }
        }
      }
    }

    @Test func integerReductions() {
      for setting in Setting.ofKernels {
        setting.run {
          let x = Tensor(Array(a.prefix(102)), [6, 17])
          let rows = (0..<6).map { row in Array(a[row * 17..<(row + 1) * 17]) }
          #expect(x.sum(axis: 1).asArray() == rows.map { $0.reduce(0, +) }, "\(setting)")
          #expect(x.max(axis: 1).asArray() == rows.compactMap { $0.max() }, "\(setting)")
          #expect(x.min(axis: 1).asArray() == rows.compactMap { $0.min() }, "\(setting)")
          #expect(
            x.argMax(axis: 1).asArray()
              == rows.map { row in Int32(row.indices.max { row[$0] < row[$1] } ?? 0) }, "\(setting)")
          let truths = x .> 0
          #expect(
            truths.sum(axis: 1).asArray() == rows.map { Int32($0.filter { $0 > 0 }.count) }, "\(setting)")
          #expect(truths.any(axes: [0]).shape == [17])
        }
      }
    }

    @Test func notANumberWins() {
      let x = Tensor([1, .nan, 3, .infinity, 0, -1] as [Float], [2, 3])
      for setting in Setting.ofKernels {
        setting.run {
          #expect(isNaN(x.max(axis: 1)).asArray() == [true, false])
          #expect(isNaN(x.min(axis: 1)).asArray() == [true, false])
          #expect(x.argMax(axis: 1).asArray() == [1, 0] as [Int32])
          #expect(x.argMin(axis: 1).asArray() == [1, 2] as [Int32])
          #expect(isFinite(x).asArray() == [true, false, true, false, true, true])
        }
      }
    }

    @Test func otherTypesMove() {
      let x = Tensor(a).reshaped(-1, 1), truths = Tensor(b.map { $0 > 0 }).reshaped(-1, 1)
      #expect(concatenated([x, Tensor(b).reshaped(-1, 1)], axis: 1).transposed().asArray() == a + b)
      #expect(x.flipped(axes: [0]).asArray() == Array(a.reversed()))
      #expect(truths.padded([(1, 0), (0, 0)], value: 1).asArray() == [true] + b.map { $0 > 0 })
      #expect(x.take(Tensor([5, 0] as [Int32])).asArray() == [a[5], a[0]])
      #expect(truths.take(Tensor([5, 0] as [Int32])).asArray() == [b[5] > 0, b[0] > 0])
      #expect(
        Tensor(b).scatterAdded(at: Tensor([Int32](repeating: 1, count: 103)), count: 2).asArray() == [
          0, b.reduce(0, +),
        ])
    }
  }
}
