import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Feedback alignment (Lillicrap, Cownden, Tweed and Akerman 2016): a layer y = w x learns from the error
/// e at its output as it would by backpropagation, but tells what feeds it B e instead of wᵀ e,
///
///     direction = sum over samples of  e xᵀ,    error at the input = Bᵀ e
///
/// with fixed random feedback weights B [outputs, inputs], uniform in ±gain / sqrt(inputs). No connection
/// needs to know the strength of another; w comes to agree with B enough for learning to work.
public final class FeedbackAlignment: LearningRuleMechanism {
  public struct Settings: Configuration {
    /// Strength of the feedback weights, in that of the initial weights of a linear layer.
    public var gain = 1.0
    public init() {}

    public func validate() throws {
      try require(gain > 0 && gain.isFinite, "gain must be above 0, is \(gain)")
    }
  }

  public static let card = Card(
    id: "feedback-alignment", name: "Feedback alignment", family: .learning,
    paper: Paper(
      "Random synaptic feedback weights support error backpropagation for deep learning",
      by: ["Timothy P. Lillicrap", "Daniel Cownden", "Douglas B. Tweed", "Colin J. Akerman"],
      year: 2016, link: "https://doi.org/10.1038/ncomms13276"),
    summary: "Errors travel back through fixed random weights instead of the transposed forward ones, "
      + "and deep layers learn all the same, because the forward weights come to align with them.",
    verification: "backpropagation, which it equals where the feedback weights are the forward ones; the "
      + "angle between both errors, which falls as the paper says")

  public static var trials: [Trial<Settings>] {
    var strong = Settings()
    strong.gain = 3
    return [
      Trial(strong, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(Settings(), in: Slot(width: 2, outputWidth: 4, tokens: 3)),
    ]
  }

  public let needs = LearningNeeds.outputError
  public let passesErrors = true
  private let gain: Double
  private let random: RandomGenerator
  private var feedback: Tensor?

  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {
    gain = settings.gain
    random = RandomGenerator(seed: generator.next())
  }

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    guard let error = signals.outputError, error.shape == signals.output.shape else {
      throw InvalidInput("\(Self.card.id) needs an error for each output \(signals.output.shape)")
    }
    let local = try LocalWeights(parameters, signals, Self.card.id)
    return [DeltaRule.direction(local.x, error.reshaped(local.y.shape))]
  }

  public func inputError(_ outputError: Tensor, for parameters: [NamedParameter]) -> Tensor? {
    guard parameters.count == 1, let shape = parameters.first?.value.shape, shape.count == 2 else {
      return nil  // what is wrong, `directions` says
    }
    return matmul(outputError, weights(outputs: shape[0], inputs: shape[1]).asType(outputError.dtype))
  }

  /// B, drawn when the shape is first known, the same for the same seed.
  private func weights(outputs: Int, inputs: Int) -> Tensor {
    if let feedback, feedback.shape == [outputs, inputs] { return feedback }
    var random = random
    let bound = gain / Double(inputs).squareRoot()
    let drawn = random.uniform([outputs, inputs], low: -bound, high: bound)
    feedback = drawn
    return drawn
  }

  /// `input` and `error` in, `direction` and `inputError` out.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let rule = try FeedbackAlignment(settings, using: &generator)
    func port(_ name: String, _ width: Int) -> TensorPort {
      TensorPort(name, [.free("samples"), .fixed(width)])
    }
    let shape: [TensorPort.Extent] = [.fixed(slot.outputWidth), .fixed(slot.width)]
    return Door(
      inputs: [port("input", slot.width), port("error", slot.outputWidth)],
      outputs: [TensorPort("direction", shape), port("inputError", slot.width)], rowsAreIndependent: false
    ) { tensors, _ in
      guard let x = tensors["input"], let error = tensors["error"] else { return [:] }
      let feedback = rule.weights(outputs: slot.outputWidth, inputs: slot.width).asType(error.dtype)
      return ["direction": DeltaRule.direction(x, error), "inputError": matmul(error, feedback)]
    }
  }
}
