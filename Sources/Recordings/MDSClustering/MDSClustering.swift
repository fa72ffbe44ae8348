import CallosumContracts
import CallosumTensors

/// Cells clustered by the stimuli that tell them apart (Burg et al. 2023). Each cluster c has a stimulus x_c,
/// and two steps alternate:
///
///     x_c <- x_c + learningRate dJ_c/dx_c, some steps, for every c       ``Discriminability``
///     cell n goes to the cluster whose stimulus it answers most: argmax_c r_n(x_c)
///
/// until no cell moves; clusters without cells are dropped. Then clusters are split and merged as long as the
/// mean loss -J falls (``run(_:)``). A new cell needs K responses: ``assign(_:)``.
///
/// What a cell's responses are scaled by (its gain) or shifted by cancels in the assignment, since a cell is
/// compared with itself; what one stimulus adds to all responses does not, and nothing cancels in a cluster's
/// mean. Give ``ResponseModel/divisor`` where cells answer on different scales.
///
/// Our K, tau are `clusters`, `temperature`; stimuli are channels-last. Beside the released code: it optimises
/// one stimulus after the other, we all in one batch, which is the same; its merging is unfinished, ours
/// mirrors its splitting; a split that fails leaves its optimiser at one step, ours as it was.
public struct MDSClustering: Procedure {
  public struct Settings: Configuration {
    /// Clusters to start from; cells that are fewer have as many clusters.
    public var clusters = 5
    /// Divides mean responses: the smaller, the more the strongest rival counts.
    public var temperature = 1.6
    /// Whether J has its log term; without, each stimulus only drives its own cluster.
    public var contrasts = true
    /// Step of the ascent by a stimulus.
    public var learningRate = 100.0
    /// Steps of ascent between two assignments.
    public var steps = 50
    /// Rounds of ascent and assignment, at most.
    public var iterations = 10
    /// Ascent stops when the running average of the loss has not fallen for more than so many steps.
    public var patience = 100
    /// Share of itself that the running average of the loss keeps at each step.
    public var averaging = 0.9
    /// Whether ascent goes on from the stimulus before, rather than from a new one.
    public var keepsStimuli = true
    /// Euclidean norm that each stimulus is scaled to; 0 leaves it free.
    public var norm = 0.0
    /// Lowest and highest value that stimuli are clipped to; empty for none.
    public var range: [Double] = []
    /// What divisors of responses are at least.
    public var leastDivisor = 0.1

    /// Rounds in which every cluster is tried to be split, and merged with the one most like it; 0 for none.
    public var rounds = 10
    /// Whether clusters are merged too, not only split.
    public var merges = true
    /// Clusters to start from inside one that is split.
    public var parts = 5
    /// Rounds of ascent and assignment inside a cluster that is split, at most.
    public var partIterations = 50
    /// Steps of ascent between two assignments inside a cluster that is split.
    public var partSteps = 1
    /// Steps of ascent from new stimuli, for the loss before and after a split or merger.
    public var estimateSteps = 20
    /// Steps of ascent at the very end.
    public var finalSteps = 100
    public init() {}

    public func validate() throws {
      try require((1...10_000).contains(clusters), "clusters must be from 1 to 10000, is \(clusters)")
      try require(temperature > 0, "temperature must be above 0, is \(temperature)")
      try require(learningRate > 0, "learningRate must be above 0, is \(learningRate)")
      try require(
        [steps, iterations, patience, rounds, partIterations, partSteps, estimateSteps, finalSteps]
          .allSatisfy { (0...1_000_000).contains($0) },
        "steps, iterations, patience and rounds must be from 0 to 1000000")
      try require((0..<1).contains(averaging), "averaging must be from 0 to below 1, is \(averaging)")
      try require(norm >= 0 && leastDivisor >= 0, "norm and leastDivisor must be at least 0")
      try require(
        range.isEmpty || range.count == 2 && range[0] < range[1],
        "range must be empty or a lower and a higher number, is \(range)")
      try require(parts >= 2, "parts must be at least 2, is \(parts)")
    }
  }

  public static let card = Card(
    id: "mds-clustering", name: "Most discriminative stimuli", family: .recordings,
    paper: Paper(
      "Most discriminative stimuli for functional cell type clustering",
      by: [
        "Max F. Burg", "Thomas Zenkel", "Michaela Vystrčilová", "Jonathan Oesterle", "Larissa Höfling",
        "Konstantin F. Willeke", "Jan Lause", "Sarah Müller", "Paul G. Fahey", "Zhiwei Ding",
        "Kelli Restivo", "Shashwat Sridhar", "Tim Gollisch", "Philipp Berens", "Andreas S. Tolias",
        "Thomas Euler", "Matthias Bethge", "Alexander S. Ecker",
      ],
      year: 2023, link: "https://arxiv.org/abs/2401.05342"),
    summary: "Clusters cells by stimuli that are optimised to drive one cluster and no other through a model "
      + "of their responses; a new cell is told by its responses to these few stimuli.",
    verification: "the authors' ContrastiveNeuronUnif, KMeans and splitting (commit f7cc392) in float64: "
      + "objective, gradients, assignments and stimuli of the whole loop to 1e-9")

  public static var trials: [Trial<Settings>] {
    var three = Settings(), alone = Settings()
    (three.clusters, three.temperature) = (3, 0.7)
    (alone.clusters, alone.contrasts) = (2, false)
    return [
      Trial(three, in: Slot(width: 7, tokens: 5)), Trial(alone, in: Slot(width: 5, tokens: 2)),
    ]
  }

  /// What to cluster.
  public struct Subject {
    public var model: ResponseModel
    public var generator: RandomGenerator
    /// What stimuli start from: so many [count, stimulusShape...]; white noise if nil.
    public var start: ((_ count: Int, inout RandomGenerator) -> Tensor)?
    /// The first cluster of each cell; random groups of one size if nil.
    public var assignment: [Int]?

    public init(_ model: ResponseModel, using generator: RandomGenerator) {
      (self.model, self.generator) = (model, generator)
    }
  }

  /// Clusters and their stimuli.
  public struct Outcome {
    /// [clusters, stimulusShape...]
    public let stimuli: Tensor
    /// The cluster of each cell.
    public let assignment: [Int]
    /// Of the model to the stimuli, not normalised, [clusters, cells].
    public let responses: Tensor
    /// J of each stimulus.
    public let objectives: [Double]
    /// The number of clusters after the first loop, and after each round of splits and merges.
    public let history: [Int]
    public var clusters: Int { stimuli.dim(0) }
  }

  public let settings: Settings

  /// - Throws: `InvalidInput` for settings that make no sense.
  public init(_ settings: Settings = Settings()) throws {
    try settings.validate()
    self.settings = settings
  }

  /// The cluster of cells of which only responses to the stimuli are known, [cells, clusters].
  public static func assign(_ responses: Tensor) -> [Int] {
    responses.argMax(axis: -1).doubles.map { Int($0) }
  }

  /// The loop, then rounds of splits and merges, then ascent to the end.
  /// - Throws: `InvalidInput` if the first assignment does not fit or the objective grows beyond all bounds.
  public func run(_ input: Subject) throws -> Outcome {
    var loop = try MDSLoop(settings, input)
    var now = try loop.settled(loop.firstState(input.assignment), of: loop.everyCell)
    var history = [now.clusters]
    for _ in 0..<settings.rounds {
      var hasChanged = false
      for cluster in 0..<now.clusters where cluster < now.clusters {
        guard let better = try loop.split(cluster, of: now) else { continue }
        (now, hasChanged) = (better, true)
      }
      for cluster in 0..<(settings.merges ? now.clusters : 0) where cluster < now.clusters {
        guard let better = try loop.merged(cluster, of: now) else { continue }
        (now, hasChanged) = (better, true)
      }
      history.append(now.clusters)
      if !hasChanged { break }
    }
    now.stimuli = try loop.ascent(
      now.stimuli, now.assignment, of: loop.everyCell, steps: now.clusters > 1 ? settings.finalSteps : 0)
    return Outcome(
      stimuli: now.stimuli, assignment: now.assignment,
      responses: input.model.responses(now.stimuli),
      objectives: loop.ascent.objectives(now.stimuli, now.assignment, of: loop.everyCell).doubles,
      history: history)
  }

  /// J and the assignment for responses that are given.
  public static func door(
    _ settings: Settings, in slot: Slot, using generator: inout RandomGenerator
  ) throws -> Door {
    let objective = Discriminability(temperature: settings.temperature, contrasts: settings.contrasts)
    let clusters = settings.clusters, cells = TensorPort.Extent.fixed(slot.width)
    let batch = TensorPort.Extent.free("batch")
    return Door(
      inputs: [
        TensorPort("responses", [batch, .fixed(clusters), cells]),
        TensorPort("assignment", [batch, cells], .indices(below: clusters)),
        TensorPort("subtracted", [cells], isOptional: true),
        TensorPort("divisor", [cells], isOptional: true),
      ],
      outputs: [
        TensorPort("objective", [batch, .fixed(clusters)]),
        TensorPort("nearest", [batch, cells], .indices(below: clusters)),
      ]
    ) { tensors, _ in
      guard let responses = tensors["responses"], let assignment = tensors["assignment"] else { return [:] }
      var model = ResponseModel(cells: slot.width, stimulusShape: []) { $0 }
      (model.subtracted, model.divisor) = (tensors["subtracted"], tensors["divisor"])
      let r = model.normalised(responses, leastDivisor: settings.leastDivisor)
      return [
        "objective": objective(r, Discriminability.weights(assignment, clusters: clusters)),
        "nearest": stopGradient(responses).argMax(axis: -2),
      ]
    }
  }
}
