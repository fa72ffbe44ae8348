/// When a claim holds, fixed in code before anything is run: it holds if all conditions do, and is contradicted
/// if any is. How seeds decide a condition is said in Lab/Claims/Judgement.swift.
public struct Criterion: Sendable, Equatable, Codable {
  public let conditions: [Condition]
  /// What must be true for the experiment to mean anything: that the best arm is far above a linear model, that
  /// the baseline does forget, that nobody is at the ceiling. Where one fails the claim is *not tested*.
  public let gates: [Condition]

  public init(_ conditions: Condition..., gates: [Condition] = []) {
    self.conditions = conditions
    self.gates = gates
  }

  /// Everything that it reads: metric and arm.
  public var inputs: [(metric: String, arm: String)] { (gates + conditions).flatMap(\.quantity.inputs) }
}

/// One statement about a quantity that has a value for each seed, with two bounds between which it is neither
/// plainly true nor plainly false.
public struct Condition: Sendable, Equatable, Codable {
  public enum Rule: Sendable, Equatable, Codable {
    /// A difference, larger is better, is above 0; m is the smallest lead that counts. For errors, put the
    /// rival's first.
    case leads(by: Double)
    /// A difference, larger is better, is no worse than -m.
    case matches(within: Double)
    case isAtLeast(Double)
    case isAtMost(Double)
  }

  public let quantity: Quantity
  public let rule: Rule

  public init(_ quantity: Quantity, _ rule: Rule) {
    self.quantity = quantity
    self.rule = rule
  }

  /// Beyond the first a seed speaks for the condition, short of the second against it. They differ for a lead
  /// only, where a seed between them speaks for a lead and against one that counts.
  public var bounds: (pro: Double, contra: Double) {
    switch rule {
    case .leads(let margin): (0, margin)
    case .matches(let margin): (-margin, -margin)
    case .isAtLeast(let value), .isAtMost(let value): (value, value)
    }
  }

  /// Whether smaller values speak for it.
  public var wantsLess: Bool { if case .isAtMost = rule { true } else { false } }

  /// In words: `accuracy(delta) − accuracy(additive): a lead of at least 0.2`.
  public var text: String {
    let bound =
      switch rule {
      case .leads(let margin): margin == 0 ? "a lead" : "a lead of at least \(margin)"
      case .matches(let margin): "no worse than \(margin == 0 ? "0" : "−\(margin)")"
      case .isAtLeast(let value): "at least \(value)"
      case .isAtMost(let value): "at most \(value)"
      }
    return "\(quantity.text): \(bound)"
  }
}
