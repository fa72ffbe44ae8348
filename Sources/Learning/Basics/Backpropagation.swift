import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Gradient descent on a loss (Rumelhart, Hinton and Williams 1986): the direction of each parameter is
/// the derivative of the loss by it.
public final class Backpropagation: LearningRuleMechanism {
  public struct Settings: Configuration {
    public init() {}
  }

  public static let card = Card(
    id: "backpropagation", name: "Backpropagation", family: .learning,
    paper: Paper(
      "Learning representations by back-propagating errors",
      by: ["David E. Rumelhart", "Geoffrey E. Hinton", "Ronald J. Williams"],
      year: 1986, link: "https://doi.org/10.1038/323533a0"),
    summary: "Every parameter moves against the derivative of the loss by it. It needs the whole "
      + "network's derivatives, and is what local rules are measured against.",
    verification: "the derivatives themselves, by differences in float64")

  public static var trials: [Trial<Settings>] {
    [Trial(Settings(), in: Slot(width: 5, tokens: 1)), Trial(Settings(), in: Slot(width: 1, tokens: 3))]
  }

  public let needs = LearningNeeds.gradients
  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {}

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    guard let gradients = signals.gradients, gradients.count == parameters.count else {
      throw InvalidInput(
        "backpropagation needs a gradient for each of \(parameters.count) parameters, but got"
          + " \(signals.gradients?.count ?? 0)")
    }
    return gradients
  }

  /// `gradient` in, `direction` out.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let shape: [TensorPort.Extent] = [.fixed(slot.outputWidth), .fixed(slot.width)]
    return Door(
      inputs: [TensorPort("gradient", shape)], outputs: [TensorPort("direction", shape)],
      rowsAreIndependent: false
    ) { tensors, _ in tensors["gradient"].map { ["direction": $0] } ?? [:] }
  }
}
