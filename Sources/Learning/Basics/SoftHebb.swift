import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Soft winner-take-all Hebbian learning: with u = w x and y = softmax(u / temperature) over the units,
///
///     dw_k = mean over samples of  y_k (x - u_k w_k)
///
/// Units compete for each sample by the softmax; the winner's weights turn towards it, and the second
/// term keeps each row of w near norm 1, at which the rule stands still. The units of a region may put
/// out something else than y (u, or relu(u)): the rule works out its own competition from the input and
/// the weights. The direction is -dw, because optimisers subtract.
///
/// Source: Moraitis, Toichkin, Journé, Chua and Guo, "SoftHebb: Bayesian inference in unsupervised
/// Hebbian soft winner-take-all networks" (2022).
public final class SoftHebb: LearningRuleMechanism {
  public struct Settings: Configuration {
    /// The smaller, the more the winner takes all.
    public var temperature = 1.0
    public init() {}

    public func validate() throws {
      try require(temperature > 0 && temperature.isFinite, "temperature must be above 0, is \(temperature)")
    }
  }

  public static let card = Card(
    id: "soft-hebb", name: "SoftHebb", family: .learning,
    paper: Paper(
      "SoftHebb: Bayesian inference in unsupervised Hebbian soft winner-take-all networks",
      by: ["Timoleon Moraitis", "Dmitry Toichkin", "Adrien Journé", "Yansong Chua", "Qinghai Guo"],
      year: 2022, link: "https://arxiv.org/abs/2107.05747"),
    summary: "Units compete softly for each sample and the winners turn towards it, so that each comes "
      + "to stand for a cluster of the input. Labels and errors are not needed.",
    verification: "the sums written out in float64; unit norm as the place where it stands still")

  public static var trials: [Trial<Settings>] {
    var cold = Settings()
    cold.temperature = 0.3
    return [
      Trial(cold, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(Settings(), in: Slot(width: 2, outputWidth: 7, tokens: 2)),
    ]
  }

  public let needs = LearningNeeds.nothing
  private let temperature: Double

  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {
    temperature = settings.temperature
  }

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    let local = try LocalWeights(parameters, signals, Self.card.id)
    return [Self.direction(local.x, local.w, temperature)]
  }

  static func direction(_ x: Tensor, _ w: Tensor, _ temperature: Double) -> Tensor {
    let u = linear(x, weight: w)
    let y = softmax(u * (1 / temperature))
    let pull = (y * u).sum(axis: 0).expandedDimensions(axis: 1) * w
    return (pull - matmul(y.swappedAxes(0, 1), x)) * (1 / Double(x.dim(0)))
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    localDoor(slot, more: []) { tensors in
      guard let x = tensors["input"], let w = tensors["weight"] else {
        preconditionFailure("soft-hebb", "an input is missing")
      }
      return direction(x, w, settings.temperature)
    }
  }
}
