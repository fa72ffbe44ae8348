import CallosumContracts
import CallosumTensors

/// Reaching from a random posture to a random place, or holding a random posture under a constant load on
/// the hand, with a ``MuscleArm``.
///
/// An example is six numbers: the joint angles to start from (rad), where the hand should be (m) and the
/// load (N); its target is again where the hand should be. Angles are uniform over what the joints allow,
/// loads over -10 to 10 N along each axis.
public struct ReachAndHold: LearningTask {
  public enum Movement: String, Codable, Sendable, CaseIterable { case reach, hold }
  public let movement: Movement
  public let arm: MuscleArm
  /// Steps of an episode.
  public let steps: Int
  /// Largest load along an axis (N).
  public let largestLoad: Double
  public let seed: UInt64

  public init(
    _ movement: Movement, arm: MuscleArm = MuscleArm(), steps: Int = 50, largestLoad: Double = 10,
    seed: UInt64 = 0
  ) throws {
    try require(steps > 0, "steps must be at least 1, is \(steps)")
    try require(largestLoad >= 0, "largestLoad must be at least 0, is \(largestLoad)")
    (self.movement, self.arm, self.steps) = (movement, arm, steps)
    (self.largestLoad, self.seed) = (largestLoad, seed)
  }

  public var id: String { movement.rawValue }
  public var name: String { movement == .reach ? "Random reach" : "Hold under a load" }
  public let input = TaskInput.values([6])
  public let positions: [Int] = []
  public let objective = Objective.values(2)
  public func count(_ split: Split) -> Int? { nil }

  public func batch(_ split: Split, _ indices: [Int]) -> Batch {
    // Start, goal and load of each, in that order whatever the movement uses.
    let draws = indices.flatMap { index -> [Double] in
      var generator = exampleStream("example", of: id, seed, split, index)
      return (0..<6).map { _ in generator.uniform() }
    }
    let uniform = Tensor(draws, [indices.count, 6])
    let ends = Tensor(MuscleArm.largestAngles)
    let start = uniform.sliced(axis: 1, to: 2) * ends
    let goal = movement == .hold ? start : uniform.sliced(axis: 1, from: 2, to: 4) * ends
    let load = (uniform.sliced(axis: 1, from: 4) * 2 - 1) * (movement == .hold ? largestLoad : 0)
    let target = arm.hand(goal)
    return Batch(
      inputs: concatenated([start, target, load], axis: 1).asType(.float32), targets: target.asType(.float32))
  }

  /// Lets a controller move the arms of a batch: where the hands are after each step, [batch, steps, 2].
  /// - Parameter controller: excitations [batch, 6] for the arms as they are, the targets [batch, 2], and the
  ///   step.
  public func run(
    _ inputs: Tensor, controller: (MuscleArm.State, Tensor, Int) -> Tensor
  ) -> (hands: Tensor, excitations: Tensor) {
    var state = arm.atRest(angles: inputs.sliced(axis: 1, to: 2))
    let target = inputs.sliced(axis: 1, from: 2, to: 4), load = inputs.sliced(axis: 1, from: 4)
    var hands: [Tensor] = [], excitations: [Tensor] = []
    for step in 0..<steps {
      let excitation = controller(state, target, step)
      state = arm.step(state, excitations: excitation, load: load)
      excitations.append(excitation)
      hands.append(arm.hand(state.angles))
    }
    return (stacked(hands, axis: 1), stacked(excitations, axis: 1))
  }
}
