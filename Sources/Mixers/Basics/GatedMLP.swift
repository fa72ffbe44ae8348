import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A gated feed-forward network (Shazeer 2020, equations 5 and 6): y = W₂ (f(W x) * (V x)) on each token by
/// itself, f being SiLU (SwiGLU), GELU (GEGLU) or the logistic function (GLU). No biases, as in the paper.
///
/// Parameters: `gate.weight`, `value.weight` [hidden, width], `down.weight` [outputWidth, hidden].
public final class GatedMLP: ChannelMixer {
  public struct Settings: Configuration {
    public enum Gate: String, Codable, Sendable, CaseIterable { case silu, gelu, sigmoid }
    /// Hidden units per unit of width; 8/3 has as many weights as a network without gate and ratio 4.
    public var ratio = 8.0 / 3
    /// What the deciding map passes through.
    public var gate = Gate.silu
    public init() {}

    public func validate() throws {
      try require(ratio > 0 && ratio <= 1000, "ratio must be above 0 and at most 1000, is \(ratio)")
    }
  }

  public static let card = Card(
    id: "gated-mlp", name: "Gated feed-forward network", family: .mixers,
    paper: Paper(
      "GLU Variants Improve Transformer",
      by: ["Noam Shazeer"],
      year: 2020, link: "https://arxiv.org/abs/2002.05202"),
    summary: "Of two linear maps of a token one decides, unit by unit, how much of the other passes.",
    verification: "PyTorch's Linear, SiLU, GELU and sigmoid: values and gradients")

  public static var trials: [Trial<Settings>] {
    var gelu = Settings(), logistic = Settings()
    (gelu.ratio, gelu.gate) = (2, .gelu)
    (logistic.ratio, logistic.gate) = (0.5, .sigmoid)
    return [
      Trial(gelu, in: Slot(width: 6, outputWidth: 4, tokens: 3)),
      Trial(logistic, in: Slot(width: 5, tokens: 1)),
    ]
  }

  public let gate, value, down: Linear
  private let kind: Settings.Gate

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    let hidden = max(Int((Double(slot.width) * settings.ratio).rounded()), 1)
    gate = Linear(slot.width, hidden, bias: false, using: &generator)
    value = Linear(slot.width, hidden, bias: false, using: &generator)
    down = Linear(hidden, slot.outputWidth, bias: false, using: &generator)
    kind = settings.gate
  }

  public func forward(_ x: Tensor) -> Tensor {
    let open = gate(x)
    let share =
      switch kind {
      case .silu: silu(open)
      case .gelu: gelu(open)
      case .sigmoid: sigmoid(open)
      }
    return down(share * value(x))
  }
}
