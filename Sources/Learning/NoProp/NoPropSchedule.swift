import CallosumNetworks
import CallosumTensors
import Foundation

/// How much of a code is signal at steps 0...T of ``NoProp``, and what follows for a step of denoising.
///
/// abar_t = sin²(pi t / 2T) (the cosine schedule, from noise to signal), kept away from 0 and 1 by `clip`;
/// with alpha = abar_(t-1) / abar_t and D = 1 - abar_(t-1): a = sqrt(abar_t) (1 - alpha) / D,
/// b = sqrt(alpha) (1 - abar_t) / D, c = (1 - abar_t) (1 - alpha) / D.
public struct NoPropSchedule: Sendable {
  /// abar, T + 1 numbers that rise.
  public let signal: [Double]
  /// a, b and c of step t at t - 1.
  public let steps: [(guess: Double, kept: Double, noise: Double)]

  public init(steps count: Int, clip: Double) {
    let signal = (0...count).map { step in
      let sine = sin(Double.pi / 2 * Double(step) / Double(count))
      return clip + (1 - 2 * clip) * sine * sine
    }
    self.signal = signal
    steps = (1...count).map { t in
      let alpha = signal[t - 1] / signal[t], rest = 1 - signal[t - 1]
      return (
        signal[t].squareRoot() * (1 - alpha) / rest, alpha.squareRoot() * (1 - signal[t]) / rest,
        (1 - signal[t]) * (1 - alpha) / rest
      )
    }
  }

  /// The signal-to-noise ratio of step t, 0...T.
  public func ratio(_ t: Int) -> Double { signal[t] / (1 - signal[t]) }

  /// abar of steps 0 up to T.
  func levels(_ steps: Range<Int>, _ type: DType) -> NoPropLevel {
    let signal = signal[steps]
    return NoPropLevel(
      signal: Tensor(Array(signal)).asType(type), rest: Tensor(signal.map { 1 - $0 }).asType(type))
  }
}

/// abar and 1 - abar, each by itself: their difference from 1 would not tell them exactly.
package struct NoPropLevel {
  package let signal: Tensor
  package let rest: Tensor

  /// A code after noise of this level.
  func noisy(_ codes: Tensor, _ noise: Tensor) -> Tensor { codes * sqrt(signal) + noise * sqrt(rest) }

  func mapped(_ change: (Tensor) -> Tensor) -> NoPropLevel {
    NoPropLevel(signal: change(signal), rest: change(rest))
  }
}

/// The schedule of NoProp-CT, which is learned with the rest (the paper's appendix B), for times t in 0...1:
///
///     abar(t) = sigmoid(-gamma(t)),  gamma(t) = gamma0 + (gamma1 - gamma0) (1 - gbar(t))
///     gbar(t) = (g(t) - g(0)) / (g(1) - g(0)),  g(t) = softplus(v · softplus(u t + b) + c),  u, v > 0
///
/// g rises because u and v are positive, softplus of `inner` and `outer`. gamma0 and gamma1 start where
/// abar(1) = 1 - clip and abar(0) = clip.
public final class NoPropLearnedSchedule: Module {
  @Parameter public var inner: Tensor
  @Parameter public var innerBias: Tensor
  @Parameter public var outer: Tensor
  @Parameter public var outerBias: Tensor
  @Parameter public var gamma0: Tensor
  @Parameter public var gamma1: Tensor

  init(hidden: Int, clip: Double, using generator: inout RandomGenerator) {
    func start(_ shape: [Int], fanIn: Int) -> Tensor {
      Initialiser.fanInUniform.values(shape, fanIn: fanIn, fanOut: 1, using: &generator)
    }
    inner = start([hidden], fanIn: 1)
    innerBias = start([hidden], fanIn: 1)
    // v about 1/hidden: g(t) is then where its softplus bends.
    outer = start([hidden], fanIn: hidden) - log(Double(hidden))
    outerBias = start([], fanIn: hidden)
    let end = log((1 - clip) / clip)
    (gamma0, gamma1) = (Tensor(Float(-end)), Tensor(Float(end)))
  }

  /// g and its derivative at times of any shape.
  private func rising(_ times: Tensor) -> (value: Tensor, slope: Tensor) {
    let (u, v) = (softplus(inner), softplus(outer))
    let places = times.expandedDimensions(axis: -1) * u + innerBias
    let sum = (softplus(places) * v).sum(axis: -1) + outerBias
    return (softplus(sum), sigmoid(sum) * (sigmoid(places) * u * v).sum(axis: -1))
  }

  private func gamma(_ times: Tensor) -> (value: Tensor, slope: Tensor) {
    let ends = rising(Tensor([0.0, 1]).asType(times.dtype)).value
    let (value, slope) = rising(times)
    let (first, range) = (ends[0], (gamma1 - gamma0) / (ends[1] - ends[0]))
    return (gamma1 - range * (value - first), -range * slope)
  }

  /// abar and the derivative of the signal-to-noise ratio exp(-gamma) by time, at times of any shape.
  package func callAsFunction(_ times: Tensor) -> (level: NoPropLevel, gain: Tensor) {
    let (gamma, slope) = gamma(times)
    return (NoPropLevel(signal: sigmoid(-gamma), rest: sigmoid(gamma)), -slope * exp(-gamma))
  }

  /// a, b and c [steps] of that many steps of equal length, as in ``NoPropSchedule``, and abar before and after
  /// each of them; for gammas g before and g' after a step, 1 - alpha = (1 - abar) (1 - exp(g' - g)).
  package func steps(
    _ count: Int
  ) -> (guess: Tensor, kept: Tensor, noise: Tensor, signal: Tensor) {
    let times = (0...count).map { Double($0) / Double(count) }
    let gamma = gamma(Tensor(times).asType(inner.dtype)).value
    let (before, after) = (gamma.sliced(axis: 0, to: count), gamma.sliced(axis: 0, from: 1))
    let gained = -expm1(after - before)
    let (signal, rest) = (sigmoid(-after), sigmoid(after))
    let kept = sqrt(sigmoid(-before) / signal) * rest / sigmoid(before)
    return (sqrt(signal) * gained, kept, rest * gained, sigmoid(-gamma))
  }
}
