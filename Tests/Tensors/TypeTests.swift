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

    @Test func wholeNumbersDivide() {
      let a = Tensor([7, -7, 7, -7] as [Int32]), b = Tensor([2, 2, -2, -2] as [Int32])
      #expect((a / b).dtype == .float32)
      #expect((a / b).doubles == [3.5, -3.5, -3.5, 3.5])
      #expect(floorDivide(a, b).asArray() == [3, -4, -4, 3] as [Int32])
      #expect((a % b).asArray() == [1, 1, -1, -1] as [Int32])
      #expect(
        (a / Tensor.zeros([4], dtype: .int32)).doubles == [.infinity, -.infinity, .infinity, -.infinity])
    }

    /// Values and types by PyTorch 2.13, but for int64, which is int32 here.
    @Test func numbersPromote() {
      let i = Tensor([1, 2, 3] as [Int32]), b = Tensor([true, true, false]), most = Tensor([Int32.max])
      func check(_ x: Tensor, _ type: DType, _ values: [Double], _ line: Int = #line) {
        let isRight = x.dtype == type && zip(x.doubles, values).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) }
        #expect(isRight && x.size == values.count, "line \(line): \(x)")
      }
      check(b.sum() / 3.0, .float32, [2.0 / 3])
      check(i * 0.5, .float32, [0.5, 1, 1.5])
      check(i * 2.0, .float32, [2, 4, 6])
      check(i * 2, .int32, [2, 4, 6])
      check(2 - i, .int32, [1, 0, -1])
      check(0.5 - i, .float32, [-0.5, -1.5, -2.5])
      check(i / 2, .float32, [0.5, 1, 1.5])
      check(1 / i, .float32, [1, 0.5, 1.0 / 3])
      check(floorDivide(i, 2), .int32, [0, 1, 1])
      check(floorDivide(i, 2.0), .float32, [0, 1, 1])
      check(i .< 2.5, .bool, [1, 1, 0])
      check(i .== 2.5, .bool, [0, 0, 0])
      check(i .>= 2, .bool, [0, 1, 1])
      check(pow(i, 0.5), .float32, [1, 1.4142135, 1.7320508])
      check(pow(i, 2), .int32, [1, 4, 9])
      check(pow(i, 2.0), .float32, [1, 4, 9])
      check(i % 2, .int32, [1, 0, 1])
      check(i % 1.5, .float32, [1, 0.5, 0])
      check(maximum(i, 1.5), .float32, [1.5, 2, 3])
      check(minimum(i, 2), .int32, [1, 2, 2])
      check(clip(i, min: 1.5), .float32, [1.5, 2, 3])
      check(clip(i, min: 2, max: 2), .int32, [2, 2, 2])
      check(clip(i, max: 2), .int32, [1, 2, 2])
      check(which(b, i, 2.5), .float32, [1, 2, 2.5])
      check(which(b, i, 2), .int32, [1, 2, 2])
      check(which(b, 0, i), .int32, [0, 0, 3])
      check(b + 1, .int32, [2, 2, 1])
      check(b * 2.5, .float32, [2.5, 2.5, 0])
      check(b / 2, .float32, [0.5, 0.5, 0])
      check(b .== 1, .bool, [1, 1, 0])
      check(b .< 0.5, .bool, [0, 0, 1])
      check(b + b, .bool, [1, 1, 0])
      check(b.product(), .int32, [0])
      check(b.max(), .bool, [1])
      check(b.min(), .bool, [0])
      check(most .== 3e9, .bool, [0])
      check(most .== 3_000_000_000, .bool, [0])
      check(most .< 3_000_000_000, .bool, [1])
      check(most + 1, .int32, [-2_147_483_648])
      #expect((most + .nan).dtype == .float32 && isNaN(most + .nan).asArray() == [true])
      check(i.asType(.float64) * 0.1, .float64, [0.1, 0.2, 0.3])
      check(i.asType(.float64) * 2, .float64, [2, 4, 6])
      var sum = i
      sum += 0.5
      check(sum, .float32, [1.5, 2.5, 3.5])
      sum = i
      sum += 1
      check(sum, .int32, [2, 3, 4])
    }

    @Test(arguments: Refused.allCases) func whatHasNoAnswerIsRefused(_ mistake: Refused) throws {
      let said = #expect(throws: CallosumTensors.InvalidInput.self) { try withErrors { mistake.make() } }
      #expect(try #require(said).description.contains(mistake.rawValue))
    }

    /// A call, and what it says.
    enum Refused: String, CaseIterable, Sendable {
      case sum = "add: 3000000000 is beyond int32, which int32 [1] would be computed in; use asType(.float64)"
      case fill = "full: 2.5 is not an int32"
      case fillNaN = "full: nan is not an int32"
      case fillLarge = "full: 3000000000.0 is not an int32"
      case power = "power: an int32 number has no int32 power below 0; convert with asType(.float32)"
      case truths = "subtract: needs numbers, got bool; convert with asType(.int32) or asType(.float32)"
      case mixed = "add: types bool and float32 do not fit; convert one with asType"
      case layer =
        "linear: needs tensors of one floating-point type, got int32 [1, 4], float32 [3, 4]; convert with asType(.float32)"
      case largeTruths =
        "linear: needs tensors of one floating-point type, got bool [3000, 400], bool [400, 400]; convert with asType(.float32)"
      case attention =
        "scaledDotProductAttention: needs tensors of one floating-point type, got int32 [1, 1, 3, 4], int32 [1, 1, 3, 4], int32 [1, 1, 3, 4]; convert with asType(.float32)"
      case variable = "valueAndGradient: needs float32 or float64, got int32; convert with asType(.float32)"
      case pullback = "pullback: gradient 0 is float64, but the value is float32"
      case memory = "Tensor: int32 elements of [1] were to be read as float32"

      func make() {
        let i = Tensor([Int32(1)]), x = Tensor([1, 2] as [Float])
        switch self {
        case .sum: _ = i + 3_000_000_000
        case .fill: _ = Tensor.full([2], 2.5, dtype: .int32)
        case .fillNaN: _ = Tensor.full([2], .nan, dtype: .int32)
        case .fillLarge: _ = Tensor.full([2], 3e9, dtype: .int32)
        case .power: _ = pow(i, -1)
        case .truths: _ = Tensor([true]) - Tensor([true])
        case .mixed: _ = Tensor([true, false]) + x
        case .layer: _ = linear(.ones([1, 4], dtype: .int32), weight: .ones([3, 4]))
        case .largeTruths:
          _ = linear(.ones([3000, 400], dtype: .bool), weight: .ones([400, 400], dtype: .bool))
        case .attention:
          let q = Tensor.ones([1, 1, 3, 4], dtype: .int32)
          _ = scaledDotProductAttention(queries: q, keys: q, values: q)
        case .variable: _ = gradient(at: i) { ($0 * 0.5).sum() }
        case .pullback: _ = valueAndPullback(at: [x]) { $0 }.pullback([x.asType(.float64)])
        case .memory:
          var memory = i
          memory.withOwnMemory { $0[0] = 1 }
        }
      }
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
