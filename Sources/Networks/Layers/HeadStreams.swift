import CallosumTensors

/// Queries, keys and values for mixers with a state (Yang et al. 2024, section 3.4): one linear map of the
/// tokens [batch, tokens, width], a short causal convolution of each channel, an activation, and
/// queries and keys normalised within each head.
///
/// Parameters: `map.weight` [2 heads keyWidth + heads valueWidth, width] (rows: queries, keys, values; within
/// each the heads one after the other), `convolution.weight` [the same, window, 1], `convolution.bias`.
public final class HeadStreams: Module {
  public enum Activation: String, Codable, Sendable, CaseIterable {
    case silu, relu
    /// elu(x) + 1.
    case elu
    case none
  }

  public enum Normalisation: String, Codable, Sendable, CaseIterable {
    /// To length 1.
    case euclidean
    /// To a sum of 1; for activations that are never negative.
    case sum
    case none
  }

  public struct Settings: Codable, Sendable, Equatable {
    /// Heads, each with a state of its own.
    public var heads = 4
    /// Numbers in a key; 0 for an equal share of the width.
    public var keyWidth = 0
    /// Numbers in a value; 0 for an equal share of the width.
    public var valueWidth = 0
    /// Tokens that the convolution sees; 0 leaves it out.
    public var window = 4
    /// Whether the convolution adds a bias.
    public var bias = false
    /// What queries and keys pass; values always pass SiLU.
    public var activation = Activation.silu
    /// What queries and keys are brought to within each head.
    public var normalisation = Normalisation.euclidean
    public init() {}

    public func validate() throws {
      try require(heads > 0, "heads must be at least 1, is \(heads)")
      for (name, value) in [("keyWidth", keyWidth), ("valueWidth", valueWidth), ("window", window)] {
        try require((0...100_000).contains(value), "\(name) must be from 0 to 100000, is \(value)")
      }
      try require(window > 0 || !bias, "without a convolution there is no place for its bias")
    }
  }

  public let map: Linear
  public let convolution: Conv1d?
  public let keyWidth, valueWidth: Int
  private let settings: Settings

  public init(
    _ settings: Settings, width: Int, part: String, using generator: inout RandomGenerator
  ) throws {
    let heads = settings.heads
    try require(
      width % heads == 0 || (settings.keyWidth > 0 && settings.valueWidth > 0),
      "\(part): width \(width) does not divide into \(heads) heads; give keyWidth and valueWidth")
    keyWidth = settings.keyWidth > 0 ? settings.keyWidth : width / heads
    valueWidth = settings.valueWidth > 0 ? settings.valueWidth : width / heads
    self.settings = settings
    let channels = heads * (2 * keyWidth + valueWidth)
    map = Linear(width, channels, bias: false, using: &generator)
    convolution =
      settings.window > 0
      ? Conv1d(
        channels, channels, kernel: settings.window, groups: channels, bias: settings.bias, using: &generator)
      : nil
  }

  /// What the convolution has before the first token: zeros, or nil where it keeps nothing.
  public func initialRecent(batch: Int) -> Tensor? {
    settings.window > 1 ? .zeros([batch, settings.window - 1, map.weight.dim(0)]) : nil
  }

  /// q, k [batch, heads, tokens, keyWidth], v [batch, heads, tokens, valueWidth], and what the convolution
  /// needs of these tokens later on; with `segments`, x are their sequences side by side.
  public func callAsFunction(
    _ x: Tensor, after recent: Tensor?, segments: TokenSegments? = nil
  ) -> (q: Tensor, k: Tensor, v: Tensor, recent: Tensor?) {
    running {
      var mixed = map(x), kept: Tensor?
      if let convolution {
        if let recent {
          mixed = concatenated([recent, mixed], axis: 1)
          kept =
            segments?.lastSteps(recent.dim(1), of: mixed, before: recent.dim(1))
            ?? mixed.sliced(axis: 1, from: x.dim(1))
        }
        mixed = convolution(mixed)
      }
      let keys = settings.heads * keyWidth
      let values = settings.heads * valueWidth
      var parts: [Tensor]
      if settings.activation == .silu {
        parts = silu(mixed).split(sizes: [keys, keys, values], axis: 2)
      } else {
        parts = mixed.split(sizes: [2 * keys, values], axis: 2)
        parts = activated(parts[0]).split(parts: 2, axis: 2) + [silu(parts[1])]
      }
      func heads(_ part: Tensor) -> Tensor {
        part.reshaped(x.dim(0), x.dim(1), settings.heads, part.dim(2) / settings.heads)
      }
      let all = [normalised(heads(parts[0])), normalised(heads(parts[1])), heads(parts[2])]
        .map { $0.transposed(0, 2, 1, 3) }
      return (all[0], all[1], all[2], kept)
    }
  }

  private func activated(_ x: Tensor) -> Tensor {
    switch settings.activation {
    case .silu: silu(x)
    case .relu: relu(x)
    case .elu: elu(x) + 1
    case .none: x
    }
  }

  private func normalised(_ x: Tensor) -> Tensor {
    switch settings.normalisation {
    case .euclidean:
      // x / sqrt(sum x² + 1e-6), by the kernel for root mean squares.
      let width = Double(x.dim(3))
      let shrink = Tensor.full([x.dim(3)], 1 / width.squareRoot(), dtype: x.dtype)
      return rmsNorm(x, weight: shrink, epsilon: 1e-6 / width)
    case .sum: return x / x.sum(axis: 3, keepDims: true)
    case .none: return x
    }
  }
}
