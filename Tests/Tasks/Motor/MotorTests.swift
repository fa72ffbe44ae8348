import CallosumContracts
import CallosumTasks
import CallosumTensors
import CallosumTestSupport
import Testing

@Suite struct MotorTests {
  private func expectClose(
    _ value: Tensor, _ wanted: Tensor, _ error: Double, at location: SourceLocation = #_sourceLocation
  ) {
    let comparison = Comparison(value, wanted, within: Tolerance(relative: 0, ofLargest: error))
    #expect(comparison.problem == nil, sourceLocation: location)
  }

  @Test func theArmIsMotorNets() throws {
    let file = try Golden.tensors("tasks/arm")
    var arm = MuscleArm()
    arm.damping = 0.1
    func run(_ excitations: Tensor) -> (states: [MuscleArm.State], hands: Tensor) {
      var states = [arm.atRest(angles: file["angles"])]
      for step in 0..<25 {
        let now = excitations.sliced(axis: 1, from: step, to: step + 1).squeezed(axis: 1)
        states.append(arm.step(states[step], excitations: now, load: file["loads"]))
      }
      let last = states[25]
      return (states, concatenated([arm.hand(last.angles), arm.handVelocity(last)], axis: 1))
    }
    let (states, hands) = run(file["excitations"])
    let joints = stacked(
      states.dropFirst().map { concatenated([$0.angles, $0.velocities], axis: 1) }, axis: 1)
    expectClose(joints, file["joints"], 1e-9)
    expectClose(stacked(states.dropFirst().map(\.activations), axis: 1), file["activations"], 1e-9)
    expectClose(stacked(states.dropFirst().map(\.forces), axis: 1), file["forces"], 1e-9)
    expectClose(hands, file["hands"], 1e-9)
    let gradient = gradient(at: file["excitations"]) { (run($0).hands * file["weights"]).sum() }
    expectClose(gradient, file["gradient"], 1e-9)
  }

  /// What happens where branches meet must not spoil a gradient: muscles that do not move, loads of 0.
  @Test func gradientsAreFiniteAtRest() {
    let arm = MuscleArm()
    let start = Tensor([0, 0, 1, 1, 2.35, 2.7] as [Float], [3, 2])
    for level in [0.0, 0.001, 0.3, 1] {
      let excitations = Tensor.full([3, 6], level)
      let gradient = gradient(at: excitations) { excitations in
        var state = arm.atRest(angles: start)
        for _ in 0..<5 { state = arm.step(state, excitations: excitations) }
        return arm.hand(state.angles).sum()
      }
      #expect(isFinite(gradient).all().item() == 1)
    }
  }

  @Test func reachingAndHolding() throws {
    let reach = try ReachAndHold(.reach), hold = try ReachAndHold(.hold, steps: 3)
    for task in [reach, hold] {
      expectLawful(task)
      let batch = task.batch(.training, [5, 6])
      #expect(batch.inputs.sliced(axis: 1, from: 2, to: 4).doubles == batch.targets.doubles)
    }
    let still = hold.batch(.test, [0, 1, 2])
    let hand = MuscleArm().hand(still.inputs.sliced(axis: 1, to: 2))
    expectClose(hand, still.targets, 1e-6)
    #expect(abs(still.inputs.sliced(axis: 1, from: 4)).max().item() > 1)
    #expect(reach.batch(.test, [0]).inputs.sliced(axis: 1, from: 4).doubles == [0, 0])
    let (hands, excitations) = hold.run(still.inputs) { state, _, step in
      #expect(step < 3)
      return Tensor.full([state.angles.dim(0), 6], 0.1)
    }
    #expect(hands.shape == [3, 3, 2] && excitations.shape == [3, 3, 6])
  }

  /// Rates of length are what lengths do, and moment arms turn joint rates into them.
  @Test func musclesReportTheirMovement() {
    let arm = MuscleArm(), step = 1e-6
    let angles = Tensor([0.4, 1.1, 1.9, 0.2], [2, 2]), rates = Tensor([2, -3, -1, 0.5], [2, 2])
    func lengths(_ time: Double) -> Tensor { arm.muscles(angles + rates * time, rates).lengths }
    let muscles = arm.muscles(angles, rates)
    expectClose((lengths(step) - lengths(-step)) / (2 * step), muscles.velocities, 1e-8)
    var state = arm.atRest(angles: angles)
    state.velocities = rates
    let senses = arm.senses(state)
    let optimal = muscles.lengths / senses.lengths
    expectClose(optimal[0], Tensor([0.134, 0.140, 0.092, 0.093, 0.137, 0.127]), 1e-12)
    expectClose(senses.velocities * 10 * optimal, muscles.velocities, 1e-12)
    // The hand's speed is what its place does.
    let hands = (arm.hand(angles + rates * step) - arm.hand(angles - rates * step)) / (2 * step)
    expectClose(arm.handVelocity(state), hands, 1e-8)
  }

  // MARK: The swimmer

  private func random(_ swimmer: LinkSwimmer, batch: Int) -> (LinkSwimmer.State, Tensor) {
    var generator = RandomGenerator(seed: 8)
    var state = swimmer.straight(batch: batch, dtype: .float64)
    state.heading = generator.normal([batch, 1], dtype: .float64)
    state.bends = generator.normal([batch, swimmer.joints], standardDeviation: 0.4, dtype: .float64)
    return (state, generator.uniform([batch, swimmer.joints], low: -1, high: 1, dtype: .float64))
  }

  @Test func forcesAndTorquesBalance() throws {
    let file = try Golden.tensors("tasks/swimmer")
    var swimmer = LinkSwimmer(joints: 4)
    (swimmer.linkLength, swimmer.dragAlong, swimmer.dragAcross) = (0.3, 0.7, 3.1)
    (swimmer.strength, swimmer.stiffness, swimmer.friction) = (0.06, 0.03, 0.004)
    let state = LinkSwimmer.State(
      position: .zeros([5, 2], dtype: .float64), heading: file["headings"], bends: file["bends"])
    let speeds = swimmer.speeds(state, torques: file["torques"])
    expectClose(
      concatenated([speeds.position, speeds.heading, speeds.bends], axis: 1), file["speeds"], 1e-8)
  }

  /// With the same drag along and across, the centre of mass cannot move, whatever the muscles do.
  @Test func symmetricDragDoesNotSwim() {
    var swimmer = LinkSwimmer()
    func distance() -> Double {
      var (state, torques) = random(swimmer, batch: 3)
      for _ in 0..<50 { (state, _) = swimmer.step(state, torques: torques) }
      return abs(state.position).max().item()
    }
    #expect(distance() > 1e-3)
    swimmer.dragAcross = swimmer.dragAlong
    #expect(distance() < 1e-14)
  }

  /// A wave that runs from head to tail pushes the swimmer forward, the reverse wave backward, and no wave not
  /// at all.
  @Test func wavesSwim() {
    let swimmer = LinkSwimmer()
    func forward(_ direction: Double) -> Double {
      var state = swimmer.straight(batch: 1, dtype: .float64)
      var sum = 0.0
      for step in 0..<600 {
        let phases = Tensor.arange(5, dtype: .float64) * (direction * 1.2) - Double(step) * 2 * .pi / 60
        let (next, speed) = swimmer.step(state, torques: -sin(phases).reshaped(1, 5))
        state = next
        sum += speed.item()
      }
      return sum * swimmer.timestep
    }
    let ahead = forward(1), back = forward(-1)
    #expect(ahead > 0.1)
    #expect(back < -0.1)
    let (still, speed) = swimmer.step(swimmer.straight(batch: 2), torques: .zeros([2, 5]))
    #expect(speed.doubles == [0, 0] && still.bends.doubles.allSatisfy { $0 == 0 })
  }

  @Test func theSwimmersMiddlesAndGradients() {
    let swimmer = LinkSwimmer(joints: 2)
    var state = swimmer.straight(batch: 1, dtype: .float64)
    #expect(swimmer.middles(state).doubles.map { ($0 * 100).rounded() } == [20, 0, 0, 0, -20, 0])
    state.bends = Tensor([Double.pi / 2, 0], [1, 2])
    let middles = swimmer.middles(state)
    // The centre of mass stays, and neighbours are as far apart as a joint between them lets them.
    #expect(abs(middles.sum(axis: 1)).max().item() < 1e-12)
    let first = middles[0, 0] - middles[0, 1]
    #expect(Swift.abs(sqrt(square(first).sum()).item() - 0.1 * 2.0.squareRoot()) < 1e-12)
    let torques = Tensor([0.3, -0.2], [1, 2])
    let slope = gradient(at: torques) { torques in
      let (next, speed) = swimmer.step(state, torques: torques)
      return speed.sum() + square(next.bends).sum()
    }
    #expect(isFinite(slope).all().item() == 1 && abs(slope).min().item() > 0)
  }
}
