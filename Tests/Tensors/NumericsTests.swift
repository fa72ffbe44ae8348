import CallosumTensors
import Foundation
import Testing

@Suite struct NumericsTests {
  private func expectClose(_ a: Tensor, _ b: Tensor, _ tolerance: Double) {
    #expect(a.shape == b.shape)
    #expect(zip(a.doubles, b.doubles).allSatisfy { abs($0 - $1) <= tolerance }, "\(a.doubles), \(b.doubles)")
  }

  // MARK: Differential equations

  /// dx/dt = -x + t has the solution t - 1 + 2 exp(-t) from x = 1; errors shrink with the step's power.
  @Test(arguments: [(order: 1, fourth: false), (order: 4, fourth: true)])
  func stepsHaveTheirOrder(order: Int, fourth: Bool) {
    func error(_ count: Int) -> Double {
      let step = 1 / Double(count)
      var x = Tensor([1.0])
      for i in 0..<count {
        let slope = { (time: Double, x: Tensor) in time - x }
        x =
          fourth
          ? rungeKuttaStep(x, at: Double(i) * step, step: step, slope)
          : eulerStep(x, at: Double(i) * step, step: step, slope)
      }
      return abs(x.item() - 2 * exp(-1))
    }
    let found = log2(error(16) / error(32))
    #expect(abs(found - Double(order)) < 0.15, "\(found)")
  }

  // MARK: Conjugate gradients

  @Test func conjugateGradientsSolve() {
    var random = RandomGenerator(seed: 3)
    let root = random.normal([3, 6, 6], dtype: .float64)
    let matrix = matmul(root, root.swappedAxes(1, 2)) + Tensor.ones([6, 6], dtype: .float64).tril().triu()
    let b = random.normal([3, 6], dtype: .float64)
    let apply = { (x: Tensor) in matmul(matrix, x.expandedDimensions(axis: 2)).squeezed(axis: 2) }
    let (x, steps) = conjugateGradient(b, tolerance: 1e-12, applying: apply)
    expectClose(x, solve(matrix, b.expandedDimensions(axis: 2)).squeezed(axis: 2), 1e-9)
    #expect((6...12).contains(steps))
    // From the solution nothing is left to do; a system of zeros stands still beside others.
    #expect(conjugateGradient(b, tolerance: 1e-8, initial: x, applying: apply).steps == 0)
    let some = b * Tensor([1.0, 0, 1]).reshaped(3, 1)
    let partly = conjugateGradient(some, tolerance: 1e-12, applying: apply).solution
    #expect(partly[1].doubles == [0, 0, 0, 0, 0, 0])
    expectClose(partly[0], x[0], 1e-9)
    #expect(conjugateGradient(b, limit: 2, applying: apply).steps == 2)
  }

  @Test func conjugateGradientsAreDifferentiated() {
    let matrix = Tensor([4.0, 1, 1, 3], [2, 2]), b = Tensor([1.0, 2], [1, 2])
    let slope = gradient(at: b) { b in
      conjugateGradient(b, tolerance: 1e-14) { matmul($0, matrix) }.solution.sum()
    }
    // The sum of A⁻¹ b has the slope A⁻¹ 1.
    expectClose(slope, Tensor([2.0 / 11, 3.0 / 11], [1, 2]), 1e-10)
  }

  // MARK: Quadrature

  @Test(arguments: [1, 2, 5, 20]) func gaussHermiteIsExactForPolynomials(count: Int) {
    let (nodes, weights) = gaussHermite(count)
    #expect(abs(weights.sum().item() - 1) < 1e-12)
    var moment = 1.0
    for power in stride(from: 2, through: 2 * count - 1, by: 2) {
      moment *= Double(power - 1)
      let found = (pow(nodes, Double(power)) * weights).sum().item()
      #expect(abs(found - moment) < 1e-9 * moment, "moment \(power)")
      #expect(abs((pow(nodes, Double(power - 1)) * weights).sum().item()) < 1e-9 * moment)
    }
  }

  // MARK: Neighbours

  @Test func blocksOfNeighboursGiveTheSamePlaces() {
    var random = RandomGenerator(seed: 4)
    let queries = random.normal([20, 5]), points = random.normal([100, 5])
    let whole = nearestNeighbours(of: queries, in: points, count: 7)
    for block in [1, 7, 33, 100] {
      let found = nearestNeighbours(of: queries, in: points, count: 7, block: block)
      #expect(found.indices.doubles == whole.indices.doubles)
      #expect(found.squaredDistances.floats == whole.squaredDistances.floats)
    }
  }
}
