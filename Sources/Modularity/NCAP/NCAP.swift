import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// The circuit by which a worm swims, as a controller of a chain of joints: on each side of each joint a B-neuron
/// feels how far the joint in front is bent to its side and makes the muscle of its side pull, and the muscle of
/// the other side let go, so that waves run down the body; an oscillator bends the head to and fro.
///
///     d = clip(q, 0, 1), v = clip(-q, 0, 1);  g(x) = clip(x, 0, 1), exc(w) = max(w, 0), inh(w) = min(w, 0)
///     bd_i = g(exc(w_prop) d_i-1 [i > 0] + inh(w_speed) (1 - speed) + exc(w_turn) right [i < turnJoints]
///              + exc(w_osc) od [i = 0])
///     md_i = g(exc(w_ipsi) bd_i + inh(w_contra) bv_i),   torque_i = md_i - mv_i
///
/// bv and mv likewise with v, left and ov; od = 1 in the first half of each period (rounded down), ov = 1 in the
/// rest. Without signs exc and inh leave weights as they are.
///
/// [batch, time, joints] -> the same; q from -1 to 1. With turns, right and left (0 to 1) follow the bends, with
/// speed its value (0 to 1). What is carried is the number of the step. Parameters: `proprioception`
/// [sides, joints - 1], `speed`, `ipsilateral`, `contralateral` [sides, joints], `turn` [sides, turnJoints],
/// `oscillator` [sides, 1], or [1, 1] for each where weights are shared: 4 numbers when it only swims. With sets
/// of weights, x and the steps begin with the axis of sets.
///
/// Source: Bhattasali et al., "Neural Circuit Architectural Priors for Embodied Control" (2022).
public final class NCAP: UnitMechanism, WeightSetLayer {
  public struct Settings: Configuration {
    /// Steps of time from one bend of the head to the next of the same side.
    public var period = 60
    /// Whether all joints and both sides have the same weights.
    public var shared = true
    /// Whether excitation and inhibition keep their signs.
    public var signed = true
    /// Whether weights start at 1 and -1 (without signs, either), not anywhere between.
    public var constantInit = true
    /// Whether joints feel how far the one in front is bent.
    public var proprioception = true
    /// Whether the head bends to and fro by itself.
    public var oscillator = true
    /// Whether it can be told to turn.
    public var turns = false
    /// Joints, from the head on, that turn.
    public var turnJoints = 1
    /// Whether it can be told how fast to swim.
    public var speed = false
    public init() {}

    public func validate() throws {
      try require((2...1_000_000).contains(period), "period must be from 2 to 1000000, is \(period)")
      try require(turnJoints > 0, "turnJoints must be at least 1, is \(turnJoints)")
    }
  }

  public static let kind = Kind.network
  public static let card = Card(
    id: "ncap", name: "Neural circuit architectural prior", family: .modularity,
    paper: Paper(
      "Neural Circuit Architectural Priors for Embodied Control",
      by: ["Nikhil X. Bhattasali", "Anthony M. Zador", "Tatiana A. Engel"],
      year: 2022, link: "https://arxiv.org/abs/2201.05242"),
    summary: "A worm's motor circuit as a controller: waves of bending arise from what each joint feels of "
      + "the one in front. It swims before it has learned anything, with four weights.",
    verification: "the authors' code (nikhilxb/ncap, 5be8171): torques and gradients of every weight, "
      + "shared or not, signed or not, with turns and speed")

  public static var trials: [Trial<Settings>] {
    var separate = Settings(), drawn = Settings()
    (separate.shared, separate.turns, separate.turnJoints, separate.speed) = (false, true, 2, true)
    separate.period = 5
    (drawn.constantInit, drawn.period, drawn.turns) = (false, 4, true)
    return [
      Trial(separate, in: Slot(width: 6, outputWidth: 3, tokens: 12)),
      Trial(drawn, in: Slot(width: 7, outputWidth: 5, tokens: 6)),
    ]
  }

  @Parameter public var proprioception: Tensor?
  @Parameter public var ipsilateral: Tensor
  @Parameter public var contralateral: Tensor
  @Parameter public var turn: Tensor?
  @Parameter public var speed: Tensor?
  @Parameter public var oscillator: Tensor?
  public let joints: Int
  private let settings: Settings
  public var isCausal: Bool { true }
  public var takesAnyLength: Bool { true }
  public var startsAtRandom: Bool { !settings.constantInit || !settings.signed }

  /// A joint is bent to one side at a time, so that without turns a B-neuron that is inhibited from the other
  /// side is silent anyway. An oscillator's weight of 1 or more drives the head to the end of its range.
  public var withoutGradient: [String: String] {
    guard settings.signed else { return [:] }
    var excuses: [String: String] = [:]
    if !settings.turns {
      excuses["contralateral"] = "one side's neurons are silent while the other's are active"
    }
    if settings.constantInit && !settings.speed {
      excuses["oscillator"] = "starts where its neuron saturates"
    }
    return excuses
  }

  /// - Throws: `InvalidInput` unless the slot's width is its output's and those of what it is told.
  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    self.settings = settings
    joints = slot.outputWidth
    let told = (settings.turns ? 2 : 0) + (settings.speed ? 1 : 0)
    try require(
      slot.width == slot.outputWidth + told,
      "ncap takes \(slot.outputWidth) bends and \(told) numbers that it is told, not \(slot.width)"
    )
    try require(
      !settings.turns || settings.turnJoints <= joints,
      "turnJoints must be at most the \(joints) joints, is \(settings.turnJoints)")
    func weights(_ count: Int, excites: Bool) -> Tensor {
      let shape = settings.shared ? [1, 1] : [2, count]
      switch (settings.signed, settings.constantInit) {
      case (true, true): return .full(shape, excites ? 1 : -1)
      case (true, false): return generator.uniform(shape) * (excites ? 1 : -1)
      case (false, true): return generator.bernoulli(shape, probability: 0.5).asType(.float32) * 2 - 1
      case (false, false): return generator.uniform(shape) * 2 - 1
      }
    }
    proprioception = settings.proprioception && joints > 1 ? weights(joints - 1, excites: true) : nil
    ipsilateral = weights(joints, excites: true)
    contralateral = weights(joints, excites: false)
    turn = settings.turns ? weights(settings.turnJoints, excites: true) : nil
    speed = settings.speed ? weights(joints, excites: false) : nil
    oscillator = settings.oscillator ? weights(1, excites: true) : nil
  }

  /// The number of the step, 0 before the first: [batch, 1].
  public func initialState(batch: Int) -> State { State(["step": .zeros([batch, 1])]) }

  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let time = x.dim(-2), step = state["step"]
    let later = Tensor.arange(time).asType(x.dtype)
    var next = state
    next["step"] = step + Double(time)
    return (torques(x, steps: step + later), next)
  }

  /// Torques for what is sensed at `steps` [batch, time].
  private func torques(_ x: Tensor, steps: Tensor) -> Tensor {
    // [..., sides, joints]
    let q = x.sliced(axis: -1, to: joints)
    let bends = clip(stacked([q, -q], axis: -2), min: 0, max: 1)
    func told(_ from: Int, _ count: Int) -> Tensor {
      clip(x.sliced(axis: -1, from: from, to: from + count), min: 0, max: 1)
    }
    /// A drive for `count` joints, or none.
    func drive(_ count: Int, _ values: Tensor?) -> Tensor {
      values ?? .zeros(bends.shape.dropLast() + [count], dtype: x.dtype)
    }
    // The head hears the oscillator, every other joint the one in front.
    let rhythm = drive(1, oscillator.map { self.rhythm(steps, x) * exciting($0, x) })
    let felt = proprioception.map { bends.sliced(axis: -1, to: joints - 1) * exciting($0, x) }
    var input = joints == 1 ? rhythm : concatenated([rhythm, drive(joints - 1, felt)], axis: -1)
    if let weight = speed {
      let brake = 1 - told(joints + (settings.turns ? 2 : 0), 1).expandedDimensions(axis: -2)
      input = input + brake * inhibiting(weight, x)
    }
    if let weight = turn {
      let sides = told(joints, 2).expandedDimensions(axis: -1)
      let ones = Tensor.ones([settings.turnJoints], dtype: x.dtype)
      let turning = sides * exciting(weight, x) * ones
      let others = [(before: Int, after: Int)](repeating: (0, 0), count: turning.ndim - 1)
      input = input + turning.padded(others + [(before: 0, after: joints - settings.turnJoints)])
    }
    let neurons = signal("neurons", clip(input, min: 0, max: 1))
    let others = neurons.flipped(axes: [neurons.ndim - 2])
    let muscles = signal(
      "muscles",
      clip(neurons * exciting(ipsilateral, x) + others * inhibiting(contralateral, x), min: 0, max: 1))
    return (muscles.sliced(axis: -2, to: 1) - muscles.sliced(axis: -2, from: 1)).squeezed(axis: -2)
  }

  /// 1 for the side whose half of the period it is, [..., sides, 1].
  private func rhythm(_ steps: Tensor, _ x: Tensor) -> Tensor {
    let phase = steps % Double(settings.period)
    let first = (phase .< Double(settings.period / 2)).asType(x.dtype)
    return stacked([first, 1 - first], axis: -1).expandedDimensions(axis: -1)
  }

  private func exciting(_ weight: Tensor, _ x: Tensor) -> Tensor {
    spread(settings.signed ? relu(weight) : weight, x)
  }

  private func inhibiting(_ weight: Tensor, _ x: Tensor) -> Tensor {
    spread(settings.signed ? -relu(-weight) : weight, x)
  }

  /// Sets of weights [sets, sides, count] beside x [sets, batch, time, n].
  private func spread(_ weight: Tensor, _ x: Tensor) -> Tensor {
    weight.ndim == 2 ? weight : weight.reshaped([weight.dim(0), 1, 1] + weight.shape.dropFirst())
  }
}
