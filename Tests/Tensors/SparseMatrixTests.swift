import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Values and derivatives of sparse matrices are checked by the conformance suite.
  @Suite struct Sparse {
    @Test func elementsInAnyOrderBecomeRowsInOrder() {
      let a = SparseMatrix(
        rows: Tensor([2, 0, 2, 0, 2] as [Int32]), columns: Tensor([1, 3, 0, 3, 1] as [Int32]),
        values: Tensor([1, 2, 4, 8, 16] as [Float]), shape: (3, 4))
      #expect(a.entries == 3)
      #expect(a.rowIndices.asArray() == [0, 2, 2] as [Int32])
      #expect(a.columnIndices.asArray() == [3, 0, 1] as [Int32])
      #expect(a.values.asArray() == [10, 4, 17] as [Float])
      #expect(a.transposed().rowSums().asArray() == [4, 17, 0, 10] as [Float])
    }

    @Test func aProductIsTheSameByAnyNumberOfThreads() {
      var random = RandomGenerator(seed: 3)
      let rows = floor(random.uniform([5000]) * 300).asType(.int32)
      let columns = floor(random.uniform([5000]) * 200).asType(.int32)
      let values = random.normal([5000]), x = random.normal([200, 37])
      func gradients() -> [Float] {
        let (y, pullback) = valueAndPullback(at: [values, x]) { inputs in
          [
            matmul(
              SparseMatrix(rows: rows, columns: columns, values: inputs[0], shape: (300, 200)), inputs[1])
          ]
        }
        return y[0].asArray() + pullback([sin(y[0])]).flatMap { $0.asArray(Float.self) }
      }
      let one = Setting(threadsTinyArrays: false, prefersReference: false).run(gradients)
      #expect(one == Setting(threadsTinyArrays: true, prefersReference: false).run(gradients))
    }

    @Test func theLastValueStands() {
      let x = Tensor.zeros([3]), places = Tensor([1, 1, 2, 1] as [Int32])
      #expect(x.put(places, values: Tensor([1, 2, 3, 4] as [Float])).asArray() == [0, 4, 3] as [Float])
      let flags = Tensor([false, false]).put(Tensor([Int32(1)]), values: Tensor([true]))
      #expect(flags.asArray() == [false, true])
      let nan = x.put(places, values: Tensor([1, .nan, 3, 4] as [Float]), reducing: .max).asArray(Float.self)
      #expect(nan[1].isNaN && nan[2] == 3)
    }
  }
}
