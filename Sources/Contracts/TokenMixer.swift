import CallosumNetworks

/// A part that moves information between tokens: [batch, tokens, width] -> the same shape.
public protocol TokenMixer: UnitMechanism, Layer {}

extension TokenMixer {
  public static var kind: Kind { .tokenMixer }
}

/// A part that works on the numbers of each token by itself: [..., width] -> the same shape.
public protocol ChannelMixer: UnitMechanism, Layer {}

extension ChannelMixer {
  public static var kind: Kind { .channelMixer }
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }
}
