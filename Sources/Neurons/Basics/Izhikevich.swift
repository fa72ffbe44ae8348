import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Izhikevich's simple model of a spiking neuron (2003), potentials v in mV and time in ms:
///
///     v' = 0.04 v² + 5 v + 140 - u + I,   u' = a (b v - u)
///     where v >= 30:  v <- c,  u <- u + d
///
/// by Euler's method, half a millisecond a step as in the paper (which steps u once for two steps of v). Four numbers
/// make it one of twenty kinds of neurons (``Kind``). I = scale (W x + b).
///
/// Parameters: `weights` W [outputWidth, width] and b. State, [batch, outputWidth]: `potential` v, `recovery` u. The
/// surrogate sees (v - 30) / (30 - c).
public final class Izhikevich: PointNeuron {
  /// Kinds of neurons by the paper's figure 2.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case regularSpiking = "regular spiking"
    case intrinsicallyBursting = "intrinsically bursting"
    case chattering
    case fastSpiking = "fast spiking"
    case lowThreshold = "low-threshold spiking"
    case resonator
    /// By `a`, `b`, `c` and `d`.
    case own

    var numbers: (a: Double, b: Double, c: Double, d: Double)? {
      switch self {
      case .regularSpiking: (0.02, 0.2, -65, 8)
      case .intrinsicallyBursting: (0.02, 0.2, -55, 4)
      case .chattering: (0.02, 0.2, -50, 2)
      case .fastSpiking: (0.1, 0.2, -65, 2)
      case .lowThreshold: (0.02, 0.25, -65, 2)
      case .resonator: (0.1, 0.26, -65, 2)
      case .own: nil
      }
    }
  }

  public struct Settings: Configuration {
    /// The kind of neuron; with "own" the four numbers below count.
    public var kind = Kind.regularSpiking
    /// Rate of the recovery (1/ms), for a neuron of your own.
    public var a = 0.02
    /// How the recovery follows the potential, for a neuron of your own.
    public var b = 0.2
    /// Potential after a spike (mV), for a neuron of your own.
    public var c = -65.0
    /// What a spike adds to the recovery, for a neuron of your own.
    public var d = 8.0
    /// Current of an input of 1.
    public var scale = 10.0
    /// Time of a token, and steps in it.
    public var time = TimeSettings(1, substeps: 2)
    /// What stands for the derivative of a spike.
    public var derivative = SurrogateSettings()
    public init() {}

    public func validate() throws {
      try require(c < 30, "c must be below 30 mV, is \(c)")
      for (name, value) in [("a", a), ("b", b), ("c", c), ("d", d), ("scale", scale)] {
        try require(value.isFinite, "\(name) must be a number, is \(value)")
      }
      try time.validate()
      try derivative.validate()
    }
  }

  public static let card = Card(
    id: "izhikevich", name: "Izhikevich neuron", family: .neurons,
    paper: Paper(
      "Simple model of spiking neurons", by: ["Eugene M. Izhikevich"], year: 2003,
      link: "https://doi.org/10.1109/TNN.2003.820440"),
    summary:
      "Two equations and a reset that show the firing patterns of cortical neurons, from regular spiking to "
      + "bursts, at little cost.",
    verification: "Brian2 2.9.0: spikes and states; gradients against the equations in PyTorch")

  public static var trials: [Trial<Settings>] {
    var bursting = Settings(), own = Settings()
    (bursting.kind, bursting.derivative.detachesReset, bursting.scale) = (.chattering, false, 60)
    (own.kind, own.a, own.c, own.d, own.scale, own.time) = (
      .own, 0.1, -60, 3, 80, TimeSettings(2, substeps: 5)
    )
    return [
      Trial(bursting, in: Slot(width: 5, outputWidth: 3, tokens: 9)),
      Trial(own, in: Slot(width: 3, outputWidth: 4, tokens: 6)),
    ]
  }

  public let weights: Linear
  private let settings: Settings
  private let a, b, c, d: Double

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    (a, b, c, d) = settings.kind.numbers ?? (settings.a, settings.b, settings.c, settings.d)
    weights = Linear(slot.width, slot.outputWidth, using: &generator)
  }

  public func initialState(batch: Int) -> State {
    let shape = [batch, weights.weight.dim(0)]
    return State(["potential": .full(shape, c), "recovery": .full(shape, b * c)])
  }

  func advanced(_ current: Tensor, _ state: State) -> (spikes: Tensor, state: State) {
    let h = settings.time.step, current = current * settings.scale
    let (spikes, last) = settings.time.run([state["potential"], state["recovery"]]) { state in
      let (v, u) = (state[0], state[1])
      let risen = v + (v * (v * 0.04 + 5) + 140 - u + current) * h
      let recovered = u + (v * b - u) * (a * h)
      let (spikes, resets) = settings.derivative.spike(at: (risen - 30) / (30 - c))
      return (spikes, [risen - resets * (risen - c), recovered + resets * d])
    }
    return (spikes, State(["potential": last[0], "recovery": last[1]]))
  }
}
