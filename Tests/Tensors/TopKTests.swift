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
          #expect(indices.array(of: Int32.self) == order.array(of: Int32.self), "\(setting)")
          let wrong = Comparison(values, x.takeAlong(order, axis: 1), within: Tolerance(relative: 0)).problem
          #expect(wrong == nil, "\(setting)")
        }
      }
    }
  }
}
