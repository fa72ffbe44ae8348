import CallosumContracts
import CallosumTensors
import Foundation

/// The Kuramoto-Sivashinsky equation du/dt = -u du/dx - d²u/dx² - d⁴u/dx⁴ on a ring, by ETDRK4 on Fourier
/// coefficients.
public struct KuramotoSivashinsky: Sendable, Equatable {
  /// Circumference of the ring.
  public let length: Double
  public let points: Int
  /// Time of an integration step.
  public let step: Double

  public init(length: Double = 22, points: Int = 64, step: Double = 0.25) throws {
    try require(length > 0 && length.isFinite, "length must be above 0, is \(length)")
    try require(points >= 8, "the ring needs at least 8 points, got \(points)")
    try require(step > 0 && step <= 1, "step must lie between 0 and 1, is \(step)")
    (self.length, self.points, self.step) = (length, points, step)
  }

  /// The field after 0, `every`, 2 `every`, ... steps: [batch, count, points] (float64), given [batch, points].
  public func trajectory(from field: Tensor, count: Int, every: Int = 1) -> Tensor {
    let waves = (0...points / 2).map { 2 * Double.pi * Double($0) / length }
    let linear = waves.map { $0 * $0 - $0 * $0 * $0 * $0 }
    let integrator = ExponentialRungeKutta(linear: linear, step: step)
    let nonlinear = AdvectionTerm(points: points, length: length)
    return withoutRecording {
      var v = rfft(field.asType(.float64))
      var fields = [field.asType(.float64)]
      for _ in 1..<max(count, 1) {
        for _ in 0..<every { v = integrator.step(v, nonlinear.callAsFunction) }
        fields.append(irfft(v, length: points))
      }
      return stacked(fields, axis: 1)
    }
  }

  /// A small random field [batch, points] to start from: the lowest few waves, without a mean.
  public func start(batch: Int, using generator: inout RandomGenerator) -> Tensor {
    let waves = 4
    let angles = (0..<points).map { 2 * Double.pi * Double($0) / Double(points) }
    let basis = (1...waves).flatMap { k in
      [angles.map { sin(Double(k) * $0) }, angles.map { cos(Double(k) * $0) }]
    }
    let weights = generator.normal([batch, 2 * waves], standardDeviation: 0.5, dtype: .float64)
    return matmul(weights, Tensor(basis.flatMap { $0 }, [2 * waves, points]))
  }
}

extension Forecast {
  /// Forecasting the Kuramoto-Sivashinsky equation, seen every `every` steps after a transient of time 200,
  /// one trajectory for each split.
  public static func kuramotoSivashinsky(
    _ equation: KuramotoSivashinsky, window: Int = 16, training: Int = 20_000, validation: Int = 2000,
    test: Int = 4000, every: Int = 1, seed: UInt64 = 0
  ) throws -> Forecast {
    try require(every > 0, "every must be at least 1, is \(every)")
    let lengths = [Split.training: training, .validation: validation, .test: test]
    let transient = Int((200 / (equation.step * Double(every))).rounded(.up))
    // The splits run side by side, each as long as the longest.
    let starts = Split.allCases.map { split in
      var generator = RandomGenerator(seed: seed).stream("kuramoto-sivashinsky/\(split.rawValue)")
      return equation.start(batch: 1, using: &generator)
    }
    let longest = lengths.values.max() ?? 0
    let all = equation.trajectory(from: concatenated(starts), count: transient + longest, every: every)
    var states: [Split: Tensor] = [:]
    for (row, split) in Split.allCases.enumerated() {
      let length = lengths[split] ?? 0
      states[split] = all[row].sliced(axis: 0, from: transient, to: transient + length).contiguous()
    }
    return try Forecast(
      id: "kuramoto-sivashinsky", name: "Kuramoto-Sivashinsky equation", states: states, window: window,
      interval: equation.step * Double(every))
  }
}
