/// The place in a network that a part fills.
public struct Slot: Sendable, Equatable {
  /// Numbers per token that come in.
  public let width: Int
  /// Numbers per token that go out.
  public let outputWidth: Int
  /// Tokens of an image or steps of a sequence. Parts whose parameters do not depend on it take any.
  public let tokens: Int
  /// How the tokens lie in an image, rows times columns; nil for a sequence.
  public let grid: Grid?

  public struct Grid: Sendable, Equatable {
    public let rows, columns: Int
    public init(rows: Int, columns: Int) {
      self.rows = rows
      self.columns = columns
    }
  }

  public init(width: Int, outputWidth: Int? = nil, tokens: Int, grid: Grid? = nil) {
    self.width = width
    self.outputWidth = outputWidth ?? width
    self.tokens = tokens
    self.grid = grid
  }

  /// A slot for tokens that lie in a grid.
  public init(width: Int, outputWidth: Int? = nil, rows: Int, columns: Int) {
    self.init(
      width: width, outputWidth: outputWidth, tokens: rows * columns,
      grid: Grid(rows: rows, columns: columns))
  }

  /// The grid, for a part that needs one.
  public func requireGrid(_ part: String) throws -> Grid {
    guard let grid else {
      throw InvalidInput("\(part) needs tokens in a grid, but this slot holds a sequence")
    }
    return grid
  }

  /// Refuses a slot that changes the width, for a part that cannot.
  public func requireEqualWidths(_ part: String) throws {
    try require(
      width == outputWidth,
      "\(part) keeps the width of its tokens, but this slot turns \(width) into \(outputWidth)")
  }
}
