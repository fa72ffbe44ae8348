import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// Resonate-and-fire neurons (Izhikevich 2001): the state is a complex number that turns and shrinks,
///
///     z' = (-damping + i omega) z + I;   where Im z > 1:  z <- i
///
/// so that a neuron answers to inputs at its own frequency, omega / 2 pi, and not to others. Between spikes the
/// equation is linear, and each step is exact for a current that is constant in it. I = scale (W x + bias); time in ms.
///
/// Parameters: `weights` W [outputWidth, width] and bias; `frequency` (Hz) and `damping` (1/ms), [outputWidth], frozen
/// unless learned. State, [batch, outputWidth]: `current` Re z, `potential` Im z. The surrogate sees Im z - 1.
public final class ResonateAndFire: PointNeuron {
  public struct Settings: Configuration {
    /// Lowest frequency of a neuron (Hz).
    public var lowestFrequency = 10.0
    /// Highest frequency of a neuron (Hz); those between are spaced evenly in their logarithm.
    public var highestFrequency = 100.0
    /// How fast an oscillation dies away (1/ms).
    public var damping = 0.05
    /// Whether frequencies are learned.
    public var learnsFrequency = false
    /// Whether the damping of each neuron is learned.
    public var learnsDamping = false
    /// Current of an input of 1.
    public var scale = 1.0
    /// Time of a token, and steps in it.
    public var time = TimeSettings(1, substeps: 1)
    /// What stands for the derivative of a spike.
    public var derivative = SurrogateSettings()
    public init() {}

    public func validate() throws {
      try require(
        lowestFrequency > 0 && highestFrequency >= lowestFrequency && highestFrequency.isFinite,
        "frequencies must be above 0, the highest no less than the lowest, are \(lowestFrequency) and "
          + "\(highestFrequency)")
      try require(damping > 0 && damping.isFinite, "damping must be above 0, is \(damping)")
      try require(scale.isFinite, "scale must be a number, is \(scale)")
      try time.validate()
      try derivative.validate()
    }
  }

  public static let card = Card(
    id: "resonate-and-fire", name: "Resonate-and-fire", family: .neurons,
    paper: Paper(
      "Resonate-and-fire neurons", by: ["Eugene M. Izhikevich"], year: 2001,
      link: "https://doi.org/10.1016/S0893-6080(01)00078-8"),
    summary:
      "A spiking neuron that rings: it answers to inputs that come at its own frequency, and two spikes may "
      + "cancel where they come at the wrong time.",
    verification: "the exact step by SciPy: spikes and states; gradients against the equations in PyTorch")

  public static var trials: [Trial<Settings>] {
    var learned = Settings(), fine = Settings()
    (learned.learnsFrequency, learned.learnsDamping, learned.scale) = (true, true, 3)
    (fine.time, fine.derivative.detachesReset, fine.scale) = (TimeSettings(2, substeps: 3), false, 2)
    return [
      Trial(learned, in: Slot(width: 5, outputWidth: 3, tokens: 9)),
      Trial(fine, in: Slot(width: 3, outputWidth: 4, tokens: 6)),
    ]
  }

  public let weights: Linear
  @Parameter public var frequency: Tensor
  @Parameter public var damping: Tensor
  private let settings: Settings

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    let count = slot.outputWidth,
      (low, high) = (log(settings.lowestFrequency), log(settings.highestFrequency))
    weights = Linear(slot.width, count, using: &generator)
    frequency = Tensor(
      (0..<count).map { Float(Foundation.exp(low + (high - low) * Double($0) / Double(max(count - 1, 1)))) })
    damping = .full([count], settings.damping)
    if !settings.learnsFrequency { freeze(recursive: false, keys: ["frequency"]) }
    if !settings.learnsDamping { freeze(recursive: false, keys: ["damping"]) }
  }

  public func initialState(batch: Int) -> State {
    let zeros = Tensor.zeros([batch, weights.weight.dim(0)])
    return State(["current": zeros, "potential": zeros])
  }

  func advanced(_ current: Tensor, _ state: State) -> (spikes: Tensor, state: State) {
    let h = settings.time.step, current = current * settings.scale
    // exp(lambda h), and what a current of 1 adds: (exp(lambda h) - 1) / lambda.
    let b = -damping, omega = frequency * (2 * Double.pi / 1000)
    let length = exp(b * h), re = length * cos(omega * h), im = length * sin(omega * h)
    let norm = square(b) + square(omega)
    let (gain, turned) = (((re - 1) * b + im * omega) / norm, (im * b - (re - 1) * omega) / norm)
    let (spikes, last) = settings.time.run([state["current"], state["potential"]]) { state in
      let (x, y) = (state[0], state[1])
      let (nextX, nextY) = (x * re - y * im + current * gain, x * im + y * re + current * turned)
      let (spikes, resets) = settings.derivative.spike(at: nextY - 1, strict: true)
      return (spikes, [nextX * (1 - resets), nextY - resets * (nextY - 1)])
    }
    return (spikes, State(["current": last[0], "potential": last[1]]))
  }
}
