import CallosumTensors
import CallosumTestSupport
import Testing

extension TensorTests {
  /// Long rows take other paths than golden files reach: groups passed over at once, rows cut in parts.
  @Suite struct TopK {
    @Test(arguments: [1, 128, 700], [false, true])
    func isTheBeginningOfTheOrder(_ k: Int, _ largest: Bool) {
      var random = RandomGenerator(seed: 3)
      // Few different numbers, so that equal ones meet; NaN, infinities and both zeros among them.
      let coarse = round(random.normal([2, 150_001]) * 40) * 0.25
      let special = Tensor([Float.nan, .infinity, -.infinity, 0, -0.0, 1, -1, .nan]).reshaped([1, 8])
      let rows = concatenated([special.broadcast(to: [2, 8]), coarse], axis: 1)
      for x in [rows, rows.sliced(axis: 0, from: 1), rows.asType(.float64)] {
        let order = x.argSort(descending: largest).sliced(axis: 1, to: k)
        for setting in Setting.ofKernels {
          let (values, indices) = setting.run { x.topK(k, largest: largest) }
          #expect(indices.asArray(Int32.self) == order.asArray(Int32.self), "\(setting)")
          let wrong = Comparison(values, x.takeAlong(order, axis: 1), within: Tolerance(relative: 0)).problem
          #expect(wrong == nil, "\(setting)")
        }
      }
    }

    /// Rows that end inside a vector, with equal numbers and some that are no number.
    @Test(arguments: [1, 7, 16, 37, 64, 131])
    func theBestOfShortRowsIsTheFirstOfEquals(_ columns: Int) {
      var random = RandomGenerator(seed: 4)
      let coarse = round(random.normal([300, columns]) * 2)
      let rare = random.bernoulli([300, columns], probability: 0.02)
      let x = which(rare, Tensor(Float.nan), coarse)
      let rows = x.split(parts: 300).map(\.floats)
      func first(_ row: [Float], _ best: Float?) -> Int32 {
        Int32(row.firstIndex { $0 == best } ?? 0)
      }
      for setting in Setting.ofKernels {
        let (top, bottom) = setting.run { (x.topK(1).indices, x.topK(1, largest: false).indices) }
        #expect(
          bottom.asArray() == rows.map { row in first(row, row.filter { !$0.isNaN }.min()) }, "\(setting)")
        let (largest, smallest) = setting.run { (x.argMax(axis: 1), x.argMin(axis: 1)) }
        func orMissing(_ row: [Float], _ best: Float?) -> Int32 {
          row.firstIndex(where: \.isNaN).map(Int32.init) ?? first(row, best)
        }
        #expect(top.asArray() == rows.map { orMissing($0, $0.max()) }, "\(setting)")
        #expect(largest.asArray() == rows.map { orMissing($0, $0.max()) }, "\(setting)")
        #expect(smallest.asArray() == rows.map { orMissing($0, $0.min()) }, "\(setting)")
      }
    }
  }
}
