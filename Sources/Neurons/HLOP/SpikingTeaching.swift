import CallosumNetworks
import CallosumTensors
import Foundation

/// How a network of leaky integrate-and-fire neurons learns from its spikes: what takes the place of their
/// derivative, through time or without it. The spikes are the same with the first two.
public enum SpikingTeaching: String, Codable, Sendable, CaseIterable {
  /// Back through all steps, with a surrogate for the derivative of a spike.
  case throughTime
  /// Online (Xiao et al. 2022): each step has its own loss and passes nothing to earlier ones; a weight's
  /// gradient sees the trace of the spikes before it, a_t = leak a_(t-1) + s_t, in place of the spikes. So the
  /// way back needs the present step alone.
  case traces
  /// From weighted firing rates (Meng et al. 2022): over all steps the neuron counts as a function of its
  /// mean current that is clipped at 0 and at the largest rate.
  case rates
}

/// What of a neuron's spikes the subspace of the layer above learns from.
public enum Presynaptic: String, Codable, Sendable, CaseIterable {
  /// Each step for itself.
  case spikes
  /// Each step with what is left of those before it.
  case trace
  /// Both, one after the other: what the authors' code has in online training.
  case spikesAndTrace
  /// One weighted mean for each example, later steps counting more.
  case rate
}

/// The trace of spikes [time, ...]: a_t = leak a_(t-1) + s_t, from a before the first step (zeros if nil).
func traces(of spikes: Tensor, leak: Double, initial: Tensor? = nil) -> Tensor {
  let keep = Tensor.full([], leak, dtype: spikes.dtype).broadcast(to: spikes.shape)
  return linearRecurrence(keep, spikes, initial: initial, axis: 0)
}

/// The mean over the first axis in which step t of `time` counts leak^(time - t).
func weightedRate(_ values: Tensor, leak: Double) -> Tensor {
  let steps = values.dim(0)
  let weights = (0..<steps).map { pow(leak, Double(steps - 1 - $0)) }
  let sum = weights.reduce(0, +)
  let shape = [steps] + [Int](repeating: 1, count: values.ndim - 1)
  return (values * Tensor(weights.map { $0 / sum }, shape).asType(values.dtype)).sum(axis: 0)
}

/// Spikes of a layer for a sequence of scaled currents [time, ..., neurons] and the last potentials, with
/// derivatives by the current of the same step only: nothing passes through potentials.
func onlineSpikes(
  of layer: SpikingLayer, _ current: Tensor, from potential: Tensor?
) -> (spikes: Tensor, state: Tensor) {
  let course = layer.fired(stopGradient(current), from: potential), rule = layer.rule
  let distances = course.potentials - 1
  let spikes = withDerivative("onlineSpikes", at: [current], of: { _ in course.spikes }) { g, _, _ in
    valueAndPullback(at: [distances]) { [spike($0[0], surrogate: rule.surrogate)] }.pullback([g])
  }
  return (spikes, course.state.potential)
}

/// Neurons that are taught by rates (Meng et al. 2022, as the authors of ``HLOP`` have them):
///
///     u_t = b v_(t-1) + (1 - b) i_t,  b = exp(-step / constant);   fires where u_t >= share · threshold
///     v_t = u_t - threshold if it fires;   a spike counts threshold / step
///
/// Backwards, with weighted means over time: where 0 < mean current < threshold · constant / step, the current
/// gets the mean gradient / constant; where it is above, the threshold gets the mean gradient · step.
struct RateNeurons {
  let step, constant, share: Double
  var leak: Double { exp(-step / constant) }

  /// Spikes times threshold / step of currents [time, ..., neurons].
  func callAsFunction(_ current: Tensor, threshold: Tensor) -> Tensor {
    let (leak, step, constant) = (leak, step, constant)
    return withDerivative("rateNeurons", at: [current, threshold]) { inputs in
      // Shifted and scaled so that a neuron fires at 1 and loses 1: w = v / threshold + 1 - share.
      let shift = 1 - share
      let driven = (inputs[0] / inputs[1] + shift) * (1 - leak)
      let start = Tensor.full(Array(current.shape.dropFirst()), shift, dtype: current.dtype)
      let course = leakyIntegrateAndFire(
        driven, leak: .full([], leak, dtype: current.dtype), initial: SpikingState(potential: start))
      return course.spikes * (inputs[1] / step)
    } _: { g, inputs, _ in
      let time = Double(g.dim(0)), limit = inputs[1] * (constant / step)
      let mean = weightedRate(inputs[0], leak: leak), gradient = weightedRate(g, leak: leak) * time
      let inside = ((mean .> 0) .&& (mean .< limit)).asType(g.dtype)
      let each = gradient * inside * (1 / (constant * time))
      let above = (mean .> limit).asType(g.dtype)
      return [
        each.expandedDimensions(axis: 0).broadcast(to: g.shape), (gradient * above).sum() * step,
      ]
    }
  }
}
