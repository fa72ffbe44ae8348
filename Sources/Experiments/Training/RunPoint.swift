/// A number measured while a run went on.
public struct RunPoint: Sendable, Equatable, Codable {
  public var step: Int
  /// Since the run started, on the clock that the run keeps; nil where it keeps none.
  public var seconds: Double?
  public var metric: String
  public var value: Double

  public init(step: Int, seconds: Double? = nil, metric: String, value: Double) {
    self.step = step
    self.seconds = seconds
    self.metric = metric
    self.value = value
  }
}
