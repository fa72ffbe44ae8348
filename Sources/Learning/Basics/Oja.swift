import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Oja's subspace rule and Sanger's ordered form of it, for linear units y = w x:
///
///     Oja     dw = mean over samples of  y xᵀ - (y yᵀ) w
///     Sanger  dw = mean over samples of  y xᵀ - lower(y yᵀ) w
///
/// where lower keeps the triangle on and below the diagonal. On centred input, Oja's rows of w come to
/// span the space of the largest principal components, orthonormal but in any rotation; Sanger's become
/// the components themselves, largest first, up to sign. Nothing but input, output and the weights is
/// needed. The direction is -dw, because optimisers subtract.
///
/// Sources: Oja, "Neural networks, principal components, and subspaces" (1989); Sanger, "Optimal
/// unsupervised learning in a single-layer linear feedforward neural network" (1989).
public final class Oja: LearningRuleMechanism {
  public struct Settings: Configuration {
    /// Sanger's form: components in order.
    public var ordered = false
    public init() {}
  }

  public static let card = Card(
    id: "oja", name: "Oja's subspace rule", family: .learning,
    paper: Paper(
      "Neural networks, principal components, and subspaces",
      by: ["Erkki Oja"],
      year: 1989, link: "https://doi.org/10.1142/S0129065789000475"),
    summary: "A layer of linear units that strengthens what fires together and subtracts what it "
      + "already explains finds the principal subspace of its input, without any error signal; "
      + "Sanger's ordered form finds the components themselves.",
    verification: "convergence to the eigenvectors of the covariance by eigh; the sums written out")

  public static var trials: [Trial<Settings>] {
    var sanger = Settings()
    sanger.ordered = true
    return [
      Trial(sanger, in: Slot(width: 5, outputWidth: 3, tokens: 1)),
      Trial(Settings(), in: Slot(width: 3, outputWidth: 1, tokens: 2)),
    ]
  }

  public let needs = LearningNeeds.nothing
  private let isOrdered: Bool

  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {
    isOrdered = settings.ordered
  }

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    let local = try LocalWeights(parameters, signals, Self.card.id)
    return [Self.direction(local.x, local.y, local.w, isOrdered)]
  }

  static func direction(_ x: Tensor, _ y: Tensor, _ w: Tensor, _ isOrdered: Bool) -> Tensor {
    let yT = y.swappedAxes(0, 1)
    let correlations = matmul(yT, y)
    let explained = matmul(isOrdered ? correlations.tril() : correlations, w)
    return (explained - matmul(yT, x)) * (1 / Double(x.dim(0)))
  }

  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    localDoor(
      slot, more: [TensorPort("output", [.free("samples"), .fixed(slot.outputWidth)])]
    ) { tensors in
      guard let x = tensors["input"], let y = tensors["output"], let w = tensors["weight"] else {
        preconditionFailure("oja", "an input is missing")
      }
      return direction(x, y, w, settings.ordered)
    }
  }
}
