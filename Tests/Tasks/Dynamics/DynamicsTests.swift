import CallosumContracts
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Foundation
import Testing

@Suite struct DynamicsTests {
  private func expectClose(
    _ value: [Double], _ wanted: [Double], _ error: Double, at location: SourceLocation = #_sourceLocation
  ) {
    let worst = zip(value, wanted).map { Swift.abs($0 - $1) }.max() ?? .infinity
    #expect(value.count == wanted.count && worst < error, sourceLocation: location)
  }

  @Test func kuramotoSivashinskyAgreesWithTheProgramPrinted() throws {
    let file = try Golden.tensors("tasks/kuramoto_sivashinsky")
    let equation = try KuramotoSivashinsky()
    let start = file["start"].reshaped(1, 64)
    let trajectory = equation.trajectory(from: start, count: 3, every: 20)
    #expect(trajectory.shape == [1, 3, 64])
    expectClose(trajectory[0, 2].doubles, file["after40"].doubles, 1e-9)
    // Against a stiff implicit solver. The program printed errs by 1.5e-4 and 3.0e-7 at these steps.
    for (step, allowed) in [(0.25, 2e-4), (0.03125, 4e-7)] {
      let equation = try KuramotoSivashinsky(step: step)
      let end = equation.trajectory(from: start, count: 2, every: Int(5 / step))[0, 1]
      expectClose(end.doubles, file["exact5"].doubles, allowed)
    }
  }

  @Test func lorenzAgreesWithAnAdaptiveMethod() throws {
    let file = try Golden.tensors("tasks/lorenz96")
    let model = try Lorenz96(fastPerSector: 4, step: 0.0005)
    expectClose(model.derivative(file["start"].doubles), file["slope"].doubles, 1e-11)
    let end = model.trajectory(from: file["start"].doubles, count: 2, every: 200)[1]
    expectClose(end, file["end"].doubles, 2e-8)
  }

  /// Advection alone conserves the sum of squares; so it does for the fast variables.
  @Test func advectionConservesEnergy() throws {
    for fast in [0, 5] {
      let model = try Lorenz96(sectors: 7, fastPerSector: fast, forcing: 0, coupling: 0)
      var generator = RandomGenerator(seed: 3)
      let x = generator.normal([model.stateCount], dtype: .float64).doubles
      let slope = model.derivative(x)
      let damping = (0..<model.stateCount).map { ($0 < 7 ? 1 : model.timeRatio) * x[$0] }
      let power = (0..<model.stateCount).reduce(0) { $0 + x[$1] * (slope[$1] + damping[$1]) }
      #expect(Swift.abs(power) < 1e-11)
    }
  }

  /// The largest Lyapunov exponent of 40 sectors under a forcing of 8 is 1.68 (Lorenz and Emanuel 1998).
  @Test func lorenzIsAsChaoticAsKnown() throws {
    let model = try Lorenz96(sectors: 40, fastPerSector: 0, forcing: 8, step: 0.01)
    var generator = RandomGenerator(seed: 11)
    var state = model.trajectory(from: model.start(using: &generator), count: 2, every: 2000)[1]
    let distance = 1e-7
    var other = state
    other[0] += distance
    var growth = 0.0
    let rounds = 6000
    for _ in 0..<rounds {
      state = model.trajectory(from: state, count: 2, every: 10)[1]
      other = model.trajectory(from: other, count: 2, every: 10)[1]
      let apart = Foundation.sqrt(zip(state, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) })
      growth += Foundation.log(apart / distance)
      for i in state.indices { other[i] = state[i] + (other[i] - state[i]) * distance / apart }
    }
    #expect(Swift.abs(growth / (Double(rounds) * 0.1) - 1.68) < 0.05)
  }

  @Test func forecastsAreOfSeparateTrajectories() throws {
    let lorenz = try Forecast.lorenz96(try Lorenz96(), window: 5, training: 500, validation: 40, test: 60)
    let sivashinsky = try Forecast.kuramotoSivashinsky(
      try KuramotoSivashinsky(points: 32), window: 4, training: 100, validation: 20, test: 30)
    for task in [lorenz, sivashinsky] {
      expectLawful(task)
      let batch = task.batch(.test, [0, 7])
      #expect(batch.inputs[1, 1].doubles == batch.targets[1, 0].doubles)
      let training = task.states[.training]
      #expect(Swift.abs(training?.mean().item() ?? 1) < 1e-5)
      #expect(Swift.abs((training?.variance().item() ?? 0) - 1) < 1e-4)
    }
    #expect(lorenz.count(.test) == 55)
    #expect(throws: InvalidInput("lorenz-96: 5 validation states are too few for windows of 5")) {
      try Forecast.lorenz96(try Lorenz96(), window: 5, training: 9, validation: 5, test: 9)
    }
  }

  @Test func validTimeEndsWithTheFirstBadStep() throws {
    let task = try Forecast.lorenz96(try Lorenz96(), window: 5, training: 100, validation: 10, test: 10)
    let truth = Tensor.zeros([2, 4, 8])
    var forecast = [Float](repeating: 0, count: 64)
    for i in 0..<8 { forecast[2 * 8 + i] = 0.6 }  // The first forecast is bad at its third step only.
    #expect(Swift.abs(task.validTime(Tensor(forecast, [2, 4, 8]), truth) - 0.02 * 3) < 1e-12)
  }
}
