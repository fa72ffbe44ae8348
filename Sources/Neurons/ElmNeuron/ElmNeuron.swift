import CallosumContracts
import CallosumNetworks
import CallosumTensors
import Foundation

/// The Expressive Leaky Memory neuron (Spieler et al. 2023): leaky synapses, branches that add them up, and
/// a leaky memory of many time constants that a small network writes to, from the branches and from what is
/// left of the memory.
///
///     s_t = ks s_(t-1) + relu(w) x_t          traces of the synapses (v1), [synapses]
///     u_t = sums of s_t inside each branch    [branches]; v2 sums first and keeps a trace for each branch
///     d_t = 1.7159 tanh(2/3 (A2 f(A1 [u_t, km m_(t-1)] + a1) + a2))
///     m_t = km m_(t-1) + gain d_t             [memories]
///     y_t = Wy m_t + b
///
/// with ks = exp(-timeStep / synapseTau), km = exp(-timeStep / tau), gain = lambda (1 - km) in v1 and
/// 1 - exp(-timeStep lambda / tau) in v2. [batch, time, width] -> [batch, time, outputWidth].
///
/// Parameters: `synapses` w [branches × synapsesPerBranch], `hidden` A1 and a1, `writing` A2 and a2,
/// `output` Wy and b, and where time constants are learned `timescales` p [memories], with tau = shortest +
/// (longest - shortest) sigmoid(p); otherwise that is a buffer. The synapses of a branch lie side by side.
///
/// The sequence mode is exact, not an approximation: traces of one time constant may be added up before the
/// scan or after it, so v1 scans branches too, and works out the traces of its synapses for the last step only.
public final class ElmNeuron: NeuronModel {
  /// Which of the authors' two models.
  public enum Version: String, Codable, Sendable, CaseIterable {
    /// A trace for each synapse.
    case v1
    /// A trace for each branch, and a gain that stays below 1.
    case v2
  }

  /// Which input each synapse listens to.
  public enum Routing: String, Codable, Sendable, CaseIterable {
    /// Its own: as many synapses as inputs.
    case none
    /// One drawn at random.
    case random
    /// Windows that overlap, a branch each, over the inputs' two halves interleaved (excitatory and
    /// inhibitory in the authors' data); what lies beyond the last input is masked.
    case interleaved
  }

  public struct Settings: Configuration {
    /// Which of the authors' two models: traces for each synapse, or for each branch.
    public var version = Version.v1
    /// Memory units, each with a time constant.
    public var memories = 20
    /// Branches that add up their synapses; 0 for as many as inputs.
    public var branches = 0
    /// Synapses of each branch.
    public var synapsesPerBranch = 1
    /// Which input each synapse listens to.
    public var routing = Routing.none
    /// Units of the hidden layer; 0 for two for each memory.
    public var hidden = 0
    /// What hidden units do.
    public var activation = LeakyMemoryActivation.relu
    /// Time constant of the synapses, in the unit of `timeStep`.
    public var synapseTau = 5.0
    /// Shortest time constant of a memory unit, in the unit of `timeStep`.
    public var shortestTau = 1.0
    /// Longest time constant of a memory unit, in the unit of `timeStep`.
    public var longestTau = 1000.0
    /// Whether the time constants of the memory are learned.
    public var learnsTimescales = false
    /// How strongly a step writes to the memory, a factor.
    public var lambda = 5.0
    /// Weight that every synapse starts with.
    public var synapseStart = 0.5
    /// Time from one step to the next, such as 1 ms.
    public var timeStep = 1.0
    public init() {}

    public func validate() throws {
      for (name, value) in [("memories", memories), ("synapsesPerBranch", synapsesPerBranch)] {
        try require((1...100_000).contains(value), "\(name) must be from 1 to 100000, is \(value)")
      }
      for (name, value) in [("branches", branches), ("hidden", hidden)] {
        try require((0...100_000).contains(value), "\(name) must be from 0 to 100000, is \(value)")
      }
      for (name, value) in [
        ("synapseTau", synapseTau), ("shortestTau", shortestTau), ("lambda", lambda), ("timeStep", timeStep),
      ] {
        try require(value > 0 && value.isFinite, "\(name) must be above 0, is \(value)")
      }
      try require(synapseStart.isFinite, "synapseStart must be a number, is \(synapseStart)")
      try require(
        longestTau > shortestTau + 3e-6 && longestTau.isFinite,
        "longestTau must be above shortestTau, is \(longestTau) against \(shortestTau)")
    }
  }

  public static let card = Card(
    id: "elm-neuron", name: "Expressive Leaky Memory neuron", family: .neurons,
    paper: Paper(
      "The Expressive Leaky Memory Neuron: an Efficient and Expressive Phenomenological "
        + "Neuron Model Can Solve Long-Horizon Tasks",
      by: ["Aaron Spieler", "Nasim Rahaman", "Georg Martius", "Bernhard Schölkopf", "Anna Levina"],
      year: 2023, link: "https://arxiv.org/abs/2306.16922"),
    summary: "One neuron with leaky synapses, branches and a memory of many time constants that a small "
      + "network writes to: as expressive as a detailed pyramidal cell with a few thousand parameters.",
    verification: "the authors' elmneuron (commit 52e68a6), both versions: outputs, gradients by every "
      + "parameter, their published weights over 500 steps; exact parameter counts")

  public static var trials: [Trial<Settings>] {
    var overlapping = Settings(), drawn = Settings()
    (overlapping.routing, overlapping.branches, overlapping.synapsesPerBranch) = (.interleaved, 3, 4)
    (overlapping.memories, overlapping.learnsTimescales, overlapping.longestTau) = (5, true, 50)
    (drawn.version, drawn.routing, drawn.branches, drawn.synapsesPerBranch) = (.v2, .random, 2, 3)
    (drawn.memories, drawn.hidden, drawn.activation, drawn.timeStep) = (1, 7, .silu, 0.5)
    return [
      Trial(overlapping, in: Slot(width: 7, outputWidth: 2, tokens: 6)),
      Trial(drawn, in: Slot(width: 5, outputWidth: 3, tokens: 5)),
    ]
  }

  @Parameter public var synapses: Tensor
  @Parameter public var timescales: Tensor?
  public let hidden: Linear
  public let writing: Linear
  public let output: Linear
  /// Time constants as above, where they are not learned.
  @Buffer public var fixedTimescales: Tensor?
  /// The input of each synapse, int32, and 0 for a synapse that has none.
  @Buffer public var routes: Tensor?
  @Buffer public var valid: Tensor?
  private let settings: Settings
  private let width, branches: Int

  public init(_ settings: Settings, in slot: Slot, using generator: inout RandomGenerator) throws {
    (self.settings, width) = (settings, slot.width)
    branches = settings.branches == 0 ? slot.width : settings.branches
    let count = branches * settings.synapsesPerBranch
    let units = settings.hidden == 0 ? 2 * settings.memories : settings.hidden
    hidden = Linear(branches + settings.memories, units, using: &generator)
    writing = Linear(units, settings.memories, using: &generator)
    output = Linear(settings.memories, slot.outputWidth, using: &generator)
    synapses = .full([count], settings.synapseStart)
    let scales = settings.startingTimescales
    timescales = settings.learnsTimescales ? scales : nil
    fixedTimescales = settings.learnsTimescales ? nil : scales
    switch settings.routing {
    case .none:
      try require(
        count == slot.width,
        "elm-neuron without routing needs as many synapses as inputs, \(slot.width), not \(branches) × "
          + "\(settings.synapsesPerBranch)")
    case .random:
      routes = generator.integers([count], low: 0, high: slot.width)
      valid = .ones([count])
    case .interleaved:
      let (places, present) = try settings.windows(over: slot.width, branches: branches)
      (routes, valid) = (Tensor(places.map(Int32.init)), Tensor(present.map { $0 ? Float(1) : 0 }))
    }
  }

  public func initialState(batch: Int) -> State {
    let traces = settings.version == .v1 ? synapses.size : branches
    return State(["memory": .zeros([batch, settings.memories]), "trace": .zeros([batch, traces])])
  }

  /// Time constants of the memory, [memories].
  public var taus: Tensor {
    let scales = timescales ?? fixedTimescales ?? .zeros([settings.memories])
    return sigmoid(scales) * (settings.longestTau - settings.shortestTau) + settings.shortestTau
  }

  // MARK: A step, as the formulas say

  public func step(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    let arriving = weights * routed(x)
    let trace: Tensor, sums: Tensor
    switch settings.version {
    case .v1:
      trace = state["trace"] * synapseKeep + arriving
      sums = branchSums(trace)
    case .v2:
      trace = state["trace"] * synapseKeep + branchSums(arriving)
      sums = trace
    }
    let (keep, gain) = memoryFactors
    let kept = keep * state["memory"]
    let inner = hidden(concatenated([sums, kept], axis: 1))
    let active = settings.activation == .silu ? silu(inner) : relu(inner)
    let memory = kept + gain * tanh(writing(active) * (2.0 / 3)) * 1.7159
    return (output(memory), State(["memory": memory, "trace": trace]))
  }

  // MARK: A sequence

  /// All steps at once but for the memory's own loop, which is one kernel.
  public func forward(_ x: Tensor, _ state: State) -> (output: Tensor, state: State) {
    precondition(
      x.ndim == 3 && x.dim(1) > 0 && x.dim(2) == width, "ElmNeuron",
      "needs [batch, time, \(width)], got the shape \(x.shape)")
    let before = state["trace"]
    let drive = branchDrive(x)
    let traces = linearRecurrence(
      Tensor.full([], synapseKeep, dtype: x.dtype).broadcast(to: drive.shape), drive,
      initial: settings.version == .v1 ? branchSums(before) : before)
    let fromBranches = hidden.weight.sliced(axis: 1, to: branches)
    let sums = linear(traces, weight: fromBranches, bias: hidden.bias)
    let (keep, gain) = memoryFactors
    let fromMemory = LeakyMemoryWeights(
      inner: hidden.weight.sliced(axis: 1, from: branches), outer: writing.weight,
      bias: writing.bias ?? .zeros([settings.memories]), keep: keep, gain: gain)
    let memory = signal(
      "memory",
      leakyMemory(sums, weights: fromMemory, initial: state["memory"], activation: settings.activation))
    let after = State([
      "memory": memory.sliced(axis: 1, from: x.dim(1) - 1).squeezed(axis: 1),
      "trace": settings.version == .v1
        ? lastSynapseTraces(x, before) : traces.sliced(axis: 1, from: x.dim(1) - 1).squeezed(axis: 1),
    ])
    return (output(memory), after)
  }

  /// What arrives at each branch, [batch, time, branches]: with routing a product with the matrix of all
  /// synapses between an input and a branch, which is less work than giving each synapse its input.
  private func branchDrive(_ x: Tensor) -> Tensor {
    guard let routes else {
      let arriving = weights * x
      return settings.synapsesPerBranch == 1 ? arriving : branchSums(arriving)
    }
    let owners = Tensor((0..<synapses.size).map { Int32($0 / settings.synapsesPerBranch) })
    let places = routes * Int32(branches).tensor + owners
    let matrix = weights.scatterAdded(at: places, count: width * branches).reshaped([width, branches])
    return matmul(x, matrix)
  }

  /// s after the last step: what was there before and every input, decayed by its age.
  private func lastSynapseTraces(_ x: Tensor, _ before: Tensor) -> Tensor {
    let time = x.dim(1)
    let ages = Tensor((0..<time).map { pow(synapseKeep, Double(time - 1 - $0)) }, [1, time]).asType(x.dtype)
    let decayed = matmul(ages, x).squeezed(axis: 1)
    return before * pow(synapseKeep, Double(time)) + weights * routed(decayed)
  }

  // MARK: What both share

  /// ks
  private var synapseKeep: Double { exp(-settings.timeStep / settings.synapseTau) }

  /// Weights of the synapses, never negative, 0 where there is none.
  private var weights: Tensor { valid.map { relu(synapses) * $0 } ?? relu(synapses) }

  /// km and the gain of what is written.
  private var memoryFactors: (keep: Tensor, gain: Tensor) {
    let taus = taus, keep = exp(-settings.timeStep / taus)
    switch settings.version {
    case .v1: return (keep, (1 - keep) * settings.lambda)
    case .v2: return (keep, 1 - exp(-settings.timeStep * settings.lambda / taus))
    }
  }

  /// [batch, width] -> [batch, synapses]
  private func routed(_ x: Tensor) -> Tensor { routes.map { x.take($0, axis: 1) } ?? x }

  /// [..., synapses] -> [..., branches]
  private func branchSums(_ x: Tensor) -> Tensor {
    x.reshaped(x.shape.dropLast() + [branches, settings.synapsesPerBranch]).sum(axis: -1)
  }
}

extension ElmNeuron.Settings {
  /// p for time constants spaced evenly in their logarithm from the shortest to the longest.
  var startingTimescales: Tensor {
    let (low, high) = (log(shortestTau + 1e-6), log(longestTau - 1e-6))
    return Tensor(
      (0..<memories).map { place in
        let tau = exp(low + (high - low) * Double(place) / Double(max(memories - 1, 1)))
        let inside = min(max(tau, shortestTau + 1e-6), longestTau - 1e-6)
        return Float(log((inside - shortestTau) / (longestTau - inside)))
      })
  }

  /// The input of each synapse, and whether there is one.
  func windows(over width: Int, branches: Int) throws -> (places: [Int], present: [Bool]) {
    let stride = (width + branches - 1) / branches
    try require(
      stride <= synapsesPerBranch,
      "elm-neuron: \(branches) branches of \(synapsesPerBranch) synapses do not cover \(width) inputs")
    let windows = (0..<branches).flatMap { branch in (0..<synapsesPerBranch).map { branch * stride + $0 } }
    // The halves interleaved: 0, half, 1, half + 1, ...
    let places = windows.map { at in
      let inside = min(at, width - 1)
      return inside % 2 * (width / 2) + inside / 2
    }
    return (places, windows.map { $0 < width })
  }
}

extension Int32 {
  fileprivate var tensor: Tensor { Tensor([self]) }
}
