import CallosumContracts
import CallosumTensors

/// Stimuli and clusters on their way.
package struct MDSState {
  /// [clusters, stimulus...]
  package var stimuli: Tensor
  /// A cluster for each cell that takes part.
  package var assignment: [Int]
  package var clusters: Int { stimuli.dim(0) }

  package init(stimuli: Tensor, assignment: [Int]) {
    (self.stimuli, self.assignment) = (stimuli, assignment)
  }

  /// Without clusters that no cell is in; the others move up.
  func withoutEmpty() -> MDSState {
    let occupied = Set(assignment).sorted()
    guard occupied.count < clusters else { return self }
    return MDSState(
      stimuli: stimuli.take(Tensor(occupied.map(Int32.init))), assignment: movedUp(assignment))
  }
}

/// The labels 0, 1, ... in the order of those that occur.
private func movedUp(_ assignment: [Int]) -> [Int] {
  let occupied = Set(assignment).sorted()
  let place = Dictionary(uniqueKeysWithValues: occupied.enumerated().map { ($1, $0) })
  return assignment.compactMap { place[$0] }
}

/// The loop of ascent and assignment, and the splits and merges around it.
package struct MDSLoop {
  let settings: MDSClustering.Settings
  let ascent: StimulusAscent
  private let start: ((Int, inout RandomGenerator) -> Tensor)?
  private var generator: RandomGenerator
  private var model: ResponseModel { ascent.model }

  package init(_ settings: MDSClustering.Settings, _ input: MDSClustering.Subject) throws {
    try require(input.model.cells > 0, "mds-clustering needs at least one cell")
    self.settings = settings
    ascent = StimulusAscent(model: input.model, settings: settings)
    (start, generator) = (input.start, input.generator)
  }

  package var everyCell: [Int] { Array(0..<model.cells) }

  // MARK: Beginnings

  private mutating func newStimuli(_ count: Int) -> Tensor {
    let shape = [count] + model.stimulusShape
    let stimuli = start.map { $0(count, &generator) } ?? generator.normal(shape, dtype: model.dtype)
    precondition(
      stimuli.shape == shape, "mds-clustering", "start gave stimuli \(stimuli.shape) instead of \(shape)")
    return ascent.constrained(stimuli)
  }

  /// Groups of one size, the last perhaps smaller, drawn at random.
  private mutating func randomGroups(_ cells: Int, groups: Int) -> [Int] {
    let size = (cells + groups - 1) / groups
    var assignment = [Int](repeating: 0, count: cells)
    for (place, cell) in (0..<cells).shuffled(using: &generator).enumerated() {
      assignment[cell] = place / size
    }
    return assignment
  }

  /// New stimuli for clusters that are given or drawn.
  package mutating func firstState(
    _ given: [Int]?, cells: Int? = nil, groups: Int? = nil
  ) throws -> MDSState {
    let cells = cells ?? model.cells
    let groups = min(groups ?? settings.clusters, cells)
    let assignment = given ?? randomGroups(cells, groups: groups)
    try require(
      assignment.count == cells && assignment.allSatisfy { $0 >= 0 },
      "mds-clustering: an assignment of \(assignment.count) cells does not fit the model's \(cells)")
    return MDSState(stimuli: newStimuli(Set(assignment).count), assignment: movedUp(assignment))
  }

  // MARK: The loop

  /// Ascent and assignment in turn for the cells `members`, until none moves.
  package mutating func settled(
    _ first: MDSState, of members: [Int], iterations: Int? = nil, steps: Int? = nil
  ) throws -> MDSState {
    var now = first
    for iteration in 0..<(iterations ?? settings.iterations) {
      if now.clusters < 2 { break }
      if iteration > 0 && !settings.keepsStimuli { now.stimuli = newStimuli(now.clusters) }
      now.stimuli = try ascent(now.stimuli, now.assignment, of: members, steps: steps ?? settings.steps)
      let before = now.assignment
      now.assignment = assigned(members, to: now.stimuli)
      let isSettled = now.assignment == before
      now = now.withoutEmpty()
      if isSettled { break }
    }
    return now
  }

  private func assigned(_ members: [Int], to stimuli: Tensor) -> [Int] {
    let responses = model.responses(stimuli).take(Tensor(members.map(Int32.init)), axis: -1)
    return MDSClustering.assign(responses.swappedAxes(0, 1))
  }

  /// The mean loss of a state of all cells.
  package func loss(_ state: MDSState) -> Double {
    -ascent.objectives(state.stimuli, state.assignment, of: everyCell).mean().item()
  }

  /// Clusters with stimuli that are new but for a few steps.
  private mutating func estimated(_ assignment: [Int]) throws -> MDSState {
    let assignment = movedUp(assignment)
    let stimuli = try ascent(
      newStimuli(Set(assignment).count), assignment, of: everyCell, steps: settings.estimateSteps)
    return MDSState(stimuli: stimuli, assignment: assignment)
  }

  // MARK: Splits and merges

  /// Other clusters, with new stimuli, assigned anew and with new stimuli again, if that is better than those
  /// of `before` with new stimuli.
  private mutating func improved(_ before: MDSState, by assignment: [Int]) throws -> MDSState? {
    let previous = loss(try estimated(before.assignment))
    let trial = try estimated(assignment)
    let after = try estimated(assigned(everyCell, to: trial.stimuli))
    return after.clusters > 1 && loss(after) < previous ? after : nil
  }

  /// The loop inside one cluster, whose parts then stand beside the others; nil if that is no better.
  /// `parts` are the first parts of its cells, drawn if nil.
  package mutating func split(_ cluster: Int, of state: MDSState, parts: [Int]? = nil) throws -> MDSState? {
    let members = state.assignment.indices.filter { state.assignment[$0] == cluster }
    guard members.count > 1 else { return nil }
    let inside = try settled(
      firstState(parts, cells: members.count, groups: settings.parts), of: members,
      iterations: settings.partIterations, steps: settings.partSteps)
    guard inside.clusters > 1 else { return nil }
    var assignment = state.assignment
    for (cell, part) in zip(members, inside.assignment) {
      assignment[cell] = part == 0 ? cluster : state.clusters - 1 + part
    }
    return try improved(state, by: assignment)
  }

  /// One cluster together with that whose stimulus its cells answer most after their own; nil if that is no
  /// better.
  package mutating func merged(_ cluster: Int, of state: MDSState) throws -> MDSState? {
    guard state.clusters > 2 else { return nil }
    let members = state.assignment.indices.filter { state.assignment[$0] == cluster }
    let responses = model.normalised(
      model.responses(state.stimuli), leastDivisor: settings.leastDivisor)
    let means = responses.take(Tensor(members.map(Int32.init)), axis: -1).mean(axis: -1).doubles
    let others = means.indices.filter { $0 != cluster }
    guard let rival = others.max(by: { means[$0] < means[$1] }) else { return nil }
    return try improved(state, by: state.assignment.map { $0 == cluster ? rival : $0 })
  }
}
