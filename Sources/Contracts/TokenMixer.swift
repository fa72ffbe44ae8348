import CallosumNetworks
import CallosumTensors

/// The place in a network that a token mixer fills.
public struct TokenSlot: Sendable, Equatable {
  /// Numbers per token.
  public let width: Int
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

  public init(width: Int, tokens: Int, grid: Grid? = nil) {
    self.width = width
    self.tokens = tokens
    self.grid = grid
  }
}

/// A part that moves information between tokens: [batch, tokens, width] -> the same shape.
public protocol TokenMixer: Layer, SendableMetatype {
  associatedtype Settings: Configuration
  static var card: Card { get }
  /// Whether a token's result depends on no later token.
  static var isCausal: Bool { get }
  /// Whether the tokens must lie in a grid.
  static var needsGrid: Bool { get }
  /// - Throws: ``Mistake`` if the settings do not suit the slot.
  init(_ settings: Settings, in slot: TokenSlot, using generator: inout RandomGenerator) throws
}

extension TokenMixer {
  public static var isCausal: Bool { false }
  public static var needsGrid: Bool { false }
}
