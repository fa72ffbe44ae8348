import CallosumKernels
import CallosumTensors

/// Rprop (Riedmiller and Braun 1993) as PyTorch has it: each element has a step size of its own, which
/// grows by `factors.grow` while the sign of its gradient stays, and shrinks by `factors.shrink` when it
/// turns, in which case the element rests for one step. Only signs of gradients count.
///
/// Step sizes start at `learningRate`, whose later changes do nothing; the rate of a group multiplies
/// the steps. There is no weight decay.
public final class Rprop: ElementwiseOptimiser {
  private let factors: (shrink: Double, grow: Double)
  private let sizes: ClosedRange<Double>

  public init(
    _ parameters: [NamedParameter], learningRate: Double = 1e-2,
    factors: (shrink: Double, grow: Double) = (0.5, 1.2), sizes: ClosedRange<Double> = 1e-6...50,
    groups: [ParameterGroup] = []
  ) {
    self.factors = factors
    self.sizes = sizes
    precondition(
      groups.allSatisfy { ($0.weightDecay ?? 0) == 0 }, "Rprop",
      "has no weight decay, but a group asks for one")
    super.init(
      "Rprop", parameters, learningRate: learningRate, weightDecay: 0, groups: groups,
      keeping: [("previous", 0), ("size", learningRate)])
  }

  override func apply(_ step: Step) {
    callosum_rprop(
      step.x, step.gradient, step.kept[0], step.kept[1], step.count, Float(step.factor),
      Float(factors.shrink), Float(factors.grow), Float(sizes.lowerBound), Float(sizes.upperBound))
  }
}
