import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The equations of Hodgkin and Huxley (1952) for the membrane of the squid's giant axon, with potentials as they are
/// counted today (rest near -65 mV), in mV, ms, µF/cm², mS/cm² and µA/cm²:
///
///     C v' = I - gNa m³ h (v - ENa) - gK n⁴ (v - EK) - gL (v - EL)
///     x' = alpha_x(v) (1 - x) - beta_x(v) x    for the gates m, h, n
///
/// Each of the four is linear in itself and is solved so over a step with the others held (exponential Euler), which
/// stays stable where Euler's method does not. A spike is where v comes above 0. I = scale (W x + bias).
///
/// Parameters: `weights` W [outputWidth, width] and bias. State, [batch, outputWidth]: `potential` v, and the gates
/// `activation` m, `inactivation` h, `rectifier` n. The surrogate sees v / 65 mV.
public final class HodgkinHuxley: PointNeuron {
  public struct Settings: Configuration {
    /// Capacitance C (µF/cm²).
    public var capacitance = 1.0
    /// Largest conductance for sodium (mS/cm²).
    public var sodium = 120.0
    /// Largest conductance for potassium (mS/cm²).
    public var potassium = 36.0
    /// Conductance of the leak (mS/cm²).
    public var leak = 0.3
    /// Potential at which sodium is at rest (mV).
    public var sodiumRest = 50.0
    /// Potential at which potassium is at rest (mV).
    public var potassiumRest = -77.0
    /// Potential at which the leak is at rest (mV).
    public var leakRest = -54.387
    /// Current of an input of 1 (µA/cm²).
    public var scale = 20.0
    /// Time of a token, and steps in it.
    public var time = TimeSettings(1, substeps: 20)
    /// What stands for the derivative of a spike.
    public var derivative = SurrogateSettings()
    public init() {}

    public func validate() throws {
      for (name, value) in [
        ("capacitance", capacitance), ("sodium", sodium), ("potassium", potassium), ("leak", leak),
      ] {
        try require(value > 0 && value.isFinite, "\(name) must be above 0, is \(value)")
      }
      for (name, value) in [
        ("sodiumRest", sodiumRest), ("potassiumRest", potassiumRest), ("leakRest", leakRest),
        ("scale", scale),
      ] {
        try require(value.isFinite, "\(name) must be a number, is \(value)")
      }
      try time.validate()
      try derivative.validate()
    }
  }

  public static let card = Card(
    id: "hodgkin-huxley", name: "Hodgkin-Huxley neuron", family: .neurons,
    paper: Paper(
      "A quantitative description of membrane current and its application to conduction and excitation in nerve",
      by: ["Alan L. Hodgkin", "Andrew F. Huxley"], year: 1952,
      link: "https://doi.org/10.1113/jphysiol.1952.sp004764"),
    summary:
      "The membrane of an axon with its channels for sodium and potassium: spikes come from the equations and "
      + "not from a threshold.",
    verification: "Brian2 2.9.0: spikes and states; gradients against the equations in PyTorch")

  public static var trials: [Trial<Settings>] {
    var strong = Settings(), coarse = Settings()
    (strong.scale, strong.sodium) = (200, 140)
    (coarse.scale, coarse.time, coarse.capacitance) = (300, TimeSettings(2, substeps: 20), 1.5)
    return [
      Trial(strong, in: Slot(width: 5, outputWidth: 3, tokens: 9)),
      Trial(coarse, in: Slot(width: 3, outputWidth: 4, tokens: 6)),
    ]
  }

  public let weights: Linear
  private let settings: Settings
  private static let start = -65.0

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    weights = Linear(slot.width, slot.outputWidth, using: &generator)
  }

  /// At rest: the gates where -65 mV leaves them.
  public func initialState(batch: Int) -> State {
    let v = Tensor.full([batch, weights.weight.dim(0)], Self.start, dtype: .float64)
    let gates = rates(v).map { $0.alpha / ($0.alpha + $0.beta) }
    return State(["potential": v, "activation": gates[0], "inactivation": gates[1], "rectifier": gates[2]])
      .mapped { $0.asType(.float32) }
  }

  /// How fast m, h and n open and close (1/ms).
  private func rates(_ v: Tensor) -> [(alpha: Tensor, beta: Tensor)] {
    [
      (linearOverExponential((v + 40) / 10), exp((v + 65) / -18) * 4),
      (exp((v + 65) / -20) * 0.07, sigmoid((v + 35) / 10)),
      (linearOverExponential((v + 55) / 10) * 0.1, exp((v + 65) / -80) * 0.125),
    ]
  }

  func advanced(_ current: Tensor, _ state: State) -> (spikes: Tensor, state: State) {
    let s = settings, h = s.time.step, current = current * s.scale
    let names = ["potential", "activation", "inactivation", "rectifier"]
    let (spikes, last) = s.time.run(names.map { state[$0] }) { state in
      let v = state[0]
      let gates = zip(state.dropFirst(), rates(v)).map { gate, rate in
        relaxed(gate, to: rate.alpha / (rate.alpha + rate.beta), by: (rate.alpha + rate.beta) * h)
      }
      let sodium = state[1] * state[1] * state[1] * state[2] * s.sodium
      let potassium = square(square(state[3])) * s.potassium
      let whole = sodium + potassium + s.leak
      let drawn = sodium * s.sodiumRest + potassium * s.potassiumRest + s.leak * s.leakRest + current
      let risen = relaxed(v, to: drawn / whole, by: whole * (h / s.capacitance))
      let wasBelow = stopGradient((v .< 0).asType(v.dtype))
      let spikes = s.derivative.spike(at: risen / -Self.start).spikes * wasBelow
      return (spikes, [risen] + gates)
    }
    return (spikes, State(Dictionary(uniqueKeysWithValues: zip(names, last))))
  }
}

/// Where x is after a share 1 - exp(-time) of the way to its limit.
private func relaxed(_ x: Tensor, to limit: Tensor, by time: Tensor) -> Tensor {
  limit + (x - limit) * exp(-time)
}

/// x / (1 - exp(-x)), which is 1 at 0.
private func linearOverExponential(_ x: Tensor) -> Tensor {
  let isSmall = abs(x) .< 1e-4
  let safe = which(isSmall, x.constant(1), x)
  return which(isSmall, 1 + x / 2, safe / -expm1(-safe))
}
