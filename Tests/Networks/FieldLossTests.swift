import CallosumNetworks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct FieldLossTests {
  /// `HsLoss` of xlliu2017/MgNO at 3a68a90, utilities3.py, with k = 1: sums over the batch.
  @Test func agreesWithPublishedLosses() throws {
    let golden = try Golden.tensors("../Systems/Fields/MgNO/golden")
    let target = golden["h1.target"]
    for (order, name) in [(0, "l2"), (1, "loss")] {
      let (loss, gradient) = valueAndGradient(at: golden["h1.prediction"]) {
        relativeSobolevError($0, target, order: order).sum()
      }
      #expect(abs(loss.item() - golden["h1.\(name)"].item()) < 1e-12)
      guard order == 1 else { continue }
      let allowed = Tolerance(relative: 0, ofLargest: 1e-12)
      #expect(Comparison(gradient, golden["h1.gradient"], within: allowed).problem == nil)
    }
  }

  /// A wave of amplitude 1 has the mean square 1/2 for each axis along which it varies, and 1 + |k|² is what
  /// its gradient adds, on coarse, fine, odd and uneven grids, of one axis to three.
  @Test(arguments: [[12], [31], [9, 8], [16, 21], [8, 7, 10]]) func normsOfWaves(_ shape: [Int]) {
    let waves = [2, 3, 1]
    var wave = Tensor.ones([], dtype: .float64)
    for (axis, count) in shape.enumerated() {
      let values = (0..<count).map { cos(2 * Double.pi * Double(waves[axis] * $0) / Double(count) + 0.4) }
      wave = wave.expandedDimensions(axis: -1) * Tensor(values)
    }
    let field = stacked([wave, wave * 3 + 2], axis: -1).expandedDimensions(axis: 0)
    let energy = pow(0.5, Double(shape.count))
    let squares = waves.prefix(shape.count).map { $0 * $0 }.reduce(0, +)
    for order in 0...3 {
      let factor = pow(1 + Double(squares), Double(order))
      let expected = (energy * factor * 10 + 4).squareRoot()
      #expect(abs(sobolevNorm(field, order: order).item() - expected) < 1e-12 * expected)
    }
  }
}
