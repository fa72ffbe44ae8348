import CallosumContracts
import CallosumExperiments
import CallosumNetworks
import CallosumTensors

/// In what the arms of a comparison are made equal: the largest keeps its size, the others grow as far as their
/// skeletons let them.
public struct Matching: Codable, Sendable, Equatable {
  public enum Rule: String, Codable, Sendable, CaseIterable {
    /// Learned numbers.
    case parameters
    /// Multiply-accumulates of a forward pass.
    case macs
    /// Time of a training step on this machine.
    case seconds
    case none
  }

  public let rule: Rule
  /// What all arms are to have; nil where nothing is matched.
  public let target: Double?
  /// What each arm has, by its id.
  public let found: [String: Double]
  /// What was changed to that end, by the arms' ids, such as "hidden units of a block".
  public let changed: [String: String]

  public init(
    _ rule: Rule, target: Double? = nil, found: [String: Double] = [:], changed: [String: String] = [:]
  ) {
    self.rule = rule
    self.target = target
    self.found = found
    self.changed = changed
  }

  /// How equal the arms are, in a line.
  func text(_ comparison: Comparison) -> String? {
    guard comparison.arms.count > 1 else { return nil }
    guard let target, target > 0 else { return "Not matched in size: each arm is as its settings say." }
    func off(_ id: String) -> Double { abs((found[id] ?? 0) / target - 1) }
    let matched = comparison.arms.filter { changed[$0.id] != nil },
      others = comparison.arms.filter { changed[$0.id] == nil }
    let unit =
      rule == .parameters ? "parameters" : rule == .macs ? "multiply-accumulates" : "seconds of a step"
    let aim = rule == .seconds ? Format.significant(target) : Format.compact(target)
    let worst = comparison.arms.map { off($0.id) }.max() ?? 0
    guard let matchedWorst = matched.map({ off($0.id) }).max() else {
      return
        "Nothing here can be changed in size; the arms differ by up to \(Format.percent(worst)) of \(aim) \(unit)."
    }
    let text =
      "Matched in \(unit), \(aim), within \(Format.percent(matchedWorst)) by"
      + " \(Format.list(Set(changed.values).sorted()))"
    let unequal = others.filter { off($0.id) > 0.05 }.map { arm in
      "\(arm.name) has \(Format.percent(off(arm.id))) \((found[arm.id] ?? 0) > target ? "more" : "fewer")"
    }
    return text + (unequal.isEmpty ? "." : "; not to be changed in size: \(Format.list(unequal)).")
  }
}

extension Matching.Rule {
  /// How much of what is matched a learner has or takes.
  func measure(_ learner: any Learner, _ task: any LearningTask, _ training: TrainingSettings) throws
    -> Double
  {
    switch self {
    case .none: return 0
    case .parameters: return Double(learner.module.parameterCount)
    case .macs:
      let example = task.batch(.training, [0]).inputs
      return Double(try countingMultiplyAccumulates { _ = try learner.predict(example) })
    case .seconds:
      let batch = task.batch(.training, Array(0..<training.batchSize))
      var generator = RandomGenerator(seed: 1)
      var times: [Double] = []
      for _ in 0..<7 {
        let start = ContinuousClock.now
        _ = try learner.learn(batch, task.objective, using: &generator)
        times.append((ContinuousClock.now - start) / .seconds(1))
      }
      return times.dropFirst(2).min() ?? 0
    }
  }

  /// The size at which `measure` comes closest to `target`: it grows with the size, nearly in proportion.
  static func size(from standard: Int, reaching target: Double, measure: (Int) throws -> Double) rethrows
    -> Int
  {
    var low = (size: standard, value: try measure(standard))
    if low.value >= target { return standard }
    var high = low
    while high.value < target, high.size < 1 << 24 {
      low = high
      high.size *= 2
      high.value = try measure(high.size)
    }
    while high.size - low.size > 1 {
      // Between the two along a straight line, which hits at once where growth is in proportion.
      let share = (target - low.value) / max(high.value - low.value, .leastNormalMagnitude)
      let guess = low.size + Int((share * Double(high.size - low.size)).rounded())
      let size = min(max(guess, low.size + 1), high.size - 1)
      let value = try measure(size)
      if value < target { low = (size, value) } else { high = (size, value) }
      if value == target { return size }
    }
    return target - low.value <= high.value - target ? low.size : high.size
  }
}
