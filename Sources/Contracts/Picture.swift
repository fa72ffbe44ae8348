/// What a mechanism does, as data to be drawn: panels of lines, points, or values in a grid. The lab draws
/// them all in one style, and those of one kind whose axes have the same titles with the same axes, because they
/// are there to be compared.
public struct Picture: Sendable, Equatable, Codable {
  public let title: String
  /// What there is to see, in a sentence or two.
  public let caption: String
  public let panels: [Panel]

  public init(_ title: String, caption: String, panels: [Panel]) {
    self.title = title
    self.caption = caption
    self.panels = panels
  }

  public struct Panel: Sendable, Equatable, Codable {
    public let title: String
    public let content: Content
    public init(_ title: String, _ content: Content) {
      self.title = title
      self.content = content
    }
  }

  public enum Content: Sendable, Equatable, Codable {
    /// Lines over a common axis.
    case lines(x: String, y: String, [Series])
    /// Points without lines, one colour for each series.
    case points(x: String, y: String, [Series])
    /// Lines in space: both axes have one scale, so that shapes are true.
    case paths(x: String, y: String, [Series])
    /// A matrix, first row on top. `range` is that of the values if nil; one around 0 has another colour on either
    /// side.
    case grid(x: String, y: String, [[Double]], range: ClosedRange<Double>? = nil)
  }

  /// Named points in order.
  public struct Series: Sendable, Equatable, Codable {
    public let name: String
    public let points: [Point]

    public init(_ name: String, _ points: [Point]) {
      self.name = name
      self.points = points
    }

    /// Values over 0, 1, 2, ...
    public init(_ name: String, _ values: [Double]) {
      self.init(name, values.enumerated().map { Point(Double($0), $1) })
    }
  }

  public struct Point: Sendable, Equatable, Codable {
    public let x, y: Double
    public init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }
}
