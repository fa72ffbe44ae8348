import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// x[1, 2..<5, .ellipsis]: what NumPy 2.4 gives for the same indices, and the
  /// same tensors by `sliced` and `take`.
  @Suite struct Subscripts {
    private let x = Tensor((0..<24).map { Float($0) }, [2, 3, 4])

    @Test func reading() {
      let i = 1, n = 3
      #expect(x[i].shape == [3, 4] && x[i].floats == (12..<24).map { Float($0) })
      #expect(x[i, i + 1, n].item() == 23)
      #expect(x[-1, 0..., -4].floats == [12, 16, 20])
      #expect(x[0, 1..<n, 0...1].floats == [4, 5, 8, 9])
      #expect(x[..<1, ...1, 2...].floats == [2, 3, 6, 7] && x[..<1, ...1, 2...].shape == [1, 2, 2])
      #expect(x[1, -2..<(-1), (-2)...].floats == [18, 19])
      #expect(x[1, ...(-1), ..<(-3)].floats == [12, 16, 20])
      #expect(
        x[0, 0, .stride(by: 2)].floats == [0, 2] && x[0, 0, .stride(from: 1, to: -1, by: 3)].floats == [1])
      #expect(x[.ellipsis, 1].shape == [2, 3] && x[.ellipsis, 1].floats == [1, 5, 9, 13, 17, 21])
      #expect(x[1, .ellipsis, 0, 0].item() == 12 && x[.ellipsis].shape == x.shape)
      #expect(
        x[.newAxis, 1, .newAxis, 0...].shape == [1, 1, 3, 4] && x[0, .ellipsis, .newAxis].shape == [3, 4, 1])
      #expect(x[2..<2].shape == [0, 3, 4] && x[].shape == x.shape)
      // All of these are views.
      for view in [x[i], x[.all, 1..<3, -1], x[.ellipsis, .newAxis], x[0, 0, .stride(by: 2)]] {
        #expect(view.storage === x.storage)
      }
    }

    @Test func gathering() {
      let order = Tensor([1, 0, -1] as [Int32]), pairs = Tensor([0, 2, 1, 1] as [Int32], [2, 2])
      #expect(x[order].floats == x.take(Tensor([1, 0, 1] as [Int32])).floats)
      #expect(x[0, pairs].shape == [2, 2, 4] && x[0, pairs].floats == x[0].take(pairs).floats)
      #expect(x[.all, 1..., order[..<2]].floats == x[.all, 1...].take(order[..<2], axis: 2).floats)
      // Neighbouring index tensors are single places, and broadcast.
      #expect(x[0, order, Tensor([3, 2, 1] as [Int32])].floats == [7, 2, 9])
      #expect(x[.all, order.reshaped(3, 1), Tensor([0, 3] as [Int32])].shape == [2, 3, 2])
      #expect(x[0, order.reshaped(3, 1), Tensor([0, 3] as [Int32])].floats == [4, 7, 0, 3, 8, 11])
      #expect(x[x .> 20].floats == [21, 22, 23])
    }

    /// Against plain loops over the same elements.
    @Test func assigning() {
      func expected(_ change: (Int, Int, Int, Float) -> Float) -> [Float] {
        (0..<24).map { change($0 / 12, $0 / 4 % 3, $0 % 4, Float($0)) }
      }
      let old = x
      var y = x
      y[0, 1, 2] = Tensor(-5.0)
      #expect(y.floats == expected { $0 == 0 && $1 == 1 && $2 == 2 ? -5 : $3 })
      y = x
      y[1, 1..<3] = Tensor([1, 2, 3, 4] as [Float])
      #expect(y.floats == expected { $0 == 1 && $1 > 0 ? Float($2 + 1) : $3 })
      y = x
      y[.ellipsis, .stride(by: 2)] = Tensor(0.0)
      #expect(y.floats == expected { $2 % 2 == 0 ? 0 : $3 })
      y = x
      y[-1] += 1
      #expect(y.floats == expected { $0 == 1 ? $3 + 1 : $3 })
      y = x
      y[.all, 0, .newAxis] = Tensor([7, 8] as [Float], [2, 1, 1])
      #expect(y.floats == expected { $1 == 0 ? Float($0 + 7) : $3 })
      y = x
      y[0, Tensor([2, 0] as [Int32])] = Tensor([5, 6] as [Float], [2, 1])
      #expect(y.floats == expected { $0 == 0 && $1 != 1 ? ($1 == 2 ? 5 : 6) : $3 })
      y = x
      y[.all, Tensor([0, 1] as [Int32]), Tensor([3, 3] as [Int32])] = Tensor(0.0)
      #expect(y.floats == expected { $1 < 2 && $2 == 3 ? 0 : $3 })
      y = x
      y[y .> 20] = Tensor(20.0)
      #expect(y.floats == expected { min($3, 20) })
      y[0...] = Tensor(3.0)
      #expect(y.floats == [Float](repeating: 3, count: 24))
      #expect(old.floats == expected { $3 } && x.floats == old.floats)
    }

    /// Nobody else sees an assignment, and a variable that nobody else sees is not copied for it.
    @Test func assignmentsAreValues() {
      var y = Tensor((0..<6).map { Float($0) }, [3, 2])
      let copy = y, row = y[1], storage = y.storage
      y[1] = Tensor([9, 9] as [Float])
      #expect(row.floats == [2, 3] && copy.floats == [0, 1, 2, 3, 4, 5] && storage !== y.storage)
      func place(_ y: Tensor) -> UnsafeMutableRawPointer { y.pointer }
      var own = y + 0
      let before = place(own)
      for i in 0..<3 { own[i, 0] = Tensor(Float(i)) }
      own[2] = own[0] * 2
      #expect(place(own) == before && own.floats == [0, 1, 1, 9, 0, 2])
      // A view of a variable's own elements.
      var z = Tensor((0..<4).map { Float($0) })
      z[1...] = z[..<3]
      #expect(z.floats == [0, 0, 1, 2])
      // Not contiguous.
      var t = y.transposed()
      t[0] = Tensor(0.0)
      #expect(t.floats == [0, 0, 0, 1, 9, 5] && y.floats == [0, 1, 9, 9, 4, 5])
    }

    @Test func derivatives() {
      let weights = Tensor((0..<24).map { Double($0) - 9 }, [2, 3, 4])
      let x = x.asType(.float64), v = Tensor([0.5, -1, 2, 3], [4])
      // d/dx and d/dv of sum(w y²) where y is x with v in some places.
      func gradients(_ assign: @escaping (inout Tensor, Tensor) -> Void) -> [Tensor] {
        valueAndGradient(at: [x, v]) { inputs in
          var y = inputs[0]
          assign(&y, inputs[1])
          return (weights * square(y)).sum()
        }.gradients
      }
      let all = gradients { $0[1, 0..<2] = $1 }
      var kept = weights * x * 2
      kept[1, 0..<2] = Tensor(0.0, .float64)
      #expect(all[0].doubles == kept.doubles)
      #expect(all[1].doubles == (weights[1, 0..<2].sum(axis: 0) * v * 2).doubles)
      let gathered = gradients { $0[0, Tensor([2, 2] as [Int32])] = $1 }
      kept = weights * x * 2
      kept[0, 2] = Tensor(0.0, .float64)
      #expect(gathered[0].doubles == kept.doubles && gathered[1].doubles == (weights[0, 2] * v * 2).doubles)
      // One after the other, in a loop, and twice.
      let path = gradient(at: v) { v in
        var y = Tensor.zeros([5], dtype: .float64)
        y[0] = Tensor(1.0, .float64)
        for i in 0..<4 { y[i + 1] = y[i] * v[i] }
        return y[4]
      }
      #expect(path.doubles == [-6, 3, -1.5, -1])
      let second = gradient(at: v) { v in
        gradient(at: v) { v in
          var y = v
          y[1..<3] = square(v[..<2])
          return (y * square(y)).sum()
        }.sum()
      }
      // y = (v0, v0², v1², v3): sum y³ = v0³ + v0⁶ + v1⁶ + v3³.
      #expect(second.doubles == [6 * 0.5 + 30 * 0.0625, 30, 0, 18])
    }

    @Test(arguments: [
      ("index 3 does not lie in axis 1 of [2, 3, 4]", 0), ("..<5 does not lie in axis 2 of [2, 3, 4]", 1),
      ("4 indices and 0 ellipses do not fit the 3 axes of [2, 3, 4]", 2),
      ("cannot assign int32 to float32; use asType", 3),
      ("a step must be above 0, is -1; use flipped(axes:) to go backwards", 4),
      ("a bool mask must be the only index and have the shape [2, 3, 4], has [2]", 5),
      ("tensors of indices must be for neighbouring axes; index twice or use take", 6),
    ])
    func refusals(_ says: String, _ which: Int) async {
      let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [which] in
        var x = Tensor.zeros([2, 3, 4]), index = Tensor([0] as [Int32])
        switch which {
        case 0: _ = x[0, 3]
        case 1: _ = x[.ellipsis, ..<5]
        case 2: _ = x[0, 0, 0, 0]
        case 3: x[0] = Tensor(1 as Int32)
        case 4: _ = x[.stride(by: -1)]
        case 5: _ = x[Tensor([true, false])]
        default:
          index = index + 0
          _ = x[index, 0..., index]
        }
      }
      let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(text.contains("subscript: \(says)"), "\(text.prefix(300))")
    }

    @Test func valuesOut() {
      let whole = Tensor([1, 2] as [Int32]), real = Tensor([2.75, -1] as [Float])
      #expect(whole.asArray(Float.self) == [1, 2] && real.asArray(Double.self) == [2.75, -1])
      #expect(real[0].item() == 2.75 && real[0].item(Float.self) == 2.75 && whole[1].item(Int.self) == 2)
      #expect(Tensor(true).item(Bool.self) && Tensor(true).item() == 1)
    }
  }
}
