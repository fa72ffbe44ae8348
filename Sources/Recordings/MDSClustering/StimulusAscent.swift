import CallosumContracts
import CallosumTensors

/// Gradient ascent of stimuli, each on its own J, all in one batch: J of a stimulus does not depend on the
/// others. The gradient goes to the stimuli alone; none of the model's weights is computed or kept.
struct StimulusAscent {
  let model: ResponseModel
  let settings: MDSClustering.Settings

  private var objective: Discriminability {
    Discriminability(temperature: settings.temperature, contrasts: settings.contrasts)
  }

  /// Stimuli scaled to the norm of the settings, then clipped to their range.
  func constrained(_ stimuli: Tensor) -> Tensor {
    var x = stimuli
    if settings.norm > 0 {
      let norms = sqrt(square(x).sum(axes: Array(1..<x.ndim), keepDims: true))
      x = x * (settings.norm / norms)
    }
    guard let low = settings.range.first, let high = settings.range.last else { return x }
    return clip(x, min: low, max: high)
  }

  /// J of each stimulus [clusters] for clusters of the cells `members`.
  func objectives(_ stimuli: Tensor, _ assignment: [Int], of members: [Int]) -> Tensor {
    let indices = Tensor(assignment.map(Int32.init))
    return objectives(
      stimuli, Discriminability.weights(indices, clusters: stimuli.dim(0)),
      Tensor(members.map(Int32.init)))
  }

  private func objectives(_ stimuli: Tensor, _ weights: Tensor, _ members: Tensor) -> Tensor {
    let all = model.normalised(model.responses(stimuli), leastDivisor: settings.leastDivisor)
    return objective(all.take(members, axis: -1), weights)
  }

  /// `steps` of ascent from `start` [clusters, stimulus...].
  /// - Throws: `InvalidInput` if the objective grows beyond all bounds.
  func callAsFunction(
    _ start: Tensor, _ assignment: [Int], of members: [Int], steps: Int
  ) throws -> Tensor {
    let weights = Discriminability.weights(Tensor(assignment.map(Int32.init)), clusters: start.dim(0))
    let members = Tensor(members.map(Int32.init))
    var stimuli = start
    var watches = [Stagnation](repeating: Stagnation(settings), count: start.dim(0))
    for step in 0..<steps {
      let (values, pullback) = valueAndPullback(at: [stimuli]) { [objectives($0[0], weights, members)] }
      let losses = values[0].doubles.map { -$0 }
      try require(
        losses.allSatisfy(\.isFinite),
        "mds-clustering: the objective is no longer finite; lower learningRate or set norm or range")
      // Ascent is judged by what a step led to.
      if step > 0 { for place in watches.indices { watches[place].hear(losses[place]) } }
      if watches.allSatisfy(\.isOver) { break }
      let gradient = pullback([.ones(like: values[0])])[0]
      let next = constrained(stimuli + gradient * settings.learningRate)
      guard watches.contains(where: \.isOver) else {
        stimuli = next
        continue
      }
      let column = [watches.count] + [Int](repeating: 1, count: next.ndim - 1)
      let moves = Tensor(watches.map { !$0.isOver }, column)
      stimuli = which(moves, next, stimuli)
    }
    return stimuli
  }
}

/// Whether a running average of losses has stopped falling.
private struct Stagnation {
  private let patience: Int
  private let decay: Double
  private var average: Double?
  private var lowest = Double.infinity
  private var waited = 0
  private(set) var isOver = false

  init(_ settings: MDSClustering.Settings) { (patience, decay) = (settings.patience, settings.averaging) }

  mutating func hear(_ loss: Double) {
    guard !isOver else { return }
    let average = average.map { decay * $0 + (1 - decay) * loss } ?? loss
    self.average = average
    if average < lowest {
      (lowest, waited) = (average, 0)
    } else {
      waited += 1
      isOver = waited > patience
    }
  }
}
