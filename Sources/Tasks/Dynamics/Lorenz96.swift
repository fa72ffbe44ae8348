import CallosumContracts
import CallosumTensors

/// Lorenz's model of an atmosphere on a circle (1996), with one scale or two:
///
///     dX_k/dt = X_{k-1} (X_{k+1} - X_{k-2}) - X_k + F - (h c / b) sum of the Y of sector k
///     dY_j/dt = -c b Y_{j+1} (Y_{j+2} - Y_{j-1}) - c Y_j + (h c / b) X of the sector of j
///
/// The Y form one circle through all sectors. By Runge and Kutta's classical method in float64.
public struct Lorenz96: Sendable, Equatable {
  /// K slow variables, with J fast ones in each sector; J = 0 for one scale.
  public var sectors, fastPerSector: Int
  /// F
  public var forcing: Double
  /// h, b and c: how strongly the scales are coupled, and how much smaller and faster the Y are.
  public var coupling, amplitudeRatio, timeRatio: Double
  /// Time of an integration step.
  public var step: Double

  /// The two-scale model of K = J = 8, F = 20, h = 1, b = c = 10.
  public init(
    sectors: Int = 8, fastPerSector: Int = 8, forcing: Double = 20, coupling: Double = 1,
    amplitudeRatio: Double = 10, timeRatio: Double = 10, step: Double = 0.002
  ) throws {
    try require(sectors >= 4, "the circle needs at least 4 sectors, got \(sectors)")
    try require(
      fastPerSector >= 0 && (fastPerSector == 0 || sectors * fastPerSector >= 4),
      "fastPerSector must be at least 0, is \(fastPerSector)")
    try require(amplitudeRatio != 0 && step > 0, "amplitudeRatio must not be 0 and step must be above 0")
    (self.sectors, self.fastPerSector, self.forcing) = (sectors, fastPerSector, forcing)
    (self.coupling, self.amplitudeRatio, self.timeRatio) = (coupling, amplitudeRatio, timeRatio)
    self.step = step
  }

  /// X and behind it Y.
  public var stateCount: Int { sectors * (1 + fastPerSector) }

  /// The derivative of `state` by time.
  public func derivative(_ state: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: stateCount)
    derivative(state, into: &result)
    return result
  }

  private func derivative(_ state: [Double], into result: inout [Double]) {
    let k = sectors, j = fastPerSector, fast = k * j
    let exchange = coupling * timeRatio / amplitudeRatio
    state.withUnsafeBufferPointer { state in
      result.withUnsafeMutableBufferPointer { result in
        for i in 0..<k {
          let before = state[i == 0 ? k - 1 : i - 1], after = state[i == k - 1 ? 0 : i + 1]
          let twoBefore = state[i < 2 ? i + k - 2 : i - 2]
          var sum = 0.0
          for place in k + i * j..<k + (i + 1) * j { sum += state[place] }
          result[i] = before * (after - twoBefore) - state[i] + forcing - exchange * sum
        }
        for i in 0..<fast {
          let before = state[k + (i == 0 ? fast - 1 : i - 1)], after = state[k + (i == fast - 1 ? 0 : i + 1)]
          let twoAfter = state[k + (i + 2 >= fast ? i + 2 - fast : i + 2)]
          let advection = timeRatio * amplitudeRatio * after * (before - twoAfter)
          result[k + i] = advection - timeRatio * state[k + i] + exchange * state[i / j]
        }
      }
    }
  }

  /// The states after 0, `every`, 2 `every`, ... steps.
  public func trajectory(from start: [Double], count: Int, every: Int = 1) -> [[Double]] {
    precondition(
      start.count == stateCount, "Lorenz96", "a state has \(stateCount) numbers, \(start.count) were given")
    var state = start, middle = start
    var k1 = start, k2 = start, k3 = start, k4 = start
    func move(_ slope: [Double], _ time: Double) {
      for i in state.indices { middle[i] = state[i] + time * slope[i] }
    }
    var states = [start]
    for _ in 1..<max(count, 1) {
      for _ in 0..<every {
        derivative(state, into: &k1)
        move(k1, step / 2)
        derivative(middle, into: &k2)
        move(k2, step / 2)
        derivative(middle, into: &k3)
        move(k3, step)
        derivative(middle, into: &k4)
        for i in state.indices { state[i] += step / 6 * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]) }
      }
      states.append(state)
    }
    return states
  }

  /// A state near rest to start from.
  public func start(using generator: inout RandomGenerator) -> [Double] {
    let slow = generator.normal([sectors], mean: forcing / 4, dtype: .float64).doubles
    return slow + generator.normal([sectors * fastPerSector], standardDeviation: 0.1, dtype: .float64).doubles
  }
}

extension Forecast {
  /// Forecasting the slow variables of Lorenz's model, seen every `every` steps after a transient of time
  /// 20, one trajectory for each split.
  public static func lorenz96(
    _ model: Lorenz96, window: Int = 16, training: Int = 20_000, validation: Int = 2000, test: Int = 4000,
    every: Int = 10, seed: UInt64 = 0
  ) throws -> Forecast {
    try require(every > 0, "every must be at least 1, is \(every)")
    let transient = Int((20 / (model.step * Double(every))).rounded(.up))
    var states: [Split: Tensor] = [:]
    for (split, count) in [Split.training: training, .validation: validation, .test: test] {
      var generator = RandomGenerator(seed: seed).stream("lorenz-96/\(split.rawValue)")
      let all = model.trajectory(
        from: model.start(using: &generator), count: transient + count, every: every)
      let slow = all.dropFirst(transient).flatMap { $0.prefix(model.sectors) }
      states[split] = Tensor(slow, [count, model.sectors])
    }
    return try Forecast(
      id: "lorenz-96", name: "Lorenz 96", states: states, window: window,
      interval: model.step * Double(every))
  }
}
