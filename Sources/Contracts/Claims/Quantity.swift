/// A number for each seed, made from what the arms of a claim measured under that seed.
///
/// Written as arithmetic: `.measured("accuracy", of: "delta") - .measured("accuracy", of: "additive")`.
/// Arms share their seeds, so differences are paired. There is no largest or smallest of several: the best of
/// noisy arms, picked anew in each seed, is better than any of them, and more seeds do not mend that. Which of
/// several baselines is the best is found on tuning seeds; or each gets a condition of its own.
public indirect enum Quantity: Sendable, Equatable, Codable {
  case measured(String, of: String)
  case constant(Double)
  case difference(Quantity, Quantity)
  case product(Quantity, Quantity)
  case ratio(Quantity, Quantity)

  public static func - (a: Quantity, b: Quantity) -> Quantity { .difference(a, b) }
  public static func * (a: Quantity, b: Quantity) -> Quantity { .product(a, b) }
  public static func * (a: Double, b: Quantity) -> Quantity { .product(.constant(a), b) }
  public static func / (a: Quantity, b: Quantity) -> Quantity { .ratio(a, b) }

  /// Its value, or nil if something that it needs was not measured.
  public func value(_ measured: (_ metric: String, _ arm: String) -> Double?) -> Double? {
    func both(_ a: Quantity, _ b: Quantity, _ combine: (Double, Double) -> Double) -> Double? {
      guard let a = a.value(measured), let b = b.value(measured) else { return nil }
      return combine(a, b)
    }
    return switch self {
    case .measured(let metric, let arm): measured(metric, arm)
    case .constant(let value): value
    case .difference(let a, let b): both(a, b, -)
    case .product(let a, let b): both(a, b, *)
    case .ratio(let a, let b): both(a, b, /)
    }
  }

  /// Everything that it reads: metric and arm.
  public var inputs: [(metric: String, arm: String)] {
    switch self {
    case .measured(let metric, let arm): [(metric, arm)]
    case .constant: []
    case .difference(let a, let b), .product(let a, let b), .ratio(let a, let b): a.inputs + b.inputs
    }
  }

  /// In words: `accuracy(delta) − accuracy(additive)`.
  public var text: String {
    func inner(_ part: Quantity) -> String {
      if case .difference = part { "(\(part.text))" } else { part.text }
    }
    return switch self {
    case .measured(let metric, let arm): "\(metric)(\(arm))"
    case .constant(let value): "\(value)"
    case .difference(let a, let b): "\(a.text) − \(inner(b))"
    case .product(let a, let b): "\(inner(a)) × \(inner(b))"
    case .ratio(let a, let b): "\(inner(a)) / \(inner(b))"
    }
  }
}
