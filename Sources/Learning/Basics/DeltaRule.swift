import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The delta rule (Widrow and Hoff 1960): y = w x learns by direction_kj = sum over samples of e_k x_j,
/// where e is how the loss changes with y. For one layer of linear units it is what backpropagation
/// gives, but needs only the error at the units' own output.
public final class DeltaRule: LearningRuleMechanism {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let card = Card(
    id: "delta-rule", name: "Delta rule", family: .learning,
    paper: Paper(
      "Adaptive switching circuits",
      by: ["Bernard Widrow", "Marcian E. Hoff"],
      year: 1960, link: nil),
    summary: "Each weight changes by the error of the unit it leads to times the activity that it "
      + "carries: the rule of a region that is told how wrong its output was and nothing else.",
    verification: "backpropagation through a linear layer, which it must equal")

  public static var trials: [Trial<Settings>] {
    [
      Trial(Settings(), in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(Settings(), in: Slot(width: 1, outputWidth: 2, tokens: 3)),
    ]
  }

  public let needs = LearningNeeds.outputError
  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {}

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    guard let error = signals.outputError, error.shape == signals.output.shape else {
      throw InvalidInput("\(Self.card.id) needs an error for each output \(signals.output.shape)")
    }
    let local = try LocalWeights(parameters, signals, Self.card.id)
    return [Self.direction(local.x, error.reshaped(local.y.shape))]
  }

  static func direction(_ x: Tensor, _ error: Tensor) -> Tensor { matmul(error.swappedAxes(0, 1), x) }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let error = TensorPort("error", [.free("samples"), .fixed(slot.outputWidth)])
    let shape: [TensorPort.Extent] = [.fixed(slot.outputWidth), .fixed(slot.width)]
    return Door(
      inputs: [TensorPort("input", [.free("samples"), .fixed(slot.width)]), error],
      outputs: [TensorPort("direction", shape)], rowsAreIndependent: false
    ) { tensors, _ in
      guard let x = tensors["input"], let error = tensors["error"] else { return [:] }
      return ["direction": direction(x, error)]
    }
  }
}
