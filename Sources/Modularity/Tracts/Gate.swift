import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// A gate on a tract: how much of the source reaches each unit of the target is decided by both,
///
///     y = sigmoid(Ws s + Wt t + b) * (P s)
///
/// with the source's activity s and the target's activity t of one step before. It is the input gate of
/// a long short-term memory (Hochreiter and Schmidhuber 1997), with regions for cells.
///
/// s [batch, tokens, sourceWidth], t [batch, tokens, targetWidth] -> y [batch, tokens, inputs], where
/// inputs is what the target takes. Parameters: `source.weight` [inputs, sourceWidth], `source.bias`,
/// `target.weight` [inputs, targetWidth], `projection.weight` [inputs, sourceWidth].
public final class Gate: TractMechanism {
  public struct Settings: Configuration {
    /// Added to the bias at the start: above 0 the gate begins open.
    public var openness = 0.0
    public init() {}

    public func validate() throws {
      try require(openness.isFinite, "openness must be a number, is \(openness)")
    }
  }

  public static let traits = TractTraits(keepsWidth: false, readsTarget: true, hasWeights: true)
  public static let card = Card(
    id: "gate", name: "Gate", family: .modularity,
    paper: Paper(
      "Long Short-Term Memory",
      by: ["Sepp Hochreiter", "Jürgen Schmidhuber"],
      year: 1997, link: "https://doi.org/10.1162/neco.1997.9.8.1735"),
    summary: "Lets the activity of a region through to another as far as both agree: a learned sigmoid "
      + "of source and target for each unit of the target.",
    verification: "the formula written out; derivatives by differences")

  public static var trials: [Trial<Settings>] {
    var open = Settings()
    open.openness = 2
    return [
      Trial(open, in: Slot(width: 5, outputWidth: 3, tokens: 2)),
      Trial(Settings(), in: Slot(width: 1, outputWidth: 4, tokens: 1)),
    ]
  }

  public let source: Linear
  public let target: Projection
  public let projection: Projection

  public init(
    _ settings: Settings, sourceWidth: Int, targetWidth: Int, inputs: Int,
    weights: TractWeights = .fanInUniform, gain: Double = 1, using generator: inout RandomGenerator
  ) {
    source = Linear(sourceWidth, inputs, using: &generator)
    target = Projection(targetWidth, inputs, using: &generator)
    projection = Projection(sourceWidth, inputs, weights: weights, gain: gain, using: &generator)
    if let bias = source.bias, settings.openness != 0 { source.bias = bias + settings.openness }
  }

  public convenience init(
    _ settings: Settings, between ends: TractEnds, using generator: inout RandomGenerator
  ) throws {
    self.init(
      settings, sourceWidth: ends.source.width, targetWidth: ends.targets[0].outputWidth,
      inputs: ends.targets[0].width, weights: ends.weights, gain: ends.gain, using: &generator)
  }

  public func carry(_ source: Tensor, target: Tensor?) -> [Tensor] {
    guard let target else { preconditionFailure("gate", "the activity of the target is missing") }
    return [self(source, target: target)]
  }

  public func callAsFunction(_ s: Tensor, target t: Tensor) -> Tensor {
    running { sigmoid(source(s) + target(t)) * projection(s) }
  }

  /// `source` and `target` in, `y` out; the slot's output width is the target's.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let gate = Gate(
      settings, sourceWidth: slot.width, targetWidth: slot.outputWidth, inputs: slot.outputWidth,
      using: &generator)
    func port(_ name: String, _ width: Int) -> TensorPort {
      TensorPort(name, [.free("batch"), .free("tokens"), .fixed(width)])
    }
    return Door(
      module: gate, inputs: [port("source", slot.width), port("target", slot.outputWidth)],
      outputs: [port("y", slot.outputWidth)], sequenceAxis: 1, isCausal: true
    ) { tensors, _ in
      guard let s = tensors["source"], let t = tensors["target"] else { return [:] }
      return ["y": gate(s, target: t)]
    }
  }
}
