/// When a claim holds, fixed in code before anything is run.
///
/// It holds if all conditions do. It is contradicted if `contradiction` says so. Anything else is
/// inconclusive.
public struct Criterion: Sendable, Equatable, Codable {
  public let conditions: [Condition]
  public let contradiction: Contradiction

  /// What makes a claim contradicted.
  public enum Contradiction: String, Sendable, Codable {
    /// The first condition, which is the claim's heart.
    case first
    case any, all
  }

  public init(_ conditions: Condition..., contradictedBy contradiction: Contradiction = .first) {
    self.conditions = conditions
    self.contradiction = contradiction
  }

  /// Everything that its conditions read: metric and arm.
  public var inputs: [(metric: String, arm: String)] { conditions.flatMap(\.quantity.inputs) }
}

/// One statement about a quantity that has a value for each seed. Larger is better: for errors, put the
/// rival's first. With g for the mean over seeds and se for its standard error:
public struct Condition: Sendable, Equatable, Codable {
  public enum Rule: Sendable, Equatable, Codable {
    /// A difference is at least m: holds if g >= m and g > 2 se; contradicted if g + 2 se < m and g <= 0.
    case beats(by: Double)
    /// A difference is no worse than -m: holds if g - 2 se >= -m; contradicted if g + 2 se < -m.
    case matches(within: Double)
    /// A difference is at least m and all seeds agree in its sign: contradicted if g <= -m and all seeds
    /// have that sign.
    case leads(by: Double)
    /// A mean is at least v: contradicted if g + 2 se < v.
    case isAtLeast(Double)
    /// A mean is at most v: contradicted if g - 2 se > v.
    case isAtMost(Double)
    /// Every seed is at least v: contradicted if none is.
    case alwaysAtLeast(Double)
    /// Every seed is at most v: contradicted if none is.
    case alwaysAtMost(Double)
  }

  public let quantity: Quantity
  public let rule: Rule

  public init(_ quantity: Quantity, _ rule: Rule) {
    self.quantity = quantity
    self.rule = rule
  }

  /// In words: `accuracy(delta) − accuracy(additive) beats by 0.2`.
  public var text: String {
    let bound =
      switch rule {
      case .beats(let margin): "≥ \(margin), beyond 2 standard errors"
      case .matches(let margin): "≥ −\(margin), within 2 standard errors"
      case .leads(let margin): "≥ \(margin), of one sign in all seeds"
      case .isAtLeast(let value): "≥ \(value) on average"
      case .isAtMost(let value): "≤ \(value) on average"
      case .alwaysAtLeast(let value): "≥ \(value) in every seed"
      case .alwaysAtMost(let value): "≤ \(value) in every seed"
      }
    return "\(quantity.text) \(bound)"
  }
}

/// What became of a claim.
public enum Verdict: String, Sendable, Codable, CaseIterable {
  case holds, inconclusive, contradicted
}
