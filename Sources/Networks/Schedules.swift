import Foundation

/// How the learning rate changes over the steps, as a factor of its full value.
public enum Schedule: Codable, Sendable, Equatable {
  case constant
  /// Rises linearly over the first `warmup` steps, then falls along half a cosine to `final` (a
  /// factor), which it reaches after the last step.
  case cosine(warmup: Int = 0, final: Double = 0)
  /// Rises over `warmup` steps, then falls linearly to `final`, which it reaches after the last step.
  case linear(warmup: Int = 0, final: Double = 0)
  /// Multiplied by `factor` every `every` steps.
  case staircase(every: Int, factor: Double)

  /// The factor at step `step` (from 0) of `total`.
  public func factor(step: Int, of total: Int) -> Double {
    switch self {
    case .constant: return 1
    case .staircase(let every, let factor): return pow(factor, Double(step / max(every, 1)))
    case .cosine(let warmup, let final):
      if step < warmup { return Double(step + 1) / Double(warmup) }
      return final + (1 - final) * 0.5 * (1 + cos(Double.pi * progress(step, warmup, total)))
    case .linear(let warmup, let final):
      if step < warmup { return Double(step + 1) / Double(warmup) }
      return final + (1 - final) * (1 - progress(step, warmup, total))
    }
  }

  private func progress(_ step: Int, _ warmup: Int, _ total: Int) -> Double {
    min(Double(step - warmup) / Double(max(total - warmup, 1)), 1)
  }
}
