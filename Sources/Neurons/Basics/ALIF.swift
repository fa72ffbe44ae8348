import CallosumContracts
import CallosumNetworks
import CallosumTensors

/// Adaptive leaky integrate-and-fire neurons (Bellec et al. 2018), those of a long short-term memory spiking
/// network: ``LIF`` with a threshold that every spike raises and that falls back slowly,
///
///     s_t = 1 if u_t >= threshold + jump a_(t-1) else 0,   a_t = keep a_(t-1) + s_t
///
/// so that a neuron remembers its spikes for about 1 / (1 - keep) steps by being silent. [batch, time, width] ->
/// spikes [batch, time, outputWidth].
///
/// The paper's b_t counts (1 - keep) for each spike: its beta is jump / (1 - keep) here. Its pseudo-derivative
/// 0.3 / threshold · max(0, 1 - |u - threshold| / threshold) is the surrogate "triangle" with slope 1 / threshold
/// and dampening 0.3 / threshold. Parameters: those of ``LIF`` under `lif`, and `lif.neurons.keep`,
/// `lif.neurons.jump`, frozen unless learned. The state has `adaptation` a besides.
public final class ALIF: NeuronModel {
  public struct Settings: Configuration {
    /// What remains after a step of what spikes add to the threshold.
    public var adaptationKeep = 0.995
    /// How much a spike adds to the threshold.
    public var adaptationJump = 0.009
    /// Whether what remains is learned.
    public var learnsKeep = false
    /// Whether what a spike adds is learned.
    public var learnsJump = false
    /// The neurons but for their threshold's adaptation.
    public var lif = Settings.standard
    public init() {}

    /// The paper's 20 ms with a millisecond a step, and a reset one step later.
    private static var standard: LIF.Settings {
      var lif = LIF.Settings()
      (lif.leak, lif.recurrent) = (0.951229424500714, true)
      (lif.spikes.timing, lif.spikes.strict, lif.spikes.refractory) = (.nextStep, true, 2)
      lif.spikes.derivative = SurrogateSettings(.triangle, slope: 1, dampening: 0.3)
      return lif
    }

    public func validate() throws {
      try require(
        (0...1).contains(adaptationKeep), "adaptationKeep must be from 0 to 1, is \(adaptationKeep)")
      try require(adaptationJump.isFinite, "adaptationJump must be a number, is \(adaptationJump)")
      try lif.validate()
    }
  }

  public static let card = Card(
    id: "alif", name: "Adaptive leaky integrate-and-fire", family: .neurons,
    paper: Paper(
      "Long short-term memory and learning-to-learn in networks of spiking neurons",
      by: ["Guillaume Bellec", "Darjan Salaj", "Anand Subramoney", "Robert Legenstein", "Wolfgang Maass"],
      year: 2018, link: "https://arxiv.org/abs/1803.09574"),
    summary:
      "A spiking neuron whose threshold rises with every spike and falls back slowly: it remembers by being "
      + "silent, over spans far longer than its potential's.",
    verification: "the paper's equations in a plain loop of PyTorch; bit for bit LIF without adaptation")

  public static var trials: [Trial<Settings>] {
    var learned = Settings(), plain = Settings()
    (learned.learnsKeep, learned.learnsJump, learned.adaptationKeep) = (true, true, 0.8)
    (learned.adaptationJump, learned.lif.threshold, learned.lif.eachNeuron) = (0.3, 0.05, true)
    (learned.lif.scalesInput, learned.lif.leak) = (true, 0.7)
    (plain.lif.recurrent, plain.lif.spikes.timing, plain.lif.spikes.refractory) = (false, .sameStep, 0)
    (plain.adaptationJump, plain.lif.threshold) = (0.2, 0.1)
    return [
      Trial(learned, in: Slot(width: 3, outputWidth: 5, tokens: 7)),
      Trial(plain, in: Slot(width: 4, outputWidth: 3, tokens: 9)),
    ]
  }

  public let lif: LIF

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    var learning: Set<String> = []
    if settings.learnsKeep { learning.insert("keep") }
    if settings.learnsJump { learning.insert("jump") }
    lif = try LIF(
      settings.lif, adaptation: (settings.adaptationKeep, settings.adaptationJump), learning: learning,
      in: slot,
      using: &generator)
  }

  public var hasSurrogateDerivatives: Bool { true }
  public func initialState(batch: Int) -> State { lif.initialState(batch: batch) }
  public func step(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) { lif.step(x, state) }
  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) { lif(x, state) }
}
