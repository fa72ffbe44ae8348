import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The position-wise feed-forward network (Vaswani et al. 2017, equation 2): y = W₂ f(W₁ x + b₁) + b₂ on
/// each token by itself.
///
/// Parameters: `up.weight` [hidden, width], `up.bias` [hidden], `down.weight` [outputWidth, hidden],
/// `down.bias` [outputWidth].
public final class ChannelMLP: ChannelMixer {
  public struct Settings: Configuration {
    public enum Activation: String, Codable, Sendable, CaseIterable { case relu, gelu }
    /// Hidden units per unit of width.
    public var ratio = 4.0
    /// What stands between the two maps: the paper's is relu; vision and language models after it use gelu.
    public var activation = Activation.gelu
    /// Whether both linear maps add a bias.
    public var bias = true
    public init() {}

    public func validate() throws {
      try require(ratio > 0 && ratio <= 1000, "ratio must be above 0 and at most 1000, is \(ratio)")
    }
  }

  public static let card = Card(
    id: "channel-mlp", name: "Position-wise feed-forward network", family: .mixers,
    paper: SoftmaxAttention.card.paper,
    summary: "Two linear maps with a nonlinearity between them, the same for every token. It mixes the "
      + "numbers of a token and leaves the tokens to themselves.",
    verification: "PyTorch's Linear and GELU: values and gradients")

  public static var trials: [Trial<Settings>] {
    var narrow = Settings(), relu = Settings()
    (narrow.ratio, narrow.bias) = (0.4, false)
    (relu.ratio, relu.activation) = (3, .relu)
    return [
      Trial(narrow, in: Slot(width: 7, outputWidth: 3, tokens: 5)),
      Trial(relu, in: Slot(width: 5, tokens: 1)),
    ]
  }

  public let up, down: Linear

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    let hidden = max(Int((Double(slot.width) * settings.ratio).rounded()), 1)
    up = Linear(
      slot.width, hidden, bias: settings.bias, activation: settings.activation == .gelu ? .gelu : .relu,
      using: &generator)
    down = Linear(hidden, slot.outputWidth, bias: settings.bias, using: &generator)
  }

  public func forward(_ x: Tensor) -> Tensor { down(up(x)) }
}
