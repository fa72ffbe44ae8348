import CallosumContracts
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct EquationTests {
  private func expectClose(
    _ value: Tensor, _ wanted: Tensor, _ error: Double, at location: SourceLocation = #_sourceLocation
  ) {
    let comparison = Comparison(value, wanted, within: Tolerance(relative: 0, ofLargest: error))
    #expect(comparison.problem == nil, sourceLocation: location)
  }

  @Test func darcyAgreesWithSparseLU() throws {
    let file = try Golden.tensors("tasks/darcy")
    let solution = DarcyFlow.solve(
      permeability: file["permeability"], source: file["source"], tolerance: 1e-12)
    expectClose(solution, file["solution"], 1e-10)
  }

  /// -Laplace u = 1 on the unit square: u = sum of 16 sin(i π x) sin(j π y) / (π⁴ i j (i² + j²)) over odd i, j.
  @Test func darcyConvergesToTheSeries() {
    func error(_ n: Int) -> Double {
      let ones = Tensor.ones([1, n, n], dtype: .float64)
      let solution = DarcyFlow.solve(permeability: ones, source: ones).doubles
      var worst = 0.0
      for row in 0..<n {
        let x = (Double(row) + 0.5) / Double(n), y = (Double(n / 2) + 0.5) / Double(n)
        var u = 0.0
        for i in stride(from: 1.0, to: 60, by: 2) {
          for j in stride(from: 1.0, to: 60, by: 2) {
            let weight = 16 / (pow(.pi, 4) * i * j * (i * i + j * j))
            u += weight * Foundation.sin(i * .pi * x) * Foundation.sin(j * .pi * y)
          }
        }
        worst = max(worst, Swift.abs(u - solution[row * n + n / 2]))
      }
      return worst
    }
    let (coarse, fine) = (error(8), error(32))
    #expect(coarse < 2e-3)
    // Second order: four times finer, sixteen times better.
    #expect(coarse / fine > 10)
  }

  @Test func darcyTask() throws {
    let task = try DarcyTask(size: 16, training: 6, validation: 4, test: 5)
    expectLawful(task)
    let batch = task.batch(.test, [4, 0])
    #expect(Set(batch.inputs.doubles) == [3, 12])
    #expect(batch.targets.min().item() > 0)
  }

  @Test func burgersAgreesWithAnAdaptiveMethod() throws {
    let file = try Golden.tensors("tasks/burgers")
    let solver = try Burgers(viscosity: 0.02, points: 128, steps: 1000)
    expectClose(solver.solve(from: file["start"]), file["end"], 1e-8)
  }

  @Test func burgersTaskAtSeveralResolutions() throws {
    let task = try BurgersTask(
      points: 32, solver: try Burgers(points: 128, steps: 300), training: 5, validation: 4, test: 4)
    expectLawful(task)
    let (coarse, fine) = (task.batch(.test, [1]), try task.at(points: 128).batch(.test, [1]))
    #expect(fine.inputs.shape == [1, 128, 1])
    #expect(coarse.targets.doubles == fine.targets.sliced(axis: 1, by: 4).doubles)
    #expect(throws: InvalidInput("points must divide the grid of 128, is 48")) { try task.at(points: 48) }
    // The mean is conserved.
    #expect(Swift.abs(fine.inputs.mean().item() - fine.targets.mean().item()) < 1e-6)
  }

  /// The variance at each point follows from the spectrum.
  @Test(arguments: [GaussianField.Waves.cosine, .fourier]) func fieldsHaveTheirVariance(
    _ waves: GaussianField.Waves
  ) {
    var generator = RandomGenerator(seed: 7)
    let field = GaussianField(waves, shape: [5, 8]) { 1 / ($0 + 9) }
    let sample = field.sample(20_000, using: &generator)
    #expect(sample.shape == [20_000, 5, 8])
    let variance = sample.variance(axis: 0).doubles
    for i in 0..<5 {
      for j in 0..<8 {
        var expected = 0.0
        for k in 0..<5 {
          for l in 0..<8 {
            let (p, q) = waves == .cosine ? (k, l) : (min(k, 5 - k), min(l, 8 - l))
            let unit = waves == .cosine ? Double.pi : 2 * .pi
            let amplitude = 1 / (unit * unit * Double(p * p + q * q) + 9)
            var wave = 1.0
            if waves == .cosine {
              let (x, y) = ((Double(i) + 0.5) / 5, (Double(j) + 0.5) / 8)
              if k > 0 { wave *= 2 * pow(Foundation.cos(.pi * Double(k) * x), 2) }
              if l > 0 { wave *= 2 * pow(Foundation.cos(.pi * Double(l) * y), 2) }
            }
            expected += amplitude * amplitude * wave
          }
        }
        // 20,000 draws know a variance to 1 % (one standard error); five of them are allowed.
        #expect(Swift.abs(variance[i * 8 + j] / expected - 1) < 0.05)
      }
    }
  }
}
