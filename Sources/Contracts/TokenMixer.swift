import CallosumNetworks

/// A part that moves information between tokens: [batch, tokens, width] -> the same shape.
public protocol TokenMixer: UnitMechanism, Layer {
  /// Whether the tokens must lie in a grid.
  static var needsGrid: Bool { get }
}

extension TokenMixer {
  public static var kind: Kind { .tokenMixer }
  public static var needsGrid: Bool { false }
}

/// A part that works on the numbers of each token by itself: [..., width] -> the same shape.
public protocol ChannelMixer: UnitMechanism, Layer {}

extension ChannelMixer {
  public static var kind: Kind { .channelMixer }
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }
}
