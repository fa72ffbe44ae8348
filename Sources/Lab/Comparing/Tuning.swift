import CallosumContracts
import Foundation

/// How settings were chosen for each arm: the same grid and budget for all, on validation data, from seeds that
/// no arm is compared by.
public struct Tuning: Codable, Sendable, Equatable {
  /// What can be chosen.
  public enum Setting: String, Codable, Sendable, CaseIterable {
    case learningRate = "learning-rate"
    case weightDecay = "weight-decay"

    /// What is tried, as multiples of what the settings say.
    var factors: [Double] {
      switch self {
      case .learningRate: [0.25, 0.5, 1, 2, 4]
      case .weightDecay: [0, 1, 4]
      }
    }

    /// Its place in the settings of a training.
    var keyPath: WritableKeyPath<TrainingSettings, Double> {
      switch self {
      case .learningRate: \.learningRate
      case .weightDecay: \.weightDecay
      }
    }
  }

  /// One set of values tried for one arm.
  public struct Trial: Codable, Sendable, Equatable {
    public var arm: String
    public var values: [Setting: Double]
    /// On validation data, one for each seed; what diverged is missing.
    public var scores: [Double]
  }

  public var settings: [Setting]
  /// From 100 on, so that they are none of the comparison's.
  public var seeds: [UInt64]
  public var trials: [Trial]

  /// Every combination of the settings' factors.
  static func grid(_ settings: [Setting], around training: TrainingSettings) -> [[Setting: Double]] {
    settings.reduce([[:]]) { grid, setting in
      grid.flatMap { values in
        setting.factors.map { factor in
          values.merging([setting: training[keyPath: setting.keyPath] * factor]) { $1 }
        }
      }
    }
  }

  /// The values that did best for an arm: by the mean over all seeds; of equals the first.
  func best(for arm: String, _ metric: Metric) -> [Setting: Double]? {
    let sign = metric.higherIsBetter ? 1.0 : -1
    var best: (values: [Setting: Double], score: Double)?
    for trial in trials where trial.arm == arm && trial.scores.count == seeds.count && !seeds.isEmpty {
      let score = sign * trial.scores.reduce(0, +) / Double(seeds.count)
      if score.isFinite, best.map({ score > $0.score }) ?? true { best = (trial.values, score) }
    }
    return best?.values
  }

  /// What was chosen, in a line.
  func text(_ comparison: Comparison) -> String {
    let chosen = comparison.arms.map { arm in
      let values = settings.compactMap { setting in
        arm.tuned[setting.rawValue].map { "\(setting.rawValue) \(Format.significant($0))" }
      }
      return "\(arm.name) \(values.isEmpty ? "as it is" : values.joined(separator: ", "))"
    }
    let trials = Tuning.grid(settings, around: TrainingSettings()).count
    return "Tuned for each arm by \(trials) trials on validation data (seed"
      + "\(seeds.count == 1 ? "" : "s") \(Format.list(seeds.map { "\($0)" }))): \(chosen.joined(separator: "; "))."
  }
}
