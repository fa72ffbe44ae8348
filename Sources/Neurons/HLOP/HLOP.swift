import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Hebbian learning based orthogonal projection (Xiao et al. 2024) as a rule for one matrix of weights: the
/// direction is that of backpropagation with the input's part in the space of earlier tasks taken out,
///
///     dW = errorᵀ (x - x Hᵀ H),   H over the rows of earlier tasks
///
/// so that what earlier tasks put in comes out as before. New rows of H learn on the way, see
/// ``HebbianSubspace``; ``endTask()`` merges them. Nothing but the weight's gradient is projected.
/// ``SpikingPerceptron`` is the network of the paper with this in every layer of its trunk.
public final class HLOP: LearningRuleMechanism {
  public struct Settings: Configuration {
    /// Dimensions of the space that the first task gets.
    public var rows = 80
    /// Dimensions that each later task adds.
    public var laterRows = 70
    /// Dimensions of earlier tasks to begin with, drawn at random: for trying the rule out.
    public var earlierRows = 0
    /// How the space is learned.
    public var subspace = HebbianSubspace.Settings()
    public init() {}

    public func validate() throws {
      try require(
        rows > 0 && laterRows >= 0 && earlierRows >= 0,
        "rows must be at least 1, laterRows and earlierRows at least 0")
      try subspace.validate()
    }
  }

  public static let card = Card(
    id: "hlop", name: "Hebbian orthogonal projection", family: .neurons,
    paper: Paper(
      "Hebbian Learning based Orthogonal Projection for Continual Learning of Spiking "
        + "Neural Networks",
      by: ["Mingqing Xiao", "Qingyan Meng", "Zongpeng Zhang", "Di He", "Zhouchen Lin"],
      year: 2024, link: "https://arxiv.org/abs/2402.11984"),
    summary: "Lateral weights find the space in which earlier tasks live by a Hebbian rule; later tasks "
      + "change weights only outside of it, and so forget next to nothing.",
    verification: "the authors' HLOP-SNN (commit 530b89a): every update, projection and projected "
      + "gradient, through time, through traces and from rates; the exact principal subspace by eigh")

  public static var trials: [Trial<Settings>] {
    var second = Settings(), plain = Settings()
    (second.rows, second.earlierRows, second.subspace.rate) = (2, 3, 0.1)
    (plain.rows, plain.subspace.momentum, plain.subspace.iterations, plain.subspace.rate) = (3, 0, 2, 0.3)
    return [
      Trial(second, in: Slot(width: 7, outputWidth: 3, tokens: 1)),
      Trial(plain, in: Slot(width: 5, outputWidth: 2, tokens: 1)),
    ]
  }

  public let needs = LearningNeeds.outputError
  private let settings: Settings
  private var generator: RandomGenerator
  /// Made when the first signals say how wide the input is.
  public private(set) var subspace: HebbianSubspace?

  public init(_ settings: Settings, using generator: inout RandomGenerator) throws {
    self.settings = settings
    self.generator = RandomGenerator(seed: generator.next())
  }

  public func directions(for parameters: [NamedParameter], _ signals: LearningSignals) throws -> [Tensor] {
    let inputs = signals.input.dim(-1), outputs = signals.output.dim(-1)
    guard let error = signals.outputError else { throw InvalidInput("hlop needs the error of the output") }
    try require(
      parameters.count == 1 && parameters[0].value.shape == [outputs, inputs],
      "hlop teaches one matrix of weights [\(outputs), \(inputs)], but here are "
        + "\(parameters.map { "\($0.name) \($0.value.shape)" })")
    let subspace = subspace ?? start(width: inputs)
    self.subspace = subspace
    let x = stopGradient(signals.input).reshaped(-1, inputs)
    try require(x.dim(0) > 0, "hlop needs at least one sample")
    let direction = matmul(
      stopGradient(error).reshaped(-1, outputs).transposed(), subspace.remainder(x))
    subspace.update(x)
    return [direction]
  }

  /// What was learned until now is an earlier task's.
  public func endTask() {
    subspace?.merge()
    subspace?.grow(by: settings.laterRows, using: &generator)
  }

  private func start(width: Int) -> HebbianSubspace {
    let subspace = HebbianSubspace(width: width, settings.subspace)
    subspace.grow(by: settings.earlierRows, using: &generator)
    subspace.merge()
    subspace.grow(by: settings.rows, using: &generator)
    return subspace
  }

  /// `input` [samples, width] and `error` [samples, outputWidth] to the projected `direction`
  /// [outputWidth, width], and the `rows` and their `velocity` [rows, width] after the update, with which the
  /// next batch goes on.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let subspace = try HLOP(settings, using: &generator).start(width: slot.width)
    let width = TensorPort.Extent.fixed(slot.width), outputs = TensorPort.Extent.fixed(slot.outputWidth)
    let carried = ["rows", "velocity"].map {
      TensorPort($0, [.fixed(subspace.count), width], isOptional: true)
    }
    return Door(
      module: subspace,
      inputs: [
        TensorPort("input", [.free("samples"), width]), TensorPort("error", [.free("samples"), outputs]),
      ] + carried,
      outputs: [TensorPort("direction", [outputs, width])] + carried, rowsAreIndependent: false
    ) { tensors, _ in
      guard let x = tensors["input"], let error = tensors["error"] else { return [:] }
      try require(x.dim(0) > 0, "hlop needs at least one sample")
      let rows = tensors["rows"] ?? subspace.rows, frozen = rows.sliced(axis: 0, to: subspace.frozen)
      let after = HebbianSubspace.updated(
        rows, tensors["velocity"] ?? subspace.velocity, frozen: subspace.frozen, by: x, settings.subspace)
      let left = subspace.frozen == 0 ? x : x - HebbianSubspace.projection(x, frozen, settings.subspace)
      return [
        "direction": matmul(error.transposed(), left), "rows": after.rows, "velocity": after.velocity,
      ]
    }
  }
}
