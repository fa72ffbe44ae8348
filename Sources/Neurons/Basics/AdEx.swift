import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005), in mV, ms, pF, nS and pA:
///
///     C v' = -g (v - E) + g D exp((v - T) / D) - w + I,   tau w' = a (v - E) - w
///     where v >= peak:  v <- reset,  w <- w + b
///
/// by Euler's method. I = scale (W x + bias). Defaults are the paper's; it lets v rise to 20 mV, which costs steps of
/// time and moves a spike by less than 0.1 ms.
///
/// Parameters: `weights` W [outputWidth, width] and bias. State, [batch, outputWidth]: `potential` v, `adaptation` w.
/// The surrogate sees (v - peak) / (peak - reset).
public final class AdEx: PointNeuron {
  public struct Settings: Configuration {
    /// Capacitance C (pF).
    public var capacitance = 281.0
    /// Conductance of the leak, g (nS).
    public var conductance = 30.0
    /// Potential at rest, E (mV).
    public var rest = -70.6
    /// Potential at which a spike takes off, T (mV).
    public var takeOff = -50.4
    /// How sharply it does, D (mV).
    public var sharpness = 2.0
    /// Time constant of the adaptation (ms).
    public var adaptationTau = 144.0
    /// How the adaptation follows the potential, a (nS).
    public var coupling = 4.0
    /// What a spike adds to the adaptation, b (pA).
    public var jump = 80.5
    /// Potential after a spike (mV).
    public var reset = -70.6
    /// Potential at which a spike counts (mV).
    public var peak = -40.4
    /// Current of an input of 1 (pA).
    public var scale = 2000.0
    /// Time of a token, and steps in it.
    public var time = TimeSettings(1, substeps: 10)
    /// What stands for the derivative of a spike.
    public var derivative = SurrogateSettings()
    public init() {}

    public func validate() throws {
      for (name, value) in [
        ("capacitance", capacitance), ("conductance", conductance), ("sharpness", sharpness),
        ("adaptationTau", adaptationTau),
      ] {
        try require(value > 0 && value.isFinite, "\(name) must be above 0, is \(value)")
      }
      for (name, value) in [
        ("rest", rest), ("takeOff", takeOff), ("coupling", coupling), ("jump", jump), ("scale", scale),
      ] {
        try require(value.isFinite, "\(name) must be a number, is \(value)")
      }
      try require(
        reset < peak && reset.isFinite && peak.isFinite, "peak must be above reset, \(reset) mV, is \(peak)")
      try require(
        peak - takeOff < 80 * sharpness,
        "peak must be within 80 times the sharpness above takeOff, is \(peak)")
      try time.validate()
      try derivative.validate()
    }
  }

  public static let card = Card(
    id: "adex", name: "Adaptive exponential integrate-and-fire", family: .neurons,
    paper: Paper(
      "Adaptive Exponential Integrate-and-Fire Model as an Effective Description of Neuronal Activity",
      by: ["Romain Brette", "Wulfram Gerstner"], year: 2005, link: "https://doi.org/10.1152/jn.00686.2005"),
    summary:
      "A spiking neuron in the units of the laboratory: a spike takes off exponentially, and a slow current "
      + "makes the neuron tire; it predicts most spikes of a detailed model.",
    verification: "Brian2 2.9.0: spikes and states; gradients against the equations in PyTorch")

  public static var trials: [Trial<Settings>] {
    var attached = Settings(), bursting = Settings()
    (attached.derivative.detachesReset, attached.scale) = (false, 4000)
    (bursting.reset, bursting.coupling, bursting.adaptationTau, bursting.scale) = (-48, 6, 20, 4000)
    bursting.time = TimeSettings(2, substeps: 8)
    return [
      Trial(attached, in: Slot(width: 5, outputWidth: 3, tokens: 9)),
      Trial(bursting, in: Slot(width: 3, outputWidth: 4, tokens: 6)),
    ]
  }

  public let weights: Linear
  private let settings: Settings

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    weights = Linear(slot.width, slot.outputWidth, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    let shape = [batch, weights.weight.dim(0)]
    return State(["potential": .full(shape, settings.rest), "adaptation": .zeros(shape)])
  }

  func advanced(_ current: Tensor, _ state: State) -> (spikes: Tensor, state: State) {
    let s = settings, h = s.time.step, current = current * s.scale
    let (spikes, last) = s.time.run([state["potential"], state["adaptation"]]) { state in
      let (v, w) = (state[0], state[1])
      let leak = (v - s.rest) * s.conductance
      let upstroke = exp((v - s.takeOff) / s.sharpness) * (s.conductance * s.sharpness)
      let risen = v + (upstroke - leak - w + current) * (h / s.capacitance)
      let tired = w + ((v - s.rest) * s.coupling - w) * (h / s.adaptationTau)
      let (spikes, resets) = s.derivative.spike(at: (risen - s.peak) / (s.peak - s.reset))
      return (spikes, [risen - resets * (risen - s.reset), tired + resets * s.jump])
    }
    return (spikes, State(["potential": last[0], "adaptation": last[1]]))
  }
}
