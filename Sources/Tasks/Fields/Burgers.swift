import CallosumContracts
import CallosumTensors

/// Burgers' equation du/dt + u du/dx = viscosity d²u/dx² on a ring of length 1, by ETDRK4 on Fourier
/// coefficients.
public struct Burgers: Sendable, Equatable {
  public let viscosity: Double
  public let points: Int
  public let steps: Int

  /// - Parameter steps: for a time of 1. With 200 the fields of ``BurgersTask`` err by 2e-7 of their size.
  public init(viscosity: Double = 0.01, points: Int = 512, steps: Int = 200) throws {
    try require(viscosity > 0 && viscosity.isFinite, "viscosity must be above 0, is \(viscosity)")
    try require(points >= 8, "the ring needs at least 8 points, got \(points)")
    try require(steps > 0, "steps must be at least 1, is \(steps)")
    (self.viscosity, self.points, self.steps) = (viscosity, points, steps)
  }

  /// u at time 1, [batch, points] (float64), for u at time 0.
  public func solve(from field: Tensor) -> Tensor {
    let linear = (0...points / 2).map { k -> Double in
      let wave = 2 * Double.pi * Double(k)
      return -viscosity * wave * wave
    }
    let integrator = ExponentialRungeKutta(linear: linear, step: 1 / Double(steps))
    let nonlinear = AdvectionTerm(points: points, length: 1)
    return withoutRecording {
      var v = rfft(field.asType(.float64))
      for _ in 0..<steps { v = integrator.step(v, nonlinear.callAsFunction) }
      return irfft(v, length: points)
    }
  }
}

/// From u at time 0 to u at time 1 under Burgers' equation. The start is a Gaussian field with periodic waves of
/// deviation 25 / (w² + 25), w² their squared wave number, scaled to a standard deviation of 0.5.
///
/// Solved on a fine grid and seen on every few of its points, so that the same fields exist at several
/// resolutions.
public struct BurgersTask: LearningTask {
  public let id = "burgers"
  public let name = "Burgers' equation"
  public let points: Int
  private let step: Int
  private let fields: FieldPairs

  /// - Parameter points: what networks see of the fine grid; must divide it.
  public init(
    points: Int = 64, solver: Burgers, training: Int = 256, validation: Int = 32, test: Int = 64,
    seed: UInt64 = 0
  ) throws {
    try require(
      points > 0 && solver.points % points == 0,
      "points must divide the grid of \(solver.points), is \(points)")
    self.points = points
    step = solver.points / points
    let amplitude: @Sendable (Double) -> Double = { 25 / ($0 + 25) }
    let field = GaussianField(.fourier, shape: [solver.points], amplitude: amplitude)
    let variance = (0..<solver.points).reduce(0.0) { sum, k in
      let frequency = Double(min(k, solver.points - k)) * 2 * Double.pi
      let deviation = amplitude(frequency * frequency)
      return sum + deviation * deviation
    }
    fields = try FieldPairs("burgers", [training, validation, test], seed) { count, generator in
      let start = field.sample(count, using: &generator) * (0.5 / variance.squareRoot())
      return (start.expandedDimensions(axis: -1), solver.solve(from: start).expandedDimensions(axis: -1))
    }
  }

  private init(_ other: BurgersTask, points: Int) {
    self.points = points
    step = other.step * other.points / points
    fields = other.fields
  }

  /// The same fields seen on another number of points.
  /// - Throws: `InvalidInput` unless it divides the fine grid.
  public func at(points: Int) throws -> BurgersTask {
    let all = self.points * step
    try require(points > 0 && all % points == 0, "points must divide the grid of \(all), is \(points)")
    return BurgersTask(self, points: points)
  }

  public var input: TaskInput { .values([points, 1]) }
  public var positions: [Int] { [points] }
  public let objective = Objective.field(1)
  public func count(_ split: Split) -> Int? { fields.count(split) }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    let fine = fields.batch(split, indices)
    return Batch(
      inputs: fine.inputs.sliced(axis: 1, by: step).contiguous(),
      targets: fine.targets.sliced(axis: 1, by: step).contiguous())
  }
}
