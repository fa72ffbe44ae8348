import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// Spiking layers with a head for each task, taught through time with surrogate derivatives, in which every
/// layer of the trunk has a ``HebbianSubspace`` (Xiao et al. 2024): [batch, inputs] -> [batch, classes].
///
/// The input is a current, the same at every step; a head reads the mean of the last layer's spikes. Neurons
/// are leaky integrators with v_t = leak v_(t-1) + W s_t - threshold spike, whose threshold may be learned in
/// the first task (the authors do where gradients come from rates, from 0.3 on, and not through time).
public final class SpikingPerceptron: Module {
  /// What of a neuron's spikes the subspace of the layer above learns from.
  public enum Presynaptic: String, Codable, Sendable, CaseIterable {
    /// Each step for itself.
    case spikes
    /// Each step with what is left of those before it.
    case trace
    /// One weighted mean for each example, later steps counting more.
    case rate
  }

  public struct Settings: Configuration {
    public var hidden = [800, 800]
    public var steps = 20
    public var leak = 0.5
    public var threshold = 1.0
    /// Whether the first task learns the threshold of each layer.
    public var learnsThreshold = false
    /// No learned threshold counts as less.
    public var lowestThreshold = 5e-4
    /// Of the sigmoid that stands for the derivative of a spike.
    public var slope = 4.0
    public var presynaptic = Presynaptic.spikes
    /// Of the first layer's subspace and of the others'.
    public var inputRate = 0.001
    public var subspace = HebbianSubspace.Settings()
    public init() {}

    public func validate() throws {
      try expect(!hidden.isEmpty && hidden.allSatisfy { $0 > 0 }, "hidden must be widths above 0")
      try expect(steps > 0, "steps must be at least 1, is \(steps)")
      try expect((0...1).contains(leak), "leak must be from 0 to 1, is \(leak)")
      try expect(
        threshold > 0 && lowestThreshold > 0 && slope > 0,
        "threshold, lowestThreshold and slope must be above 0")
      try subspace.validate()
    }
  }

  /// Weights, the threshold of all its neurons, and the subspace of its input.
  public final class SpikingLayer: Module {
    @Parameter public var weight: Tensor
    @Parameter public var threshold: Tensor
    public let subspace: HebbianSubspace

    init(
      _ inputs: Int, _ outputs: Int, threshold: Double, _ settings: HebbianSubspace.Settings,
      using generator: inout RandomGenerator
    ) {
      weight = Initialiser.fanInUniform.values(
        [outputs, inputs], fanIn: inputs, fanOut: outputs, using: &generator)
      self.threshold = .full([], threshold)
      subspace = HebbianSubspace(width: inputs, settings)
    }
  }

  public let trunk: [SpikingLayer]
  public private(set) var heads: [Linear] = []
  private let settings: Settings
  private let classes: Int

  public init(
    _ settings: Settings, inputs: Int, classes: Int, using generator: inout RandomGenerator
  ) throws {
    try settings.validate()
    (self.settings, self.classes) = (settings, classes)
    let widths = [inputs] + settings.hidden
    trunk = settings.hidden.indices.map { layer in
      var subspace = settings.subspace
      if layer == 0 { subspace.rate = settings.inputRate }
      return SpikingLayer(
        widths[layer], widths[layer + 1], threshold: settings.threshold, subspace, using: &generator)
    }
  }

  /// Begins a task: a head for it, and new rows in every subspace.
  public func beginTask(rows: [Int], using generator: inout RandomGenerator) {
    heads.append(Linear(trunk.last?.weight.dim(0) ?? 0, classes, bias: false, using: &generator))
    for (layer, count) in zip(trunk, rows) { layer.subspace.grow(by: count, using: &generator) }
  }

  /// Ends a task: its rows are kept as they are.
  public func endTask() {
    for layer in trunk { layer.subspace.merge() }
  }

  /// What task `task` may change: the trunk's weights, its head, and in the first task thresholds if they are
  /// learned.
  public func learned(in task: Int) -> [NamedParameter] {
    parameters().filter { one in
      if one.name.hasSuffix("threshold") { return task == 0 && settings.learnsThreshold }
      return one.name.hasPrefix("trunk") || one.name.hasPrefix("heads.\(task).")
    }
  }

  /// Logits of a task. With `projecting` the weights of the trunk learn outside the space of earlier tasks
  /// only. `visit` gets every layer and the samples of its input, [samples, inputs], such as for an update.
  public func callAsFunction(
    _ x: Tensor, task: Int, projecting: Bool = false,
    visit: (SpikingLayer, Tensor) -> Void = { _, _ in }
  ) -> Tensor {
    var spikes: Tensor?
    for layer in trunk {
      let input = spikes ?? x
      let flat = stopGradient(input).reshaped(-1, input.dim(-1))
      visit(layer, spikes == nil ? flat : presynaptic(stopGradient(input)))
      var current =
        projecting
        ? projectedLinear(
          input, weight: layer.weight, remainder: layer.subspace.remainder(flat).reshaped(input.shape))
        : linear(input, weight: layer.weight)
      // The same spikes as with the current itself and this threshold, and a derivative by it.
      let lowest = settings.lowestThreshold
      current = current / straightThrough(layer.threshold) { clip($0, min: lowest) }
      if spikes == nil {
        current = current.expandedDimensions(axis: 0).broadcast(to: [settings.steps] + current.shape)
      }
      let rule = SpikingRule(threshold: 1, surrogate: .sigmoid(slope: settings.slope))
      let leak = Tensor.full([], settings.leak, dtype: x.dtype)
      spikes = signal("spikes", leakyIntegrateAndFire(current, leak: leak, rule: rule).spikes)
    }
    return heads[task]((spikes ?? x).mean(axis: 0))
  }

  /// Spikes [time, batch, neurons] as samples [samples, neurons].
  private func presynaptic(_ spikes: Tensor) -> Tensor {
    let steps = spikes.dim(0), neurons = spikes.dim(2)
    switch settings.presynaptic {
    case .spikes: return spikes.reshaped(-1, neurons)
    case .trace:
      let keep = Tensor.full([], settings.leak, dtype: spikes.dtype).broadcast(to: spikes.shape)
      return linearRecurrence(keep, spikes, axis: 0).reshaped(-1, neurons)
    case .rate:
      let weights = (0..<steps).map { pow(settings.leak, Double(steps - 1 - $0)) }
      let sum = weights.reduce(0, +)
      let shares = Tensor(weights.map { $0 / sum }, [steps, 1, 1]).asType(spikes.dtype)
      return (spikes * shares).sum(axis: 0)
    }
  }
}
