/// A number by which results are judged.
public struct Metric: Codable, Sendable, Equatable {
  /// Its name in claims, tables and the store, such as "accuracy".
  public let name: String
  /// Empty for a pure number; ``fraction`` for a share that is shown in percent.
  public let unit: String
  public let higherIsBetter: Bool
  /// What guessing scores, where that is known.
  public let chance: Double?
  /// The best that noise permits, where that is known.
  public let ceiling: Double?

  public init(
    _ name: String, unit: String = "", higherIsBetter: Bool = true, chance: Double? = nil,
    ceiling: Double? = nil
  ) {
    self.name = name
    self.unit = unit
    self.higherIsBetter = higherIsBetter
    self.chance = chance
    self.ceiling = ceiling
  }

  /// The unit of shares from 0 to 1.
  public static let fraction = "fraction"
  public var isFraction: Bool { unit == Metric.fraction }
}
